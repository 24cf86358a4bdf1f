"""The prompts of the compositional benchmark: what is asked for, what it means, and what to look for in a video."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark.scenes import scene_from_dict
from mov_ai.graph import SceneGraph
from mov_ai.graph.files import parse_json
from mov_ai.shipped_files import shipped
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS
from mov_ai.worlds.tabletop.scene import Scene

PROMPTS = shipped("data/prompts")
#: The seven categories of T2V-CompBench (Sun et al., 2024, arXiv 2407.14505) and the order of events, as TC-Bench (Feng
#: et al., 2024, arXiv 2406.08656) asks for it.
CATEGORIES = (
    "attribute_binding",
    "attribute_change",
    "spatial_relations",
    "motion_binding",
    "action_binding",
    "interactions",
    "counts",
    "event_order",
)
_KEYS = ("id", "category", "text", "seed", "checks", "things", "graph", "scene")


@dataclass(frozen=True)
class Check:
    """One thing to look for.

    Attributes:
        name: in words, unique in its prompt.
        kind: name in `QUESTIONS`.
        needed: it earns nothing, but without it the prompt's score is 0.
        about: what the question takes: node ids, labels, numbers.
    """

    name: str
    kind: str
    needed: bool
    about: dict[str, Any]


@dataclass(frozen=True)
class BenchmarkPrompt:
    """One prompt.

    Attributes:
        id: unique, "CATEGORY-NUMBER".
        text, seed: what the generator gets.
        graph: what the text means; the gold that videos are judged by.
        checks: what a video must show.
        things: id of the entity node of each of the scene's things.
        scene: what the world renders as the truth.
    """

    id: str
    category: str
    text: str
    graph: SceneGraph
    seed: int
    checks: tuple[Check, ...]
    things: tuple[str, ...]
    scene: Scene

    @property
    def held_out(self) -> bool:
        """Whether it shows a pair of shape and colour that no training clip of the world shows."""
        return any((thing.shape, thing.color) in HELD_OUT_PAIRS for thing in self.scene.things)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "id": self.id,
            "category": self.category,
            "text": self.text,
            "seed": self.seed,
            "checks": [
                {"name": c.name, "kind": c.kind, **({"needed": True} if c.needed else {}), **c.about}
                for c in self.checks
            ],
            "things": list(self.things),
            "graph": self.graph.to_dict(),
            "scene": asdict(self.scene),
        }

    @classmethod
    def from_dict(cls, value: Any, source: str) -> BenchmarkPrompt:
        """A prompt from parsed JSON. Raises UsageError: `source: what was expected; what was found`."""
        if not isinstance(value, dict) or set(value) != set(_KEYS):
            shown = sorted(value) if isinstance(value, dict) else repr(value)
            raise UsageError(f"{source}: expected an object with the keys {', '.join(_KEYS)}; found {shown}")
        if value["category"] not in CATEGORIES:
            raise UsageError(f"{source}: category: expected one of {CATEGORIES}; found {value['category']!r}")
        graph = SceneGraph.from_dict(value["graph"], f"{source}: graph")
        if graph.caption != value["text"]:
            raise UsageError(f"{source}: graph: caption: expected the prompt's text; found {graph.caption!r}")
        scene = scene_from_dict(value["scene"], source)
        things = tuple(value["things"])
        entity_ids = {node.id for node in graph.of_type("entity")}
        if len(things) != len(scene.things) or not set(things) <= entity_ids:
            raise UsageError(f"{source}: things: expected an entity's id for each thing of the scene; found {things}")
        return cls(
            value["id"],
            value["category"],
            value["text"],
            graph,
            int(value["seed"]),
            tuple(_check(check, source) for check in value["checks"]),
            things,
            scene,
        )


def _check(value: Any, source: str) -> Check:
    if not isinstance(value, dict) or not {"name", "kind"} <= set(value):
        raise UsageError(f"{source}: checks: expected objects with 'name' and 'kind'; found {value!r}")
    about = {key: part for key, part in value.items() if key not in ("name", "kind", "needed")}
    return Check(value["name"], value["kind"], bool(value.get("needed", False)), about)


def load_prompts(path: Path | None = None) -> list[BenchmarkPrompt]:
    """Read the benchmark's prompts, interleaved: the first k cover all categories evenly.

    Args:
        path: a folder with a file CATEGORY.jsonl for each category, or one such file; the repository's if None.

    Raises:
        UsageError: if a file is missing or wrong; the message names it and the line.
    """
    place = PROMPTS if path is None else Path(path)
    files = [place] if place.is_file() else [place / f"{category}.jsonl" for category in CATEGORIES]
    return interleaved([prompt for file in files for prompt in _read(file)])


def _read(file: Path) -> list[BenchmarkPrompt]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: cannot be read ({error}); the prompts are in the repository, not the wheel: give their folder, or"
            " write them with python -m tools.benchmark.build --out FOLDER"
        ) from None
    return [
        BenchmarkPrompt.from_dict(parse_json(line, f"{file}: line {number}"), f"{file}: line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def interleaved(prompts: Sequence[BenchmarkPrompt]) -> list[BenchmarkPrompt]:
    """One prompt of each category, then the second of each, and so on."""
    columns = [[prompt for prompt in prompts if prompt.category == category] for category in CATEGORIES]
    return [prompt for row in itertools.zip_longest(*columns) for prompt in row if prompt is not None]
