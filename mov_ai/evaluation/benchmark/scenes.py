"""Scenes of the benchmark: kept as JSON, and rendered as the truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mov_ai.captions.caption import Caption
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.tabletop.scene import FRAMES, Action, Camera, Instance, Scene, Thing, simulate
from mov_ai.worlds.tabletop.world import gold_layout

if TYPE_CHECKING:
    from mov_ai.evaluation.benchmark.prompts import BenchmarkPrompt


@dataclass(frozen=True)
class ReferenceClip:
    """The world's own clip of a prompt.

    Attributes:
        frames: uint8 (16, size, size, 3), sRGB.
        layout: its box tracks; `Track.entity` is an id in the prompt's graph.
        graph: the prompt's graph.
    """

    frames: np.ndarray
    layout: Layout
    graph: SceneGraph


def reference_clip(prompt: BenchmarkPrompt, size: int = 128) -> ReferenceClip:
    """Render the clip that a prompt describes: what a perfect generator would show.

    Args:
        prompt: any of the benchmark.
        size: height and width in pixels.
    """
    caption = Caption(prompt.text, prompt.graph, (), prompt.things)
    layout = gold_layout(prompt.scene, simulate(prompt.scene), caption)
    return ReferenceClip(rendered(prompt.scene, size), layout, prompt.graph)


def rendered(scene: Scene, size: int = 128, frames: int = FRAMES) -> np.ndarray:
    """The frames of a scene, uint8 (frames, size, size, 3)."""
    from mov_ai.worlds.tabletop.render import render

    video, _ = render(scene, size, size, states=simulate(scene, frames))
    return video.numpy()


# -- as JSON -----------------------------------------------------------------------------------------------------------


def scene_to_dict(scene: Scene) -> dict[str, Any]:
    """A JSON-ready dictionary of everything that determines the clip."""
    return asdict(scene)


def scene_from_dict(value: Any, source: str) -> Scene:
    """The inverse of `scene_to_dict`.

    Raises:
        UsageError: `source: what was wrong`.
    """
    try:
        camera = value["camera"]
        return Scene(
            things=tuple(Thing(**thing) for thing in value["things"]),
            instances=tuple(Instance(**instance) for instance in value["instances"]),
            actions=tuple(
                Action(a["thing"], a["motion"], (a["interval"][0], a["interval"][1]), a["value"], a["amount"])
                for a in value["actions"]
            ),
            relations=tuple((i, label, j) for i, label, j in value["relations"]),
            setting=value["setting"],
            light=value["light"],
            camera=Camera(tuple(camera["position"]), tuple(camera["target"]), camera["tangent"]),
            light_jitter=(value["light_jitter"][0], value["light_jitter"][1]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"{source}: scene: expected a scene of the world; {error!r}") from None
