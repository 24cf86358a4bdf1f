"""What a run leaves behind in run.json: settings, seconds, versions, what was assumed, what may be wrong."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from mov_ai.graph import SceneGraph
from mov_ai.graph.instances import MAX_COUNT, MAX_INSTANCES, drawn_entities, left_out
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.cascade import CascadeConfig, Stage
from mov_ai.result import VideoResult


class Clock:
    """Wall seconds per part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def run_record(
    result: VideoResult,
    *,
    seed: int,
    pipeline: str,
    checkpoint: str | None,
    device: str,
    dtype: str,
    computed_in: dict[str, str],
    quality: str,
    config: dict[str, Any],
    distant_labels: list[str],
    verdict: LayoutReport | None,
    messages: list[str],
    clock: Clock,
) -> dict[str, Any]:
    """The JSON values of run.json.

    Args:
        result: the video and what it was made from.
        seed, pipeline, device, dtype, quality, config: how.
        computed_in: the type that each part computed in, see `mov_ai.precision.Precision`.
        checkpoint: the name or the folder that the pipeline was loaded from; None if it was put together.
        distant_labels: words that the denoiser was not trained on or near to.
        verdict: the world's on the layout, if there is one.
        messages: warnings, in order.
        clock: seconds of each part.
    """
    return {
        "prompt": result.graph.caption,
        "seed": seed,
        "pipeline": pipeline,
        "checkpoint": checkpoint,
        "device": device,
        "dtype": dtype,
        "computed_in": computed_in,
        "quality": quality,
        "config": config,
        "stages": sorted(result.stages),
        "fps": result.fps,
        "distant_labels": distant_labels,
        "assumed": assumed(result.graph),
        "layout_report": None if verdict is None else asdict(verdict),
        "warnings": messages,
        "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
        "versions": _versions(),
    }


def assumed(graph: SceneGraph) -> dict[str, list[str]]:
    """What was assumed, by the id of its node: labels of added attributes, words of the scene."""
    owners = {edge.target: edge.source for edge in graph.edges if edge.type == "has_attribute"}
    result: dict[str, list[str]] = {}
    for node in graph.nodes:
        for name in node.assumed:
            owner = owners.get(node.id, node.id) if name == "label" else node.id
            result.setdefault(owner, []).append(str(getattr(node, name)))
    return result


def size_warnings(config: CascadeConfig, trained: VideoShape, shape: VideoShape, stages: Sequence[Stage]) -> list[str]:
    """Where a video goes beyond what its pipeline was trained for.

    Args:
        config: of the cascade.
        trained: the pipeline's own shape. shape: the video's.
        stages: of the run.
    """
    messages = []
    if shape.frames != trained.frames:
        messages.append(f"trained on {trained.frames} frames, asked for {shape.frames}")
    if shape.height * trained.width != shape.width * trained.height:
        messages.append(
            f"trained on frames of {trained.height}x{trained.width}, asked for another aspect, "
            f"{shape.height}x{shape.width}"
        )
    others = [str(stage.size) for stage in stages if stage.size not in config.trained]
    if others and stages[-1].size >= config.first:
        messages.append(f"trained for stages {', '.join(map(str, config.trained))}, asked for {', '.join(others)}")
    return messages


def graph_warnings(graph: SceneGraph, distant_labels: list[str]) -> list[str]:
    """Warnings about what of a graph is not shown, or not as the text has it."""
    messages = []
    if distant_labels:
        messages.append(f"far from all words that this pipeline was trained on: {', '.join(distant_labels)}")
    if lacking := left_out(graph):
        messages.append(
            f"at most {MAX_COUNT} of one entity and {MAX_INSTANCES} things in all are shown; left out: {lacking}"
        )
    if not drawn_entities(graph):
        messages.append("the graph names nothing that can be shown; the video shows the empty scene")
    return messages


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("mov_ai", "torch", "spacy", "diffusers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
