"""Imports run one way, and no module reaches into another's private names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mov_ai"
MODULES = sorted(PACKAGE.rglob("*.py"))

_BELOW_TRAINING = {
    *("result", "pipeline", "worlds", "captions", "models", "parser", "diffusion", "labels", "data", "graph"),
    *("pipeline_files", "smoothing", "plugins", "hardware", "precision", "weight_places", "curves", "long_video"),
}
_OPEN = ("memory", "errors", "shipped_files", "checked_config", "weight_files")
#: Part of the package -> the parts it may import besides itself; those in `_OPEN` are open to all.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    # Names networks' types only.
    "memory": set(),
    "shipped_files": set(),
    "checked_config": set(),
    "weight_files": set(),
    "graph": set(),
    "hardware": set(),
    "curves": set(),
    "weight_places": set(),
    "labels": {"graph"},
    "captions": {"graph"},
    # What a video encoder may compute with is the machine's affair.
    "data": {"captions", "graph", "hardware"},
    "diffusion": {"graph"},
    # TSAM turns its output into clean latents by the noise process's rule.
    "models": {"diffusion", "labels", "graph", "weight_places"},
    "parser": {"labels", "graph"},
    "worlds": {"captions", "data", "labels", "graph"},
    "result": {"data", "graph"},
    # Worlds are found by name, as plug-ins; nothing here imports one.
    "plugins": {"graph"},
    "run_record": {"result", "models", "graph"},
    "pipeline_files": {"plugins", "models", "parser", "labels", "graph"},
    "precision": {"models", "hardware"},
    "pipeline": {
        *(
            "precision",
            "result",
            "run_record",
            "plugins",
            "pipeline_files",
            "smoothing",
            "models",
            "parser",
            "diffusion",
            "labels",
            "data",
        ),
        *("graph", "hardware", "precision"),
    },
    "long_video": {"pipeline", "run_record", "result", "precision", "models", "diffusion", "data", "graph"},
    "smoothing": {"models", "graph"},
    "assembly": {"pipeline", "plugins", "models", "labels", "graph"},
    "training": _BELOW_TRAINING,
    "evaluation": _BELOW_TRAINING,
    # What the entry points share to read `conf/`.
    "hydra_entry": set(),
    # Entry points: nothing but the command line may import them.
    "train": {"hydra_entry", "training", *_BELOW_TRAINING},
    "evaluate": {"hydra_entry", "evaluation", *_BELOW_TRAINING},
    "cli": {"assembly", "run_record", "train", "evaluate", "training", "evaluation", *_BELOW_TRAINING},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a module, inside functions too, less what stands under `if TYPE_CHECKING:`."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for statement in tree.orelse:
            yield from runtime_nodes(statement)
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from runtime_nodes(child)


@cache
def looked_at(source: str) -> tuple[ast.Import | ast.ImportFrom | ast.Attribute, ...]:
    """Those of a module's runtime nodes that the rules are about; kept, as several tests ask for them."""
    return tuple(
        node
        for node in runtime_nodes(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Attribute))
    )


def imports(source: str, name: str, is_package: bool = False) -> list[tuple[int, str, str | None]]:
    """What a module imports from mov_ai: line, module in full, name taken from it or None."""
    found: list[tuple[int, str, str | None]] = []
    for node in looked_at(source):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = name.split(".")
                above = above[: len(above) - node.level + is_package]
                base = ".".join([*above, *([node.module] if node.module else [])])
            found += [(node.lineno, base, alias.name) for alias in node.names]
    return [entry for entry in found if entry[1].split(".")[0] == "mov_ai"]


def part_of(module: str, taken: str | None) -> str:
    """The part of the package that an import reaches; "" for the package itself."""
    parts = module.split(".")
    if len(parts) > 1:
        return parts[1]
    return taken if taken in MAY_IMPORT else ""


