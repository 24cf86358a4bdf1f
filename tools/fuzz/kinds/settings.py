"""Settings of a pipeline, of its networks and of what they were trained on, damaged: loaded, and a video made."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from mov_ai.assembly import assemble
from mov_ai.graph import SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LABELS_FILE, LabelCoverage
from mov_ai.models.cascade import CASCADE_FILE
from mov_ai.models.trained_on import TRAINED_ON_FILE, TrainedOn
from mov_ai.pipeline import MovAIPipeline
from mov_ai.pipeline_files import PIPELINE_FILE
from mov_ai.result import VideoResult
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_json, json_text
from tools.fuzz.small_pipeline import SHAPE, small_pipeline

_CONFIGS = ("denoiser/config.json", "codec/config.json", "planner/config.json", "parser/config.json")
_BESIDE = (f"denoiser/{LABELS_FILE}", f"denoiser/{CASCADE_FILE}", f"denoiser/{TRAINED_ON_FILE}")
#: Read only when a pipeline is assembled.
_OF_TRAINING = _BESIDE[1:]
#: In place of a name: modules, programs and places, installed or not.
_NAMES = (
    "typer",
    "os",
    "mov_ai.train",
    "os.system",
    "builtins.eval",
    "/bin/sh",
    "..",
    "tabletop",
    "taef2",
    "gpt2",
    "C:",
)


@cache
def _graph() -> SceneGraph:
    return SceneGraph.from_dict(
        {
            "version": 2,
            "caption": "a red ball",
            "nodes": [{"id": "s", "type": "scene", "label": "scene"}, {"id": "b", "type": "entity", "label": "ball"}],
        }
    )


def _copied(folder: Path) -> Path:
    """The small pipeline with what stands beside a trained denoiser."""
    copy = folder / "pipeline"
    shutil.copytree(small_pipeline(), copy)
    coverage = LabelCoverage()
    coverage.add([_graph()])
    coverage.save(copy / "denoiser")
    TrainedOn(SHAPE, "tabletop").save(copy / "denoiser")
    about = json.loads((copy / PIPELINE_FILE).read_text(encoding="utf-8"))
    (copy / "denoiser" / CASCADE_FILE).write_text(json.dumps(about["cascade"]), encoding="utf-8")
    return copy


def _renamed(value: Any, rng: random.Random) -> tuple[Any, str]:
    """The value with one of its words, or of what may be a word, replaced by a name."""
    places: list[tuple[Any, Any]] = []
    _collect(value, places)
    if not places:
        return value, "as it was"
    owner, key = rng.choice(places)
    owner[key] = rng.choice(_NAMES)
    return value, f"{key}: {owner[key]!r}"


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inside:
        if entry is None or isinstance(entry, str):
            places.append((value, key))
        _collect(entry, places)


def make(rng: random.Random, folder: Path) -> Case:
    """A pipeline with one damaged file of settings."""
    copy = _copied(folder)
    name = rng.choice((PIPELINE_FILE, PIPELINE_FILE, *_CONFIGS, *_BESIDE))
    path = copy / name
    value = json.loads(path.read_text(encoding="utf-8"))
    value, about = _renamed(value, rng) if rng.random() < 0.15 else damaged_json(value, rng)
    path.write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))

    def run() -> tuple[MovAIPipeline, VideoResult]:
        place = copy
        if name in _OF_TRAINING:
            place = folder / "assembled"
            assemble(copy / "codec", copy / "denoiser", place, copy / "planner")
        pipeline = MovAIPipeline.from_pretrained(place, "cpu")
        if name.startswith("parser"):
            pipeline.parser("a red ball rolls left")
        return pipeline, pipeline(_graph(), shape=VideoShape(2, 8.0, 32, 32), steps=1, stages=32)

    def wrong(made: tuple[MovAIPipeline, VideoResult]) -> str | None:
        pipeline, result = made
        written = json.loads(path.read_text(encoding="utf-8"))
        differs = _difference(written, _read(pipeline, name))
        if differs is not None:
            return f"{name}: {differs} is not read as it is written"
        if result.frames.shape != (2, 32, 32, 3):
            return f"a video of {result.frames.shape} instead of 2 frames of 32x32"
        result.save(folder / "result")
        json.loads((folder / "result" / "run.json").read_text(encoding="utf-8"))
        return None

    return Case(f"{name}: {about}", run, wrong)


def _read(pipeline: MovAIPipeline, name: str) -> Any:
    """What a pipeline has of a file's settings, as the file writes them."""
    cascade = pipeline.cascade
    if name == PIPELINE_FILE:
        shape, config = asdict(pipeline.shape), asdict(cascade.config)
        world = None if pipeline.world is None else pipeline.world.name
        return {"name": pipeline.name, "world": world, "codec": cascade.codec.name, "shape": shape, "cascade": config}
    if name.endswith(CASCADE_FILE):
        return asdict(cascade.config)
    if name.endswith(LABELS_FILE):
        return {} if pipeline.coverage is None else {role: dict(c) for role, c in pipeline.coverage.counts.items()}
    if name.startswith("parser"):
        networks = pipeline.parser.networks
        return {"networks": len(networks), "network": asdict(networks[0].config)}
    if name.startswith("denoiser/config"):
        return {"config": _values(cascade.denoisers[0].config)}
    if name.startswith("codec"):
        return {"config": _values(cascade.codec.config)}
    if name.startswith("planner"):
        return {} if pipeline.planner is None else {"config": asdict(pipeline.planner.config)}
    return {}


def _values(config: Any) -> dict[str, Any]:
    return asdict(config)


def _difference(written: Any, read: Any, place: str = "") -> str | None:
    """Where something that is written was read as something else; None if nowhere."""
    if isinstance(read, dict):
        if not isinstance(written, dict):
            return place or "all"
        shared = (_difference(written[key], read[key], f"{place}.{key}") for key in written if key in read)
        return next((found for found in shared if found is not None), None)
    if isinstance(read, (list, tuple)):
        same_length = isinstance(written, list) and len(written) == len(read)
        pairs = zip(written, read, strict=True) if same_length else ()
        found = [_difference(a, b, f"{place}.{i}") for i, (a, b) in enumerate(pairs)]
        return next((f for f in found if f is not None), None) if same_length else place
    alike = written == read and isinstance(written, bool) == isinstance(read, bool)
    return None if alike else place


KIND = Kind("settings", 1.5, make)
