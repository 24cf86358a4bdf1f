"""Where the weights of published networks are looked for."""

from __future__ import annotations

import os
from pathlib import Path


def places() -> list[Path]:
    """The folder that `MOV_AI_WEIGHTS` names, then torch's own cache."""
    from_environment = os.environ.get("MOV_AI_WEIGHTS")
    torch_home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return [
        *([Path(from_environment).expanduser()] if from_environment else []),
        Path(torch_home).expanduser() / "hub" / "checkpoints",
    ]
