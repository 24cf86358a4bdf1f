"""No network knows a word: every label matters, whatever world it is of, and no world's order means anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mov_ai
from mov_ai.graph import SceneGraph
from mov_ai.labels.encoder import EmbeddedLabelEncoder
from mov_ai.models.conditioning import condition
from mov_ai.models.denoiser import TSAMDenoiser
from mov_ai.models.planner_input import read_graph
from mov_ai.worlds.tabletop import lexicon
from tests.models.builders import (
    LABELS,
    ball_and_cube,
    dogs_and_frisbees,
    given,
    relabelled,
    small_denoiser,
    still_layout,
)

PACKAGE = Path(mov_ai.__file__).parent
FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
DOGS = dogs_and_frisbees()
#: Every label of the graph, and the graph with that label changed.
CHANGED = {
    "entity": DOGS.with_node("dog", label="cat"),
    "other entity": DOGS.with_node("frisbee", label="stick"),
    "event": DOGS.with_node("catch", label="bury"),
    "direction": DOGS.with_node("catch", direction="down"),
    "manner": DOGS.with_node("catch", manner="lazily"),
    "size": DOGS.with_node("large", label="wee"),
    "texture": DOGS.with_node("spotted", label="striped"),
    "material": DOGS.with_node("wooden", label="rubbery"),
    "color": DOGS.with_node("ochre", label="magenta"),
    "spatial relation": relabelled(DOGS, "above", "beneath"),
    "relation": relabelled(DOGS, "chasing", "ignoring"),
    "setting": DOGS.with_node("s", setting="beach"),
    "light": DOGS.with_node("s", light="dawn"),
    "camera": DOGS.with_node("s", camera="zoom"),
    "style": DOGS.with_node("s", style="charcoal"),
}


@pytest.fixture(scope="module")
def network() -> TSAMDenoiser:
    return small_denoiser()


def _shown(network: TSAMDenoiser, graph: SceneGraph) -> Tensor:
    noise = torch.randn(1, 4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network(noise, torch.tensor([0.8]), torch.zeros(1).long(), noise * 0, FULL, given(graph, 4))


@pytest.mark.parametrize("what", CHANGED)
def test_every_label_of_dogs_and_frisbees_matters(network: TSAMDenoiser, what: str) -> None:
    difference = (_shown(network, DOGS) - _shown(network, CHANGED[what])).abs().max().item()
    assert difference > 1e-5
    # To the graph's tokens, not by the caption's words.
    assert DOGS.caption == CHANGED[what].caption


@pytest.mark.parametrize("script", ["собака", "犬", "कुत्ता", "Ὀδυσσεύς", "🐕", "C-3PO"])
def test_labels_of_any_script_matter(network: TSAMDenoiser, script: str) -> None:
    other = DOGS.with_node("dog", label=script)
    assert (_shown(network, DOGS) - _shown(network, other)).abs().max() > 1e-5


# -- no order of a world's words means anything ------------------------------------------------------------------------

TABLES = ("SHAPES", "COLORS", "SIZES", "MATERIALS", "SETTINGS", "LIGHTS", "RGB", "MOTION_VERBS", "DIRECTION_MOTIONS")
WORLDLY = ball_and_cube(count=2).with_node("s", setting="table", light="left")


@pytest.mark.parametrize("graph", [DOGS, WORLDLY], ids=["dogs", "balls"])
def test_another_order_of_the_worlds_words_changes_no_tensor(
    graph: SceneGraph, network: TSAMDenoiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everything() -> dict[str, Tensor]:
        # A new encoder, that remembers nothing.
        encoder = EmbeddedLabelEncoder(LABELS)
        boxes = [(0.3 + 0.1 * k, 0.5, 0.3, 0.4, 4.0 + k, 1.0) for k in range(3)]
        c = condition(graph, still_layout(graph, boxes, 4), encoder, 4)
        made = {f"denoiser {name}": tensor for name, tensor in c.tensors().items()}
        made |= {f"planner {name}": tensor for name, tensor in read_graph(graph, encoder).tensors().items()}
        return made | {"output": _shown(network, graph)}

    before = everything()
    for table in TABLES:
        monkeypatch.setattr(lexicon, table, dict(reversed(list(getattr(lexicon, table).items()))))
    monkeypatch.setattr(lexicon, "MOTIONS", lexicon.MOTIONS[::-1])
    monkeypatch.setattr(lexicon, "_index", lexicon._index.__wrapped__)
    after = everything()
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


# -- no word of a world in the sources ---------------------------------------------------------------------------------


def _sources() -> list[Path]:
    folders = [PACKAGE / name for name in ("models", "parser", "diffusion", "labels")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted([path for path in files if "metric_networks" not in path.parts] + [*PACKAGE.glob("pipeline*.py")])


SOURCES = _sources()
WORDS = {
    word
    for table in (lexicon.COLORS, lexicon.SHAPES, lexicon.MOTION_VERBS)
    for name, words in table.items()
    for word in (name, *words)
}
#: Words of the world that stand in these files for another reason: as English directions, which every graph may hold.
ALLOWED = {
    "parser/lemmas.py": {"toward", "away"},
    "parser/network.py": {"toward", "away"},
}


def words_in(source: str) -> set[str]:
    """Words of the world that are a string of their own in code; docstrings, comments and longer texts are none."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    constants = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    }
    return {text.strip().lower() for text in constants} & WORDS


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 30
    assert {"pipeline.py", "conditioning.py", "planner.py", "encoder.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_source_names_a_colour_a_shape_or_a_motion(path: Path) -> None:
    name = str(path.relative_to(PACKAGE))
    assert words_in(path.read_text(encoding="utf-8")) == ALLOWED.get(name, set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_source_imports_a_world(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reached = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            reached += [f"{node.module}.{alias.name}" for alias in node.names]
    assert [name for name in reached if "worlds" in name.split(".")] == []


def test_words_are_found_in_code_and_not_in_prose() -> None:
    assert words_in('"""red"""\nTABLE = ("Red", "cube ", "dog")\n') == {"red", "cube"}
    assert words_in('def f():\n    "red"\n    # blue\n    return f"a red {1}"') == set()
