"""Which variation a clip shows, drawn from its seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mov_ai.captions.caption import SPLITS, Caption
from mov_ai.worlds.tabletop.crowds import sample_crowd
from mov_ai.worlds.tabletop.meetings import sample_meeting
from mov_ai.worlds.tabletop.moving_view import with_camera_move, with_light_change
from mov_ai.worlds.tabletop.scene import Scene, sample_scene, split_seed
from mov_ai.worlds.tabletop.variation import WorldVariation, varied
from mov_ai.worlds.tabletop.varied_captions import describe_varied

#: Keeps the draws of variations apart from those of plain clips.
_STREAM = 13


def varied_scene(seed: int, split: str, variation: WorldVariation) -> tuple[Scene, Caption]:
    """The scene of clip `seed` under a variation, and its caption; what is not varied is as in the plain clip."""
    rng = np.random.Generator(np.random.PCG64([SPLITS.index(split), seed, _STREAM]))
    # Drawn in any case, so that one share says nothing about what the others vary.
    kind, camera, light = rng.random(3)
    words = rng
    scene: Scene
    if kind < variation.interactions:
        scene = sample_meeting(rng, split)
    elif kind < variation.interactions + variation.crowds:
        scene = sample_crowd(rng, split)
    else:
        words = split_seed(split, seed)
        scene = sample_scene(words, split)
    if camera < variation.camera_moves:
        scene = with_camera_move(varied(scene), rng)
    if light < variation.light_changes:
        scene = with_light_change(varied(scene), rng)
    if variation.soft_shadows:
        scene = replace(varied(scene), soft_shadows=True)
    return scene, describe_varied(scene, words, split)