def upward(source: str, name: str, is_package: bool = False) -> list[str]:
    own = part_of(name, None)
    allowed = MAY_IMPORT.get(own, set()) | {own, *_OPEN}
    return [
        f"line {line}: {name} imports {part_of(module, taken) or 'mov_ai'}"
        for line, module, taken in imports(source, name, is_package)
        # The package itself holds its version, and lazy names for users only.
        if part_of(module, taken) not in allowed and (module, taken) != ("mov_ai", "__version__")
    ]


def private(source: str, name: str, is_package: bool = False) -> list[str]:
    """Private names of other modules, imported or reached through an imported module."""

    def hidden(word: str) -> bool:
        return word.startswith("_") and not (word.startswith("__") and word.endswith("__"))

    found, aliases = [], set()
    for line, module, taken in imports(source, name, is_package):
        words = [*module.split("."), *([taken] if taken else [])]
        if any(hidden(word) for word in words):
            found.append(f"line {line}: {name} imports {'.'.join(words)}")
    for node in looked_at(source):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                bound = alias.asname or alias.name.split(".")[0]
                base = node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
                inside = base.startswith("mov_ai") or (isinstance(node, ast.ImportFrom) and node.level > 0)
                if inside and bound.islower():
                    aliases.add(bound)
    for node in looked_at(source):
        if isinstance(node, ast.Attribute) and hidden(node.attr):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in aliases:
                found.append(f"line {node.lineno}: {name} reaches {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_imports_only_downward(path: Path) -> None:
    name = module_name(path)
    if name == "mov_ai":
        pytest.skip("the package's own lazy names point at every part")
    assert part_of(name, None) in MAY_IMPORT, f"{name} belongs to no part; add it to MAY_IMPORT"
    assert upward(path.read_text(encoding="utf-8"), name, path.name == "__init__.py") == []


def test_the_package_needs_nothing_beside_it() -> None:
    beside = {"studies", "tools", "tests"}
    reached = {
        module_name(path): sorted(beside & {name.split(".")[0] for name in absolute_imports(path)}) for path in MODULES
    }
    assert {name: outside for name, outside in reached.items() if outside} == {}


def absolute_imports(path: Path) -> Iterator[str]:
    """Modules that a file imports by their full names."""
    for node in looked_at(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_keeps_out_of_private_names(path: Path) -> None:
    assert private(path.read_text(encoding="utf-8"), module_name(path), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from mov_ai.models import denoiser", "mov_ai.graph.schema"),
        ("import mov_ai.cli.main", "mov_ai.models.codec"),
        ("def f():\n    from mov_ai.training import loop", "mov_ai.evaluation.metrics"),
        ("from mov_ai import training", "mov_ai.pipeline"),
        ("from ..evaluation import metrics", "mov_ai.pipeline.x"),
        ("from mov_ai.parser import decode", "mov_ai.models.codec"),
        ("from mov_ai import MovAIPipeline", "mov_ai.training.loop"),
    ],
)
def test_upward_and_sideways_imports_are_found(source: str, name: str) -> None:
    assert len(upward(source, name)) == 1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from mov_ai.graph import SceneGraph\nfrom mov_ai.errors import UsageError", "mov_ai.models.codec"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mov_ai.cli import main", "mov_ai.graph.schema"),
        ("from mov_ai.worlds import tabletop", "mov_ai.training.loop"),
        ("from . import schema", "mov_ai.graph.draw"),
        ("from mov_ai import __version__", "mov_ai.graph.draw"),
    ],
)
def test_downward_imports_pass(source: str, name: str) -> None:
    assert upward(source, name) == []


@pytest.mark.parametrize(
    "source",
    [
        "from mov_ai.graph.schema import _expect",
        "from mov_ai.graph import schema\nschema._expect(1)",
        "import mov_ai.graph.schema\nmov_ai.graph.schema._expect(1)",
        "from . import schema\nschema._expect(1)",
    ],
)
def test_private_names_of_others_are_found(source: str) -> None:
    assert len(private(source, "mov_ai.graph.draw")) == 1
