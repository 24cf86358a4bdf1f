"""A pipeline with one thing left out: what stands beside its score, so that a reader sees what that thing is worth."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.enlarging import enlarged
from mov_ai.graph import Layout, SceneGraph
from mov_ai.models.ablation import without

if TYPE_CHECKING:
    from mov_ai.pipeline import MovAIPipeline

#: Rows -> their titles.
ROWS: dict[str, str] = {
    "one_candidate": "planner with one candidate",
    "no_gating": "interval gating off",
    "no_cross": "cross-attention off",
    "no_labels": "boxes stay, labels removed",
    "nothing_said": "boxes stay, labels and text removed",
    "first_stage_enlarged": "first stage enlarged",
}
#: Those in which parts of the denoiser are off -> the parts, as `mov_ai.models.ablation` calls them.
_PARTS = {
    "no_gating": ("gating",),
    "no_cross": ("cross",),
    "no_labels": ("labels",),
    # The caption says the same as the labels do.
    "nothing_said": ("labels", "text"),
}


@dataclass(frozen=True)
class Variant:
    """One row.

    Attributes:
        name: of its folder.
        title: for tables.
        settings: what decides its videos beside the run's own settings, plain values.
        row: a key of `ROWS`, or None if only the guidance is another.
        guidance: strengths by text and by graph; None for the run's own.
    """

    name: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    row: str | None = None
    guidance: tuple[float, float] | None = None


def variants(rows: tuple[str, ...], guidances: tuple[tuple[float, float], ...]) -> list[Variant]:
    """The rows of a run, in order. Raises UsageError for an unknown row or a strength that is none."""
    result = []
    for row in rows:
        if row not in ROWS:
            raise UsageError(f"rows: expected some of {', '.join(ROWS)}; found {row!r}")
        result.append(Variant(row, ROWS[row], {"row": row}, row))
    for guidance in guidances:
        strengths = list(guidance) if isinstance(guidance, (list, tuple)) else []
        numbers = [value for value in strengths if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if len(numbers) != 2 or len(strengths) != 2 or not all(0 <= value <= 30 for value in numbers):
            raise UsageError(
                f"guidances: expected pairs of strengths from 0 to 30, of text and graph; found {guidance!r}"
            )
        text, graph = (float(value) for value in numbers)
        name = f"guidance_{text:g}_{graph:g}"
        result.append(Variant(name, f"guidance text {text:g}, graph {graph:g}", {"row": None}, None, (text, graph)))
    return result


@dataclass(frozen=True)
class Video:
    """What a variant gives: uint8 (F, H, W, 3)."""

    frames: np.ndarray


class VariantPipeline:
    """A pipeline as one row has it.

    Args:
        pipeline: shared by all rows; it is as it was after each call.
        settings: `steps`, `guidance_text`, `guidance_graph` and `stages` of the run.

    Raises:
        UsageError: if the pipeline has nothing that could be left out, or allows no such guidance.
    """

    def __init__(self, pipeline: MovAIPipeline, variant: Variant, settings: Mapping[str, Any]) -> None:
        self._pipeline, self._row, self._settings = pipeline, variant.row, dict(settings)
        if variant.guidance is not None:
            pipeline.check_guidance(*variant.guidance)
            self._settings |= dict(zip(("guidance_text", "guidance_graph"), variant.guidance, strict=True))
        if self._row == "one_candidate" and (pipeline.planner is None or pipeline.world is None):
            raise UsageError("one_candidate: this pipeline has no planner, or no world to choose by; leave the row out")
        self._first = pipeline.cascade.config.first
        if self._row == "first_stage_enlarged" and settings["stages"] <= self._first:
            raise UsageError(
                f"first_stage_enlarged: {settings['stages']} px is the first stage; set eval.stage above it"
            )
        with self._changed():
            pass

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> Video:
        settings, pipeline = self._settings, self._pipeline
        if self._row == "one_candidate":
            prompt, layout = self._first_plan(prompt, seed, layout)
        if self._row == "first_stage_enlarged":
            settings = {**settings, "stages": self._first}
        with self._changed():
            frames = pipeline(prompt, seed=seed, layout=layout, **settings).frames
        if self._row == "first_stage_enlarged":
            longest = max(frames.shape[1:3])
            height, width = (round(side * self._settings["stages"] / longest) for side in frames.shape[1:3])
            frames = enlarged(frames, height, width)
        return Video(frames)

    def _changed(self) -> contextlib.AbstractContextManager[None]:
        if self._row not in _PARTS:
            return contextlib.nullcontext()
        return without(self._pipeline.cascade.denoisers, *_PARTS[self._row])

    def _first_plan(self, prompt: str | SceneGraph, seed: int, layout: Layout | None) -> tuple[SceneGraph, Layout]:
        """The graph, and the first of the layouts that the planner would choose among."""
        pipeline = self._pipeline
        assert pipeline.planner is not None
        assert pipeline.world is not None
        graph = pipeline.world.complete(pipeline.parser(prompt) if isinstance(prompt, str) else prompt, seed)
        shape = pipeline.shape
        planned, _ = pipeline.planner.plan(graph, seed, layout, frames=shape.frames, aspect=shape.aspect)
        planned.shape = replace(shape, frames=planned.frames)
        return graph, planned
