"""Where the files lie that ship beside the code: the configurations of `conf/` and the small texts of `data/`."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

#: The folder of the package in which a wheel carries them (see `setup.py`); a source checkout has no such folder.
_IN_WHEEL = "share"


def shipped(path: str) -> Path:
    """A file or folder of the repository that ships with the package, in a source checkout and in a wheel alike.

    Args:
        path: as seen from the repository's root, such as "conf" or "data/prompts"; below `conf/` or `data/`.
    """
    package = Path(str(importlib.resources.files("mov_ai")))
    carried = package / _IN_WHEEL
    return (carried if carried.is_dir() else package.parent) / path


def from_yaml(text: str) -> Any:
    """What the text of a YAML file says. libyaml reads it ten times as fast as PyYAML alone, where that has it."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
