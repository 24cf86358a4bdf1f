"""Staged scenes by number: a caption, the graph that it means, and boxes that show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.captions.caption import SPLITS, Caption, Mention
from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.stage.staging import FRAMES, stage
from mov_ai.worlds.stage.wording import stage_caption


@dataclass(frozen=True)
class StagedScene:
    """One scene.

    Attributes:
        caption: text, gold graph and mentions; its pattern is the kind of scene, of `scenes.yaml`.
        layout: gold box tracks in a square frame, one for each instance of each entity that is not negated.
    """

    seed: int
    split: str
    caption: Caption
    layout: Layout


def sample_scene(seed: int, split: str = "train", kind: str | None = None, frames: int = FRAMES) -> StagedScene:
    """Scene `seed` of a split, the same on every machine.

    Args:
        split: "train", "validation" or "test"; they share no scenes. Raises ValueError for another.
        kind: one of `wording.scene_templates`; drawn if None.
        frames: 2 to 1024.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}; found {split!r}")
    attempt = 0
    while True:
        rng = np.random.Generator(np.random.PCG64([61 + SPLITS.index(split), seed, attempt]))
        caption = stage_caption(rng, kind)
        layout = stage(caption.graph, rng, frames, is_strict=True)
        if layout is not None:
            return StagedScene(seed, split, caption, layout)
        attempt += 1


class StagedCaptions:
    """The captions of staged scenes, for what reads `mov_ai.captions.caption.CaptionSource`."""

    def __init__(self, split: str = "train") -> None:
        self.split = split

    def caption(self, index: int) -> tuple[str, SceneGraph, tuple[Mention, ...]]:
        """Caption `index`, that of scene `index`."""
        caption = sample_scene(index, self.split).caption
        return caption.text, caption.graph, caption.mentions
