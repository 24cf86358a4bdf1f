"""What setup.cfg asks for is what the code imports, and what is optional is an extra."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Distribution -> what it is imported as, where that is another name.
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "torch-geometric": "torch_geometric",
}
#: What is run, asked for by name or loaded by another library instead of imported, and by whom.
NOT_IMPORTED = {
    "build": "tools/check_wheel.py",
    "hydra-joblib-launcher": "conf",
    "hydra-optuna-sweeper": "tests/training",
    "hydra-submitit-launcher": "tests/training",
    "mkdocs": "Makefile",
    "mkdocstrings": "mkdocs.yml",
    "mypy": "Makefile",
    "pytest-timeout": "tests",
    "pytest-xdist": "Makefile",
    "ruff": "Makefile",
    "setuptools": "pyproject.toml",
    "tensorboard": "mov_ai/training/reporting.py",
    "wandb": "mov_ai/training/settings.py",
    "webdataset": "tests/data",
}


def _names(section: str, option: str) -> list[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = [line for line in config[section][option].splitlines() if line and not line.startswith("#")]
    return [re.split(r"[<>=\[]", line)[0].strip() for line in lines]


@cache
def _imports(folder: str) -> set[str]:
    found: set[str] = set()
    for path in [*(ROOT / folder).rglob("*.py")]:
        for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement inside a node. No expression holds one, and most of a file's nodes are in expressions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from _statements(child)


EXTRAS = ("gpu", "lora", "parquet", "scenedetect", "sweep", "wandb", "dev", "docs")


def test_every_extra_is_looked_at() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(EXTRAS) == set(config["options.extras_require"])


def test_every_dependency_is_imported_by_the_package() -> None:
    imported = _imports("mov_ai")
    unused = [n for n in _names("options", "install_requires") if IMPORTED_AS.get(n, n) not in imported]
    assert [name for name in unused if name not in NOT_IMPORTED] == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_optional_dependency_is_used_somewhere(extra: str) -> None:
    imported = {name for folder in ("mov_ai", "studies", "tools", "tests") for name in _imports(folder)}
    unused = [n for n in _names("options.extras_require", extra) if IMPORTED_AS.get(n, n) not in imported]
    assert [name for name in unused if name not in NOT_IMPORTED] == []


@pytest.mark.parametrize(("name", "place"), NOT_IMPORTED.items())
def test_what_is_not_imported_is_named_where_it_is_used(name: str, place: str) -> None:
    files = [p for p in (ROOT / place).rglob("*") if p.is_file()] if (ROOT / place).is_dir() else [ROOT / place]
    words = {name, name.replace("-", "_"), name.removeprefix("pytest-"), "joblib" if "joblib" in name else name}
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in files]
    assert any(word in text for text in texts for word in words)
