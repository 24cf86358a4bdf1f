"""Scenes of the benchmark: read from JSON, and rendered as the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mov_ai.captions.caption import Caption
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, Scene, simulate
from mov_ai.worlds.tabletop.world import gold_layout

if TYPE_CHECKING:
    from mov_ai.evaluation.benchmark.prompts import BenchmarkPrompt


@dataclass(frozen=True)
class ReferenceClip:
    """The world's own clip of a prompt.

    Attributes:
        frames: uint8 (16, size, size, 3), sRGB.
        masks: uint8 (16, size, size), 0 background, k + 1 instance k.
        layout: its box tracks; `Track.entity` is an id in the prompt's graph.
        graph: the prompt's graph.
    """

    frames: np.ndarray
    masks: np.ndarray
    layout: Layout
    graph: SceneGraph


def reference_clip(prompt: BenchmarkPrompt, size: int = 128) -> ReferenceClip:
    """Render the clip that a prompt describes, in frames of `size` by `size`: what a perfect generator would show."""
    caption = Caption(prompt.text, prompt.graph, (), prompt.things)
    states = simulate(prompt.scene)
    video, masks = render(prompt.scene, size, size, states=states)
    return ReferenceClip(video.numpy(), masks.numpy(), gold_layout(prompt.scene, states, caption), prompt.graph)


def rendered(scene: Scene, size: int = 128, frames: int = FRAMES) -> np.ndarray:
    """The frames of a scene, uint8 (frames, size, size, 3)."""
    video, _ = render(scene, size, size, states=simulate(scene, frames))
    return video.numpy()


def scene_from_dict(value: Any, source: str) -> Scene:
    """A scene from what `dataclasses.asdict` made of it. Raises UsageError: `source: what was wrong`."""
    try:
        return TypeAdapter(Scene).validate_python(value)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise UsageError(f"{source}: scene: expected a scene of the world; {place}: {wrong['msg']}") from None
