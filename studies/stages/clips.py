"""Clips of the world with all that is known of them, which stages are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from mov_ai.captions.caption import SPLITS
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.hydra_entry import build, config_directory
from mov_ai.worlds.tabletop.completion import gold_graph
from mov_ai.worlds.tabletop.variation import PLAIN, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, sample_clip

#: Names of variations -> files of `conf/data`; the first varies nothing.
VARIATIONS = {"plain": "tabletop", "varied": "tabletop_varied"}


def named_variation(name: str) -> WorldVariation:
    """The variation that `conf/data` has under that name. Raises UsageError if there is none."""
    if name not in VARIATIONS:
        raise UsageError(f"--variation: expected one of {', '.join(VARIATIONS)}; found {name!r}")
    settings = OmegaConf.load(Path(config_directory()) / "data" / f"{VARIATIONS[name]}.yaml")
    return build(settings.variation, "variation") if "variation" in settings else PLAIN


@dataclass(frozen=True)
class GoldClip:
    """A clip's graph, completed with what it shows, and its boxes; frames are rendered when they are asked for.

    Attributes:
        seed, split, variation: of the world.
    """

    seed: int
    split: str
    variation: WorldVariation
    graph: SceneGraph
    layout: Layout

    def render(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames uint8 (F, size, size, 3) and masks (F, size, size): 0 background, k + 1 instance k."""
        clip = sample_clip(self.seed, self.split, size, variation=self.variation)
        return clip.video.numpy(), clip.masks.numpy()


def gold_clips(number: int, split: str, variation: str) -> list[GoldClip]:
    """Clips 0, 1, ... of a split. Raises UsageError if one of the three is out of range."""
    if number < 1:
        raise UsageError(f"--clips: expected 1 or more; found {number}")
    if split not in SPLITS:
        raise UsageError(f"--split: expected one of {', '.join(SPLITS)}; found {split!r}")
    chosen, clips = named_variation(variation), []
    for seed in range(number):
        scene, caption, layout = caption_and_layout(seed, split, chosen)
        clips.append(GoldClip(seed, split, chosen, gold_graph(caption.graph, scene, caption.things), layout))
    return clips
