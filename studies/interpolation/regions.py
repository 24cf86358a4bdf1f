"""Which pixels of the frames between keyframes are hard to find, and why: from the world's own states and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.graph.time import change_time, frame_times
from mov_ai.models.interpolation import BETWEEN
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import Scene, boxes, sample_scene, simulate, split_seed

#: Frames that there are states of in the two seconds of a clip; the first 61 are 16 keyframes and what is between.
MOMENTS, KEYFRAMES = 64, 16
#: A thing that goes farther than this from keyframe to keyframe, as a share of the frame's side, moves a lot: at 128
#: pixels, half a cell of the latents.
FAR = 1 / 32
#: Regions in the order of the table.
OBJECTS, STILL, NEAR, LARGE, OCCLUSION, UNCOVERED, SUDDEN = (
    "objects",
    "objects that stand still",
    "small displacement",
    "large displacement",
    "occlusion between objects",
    "floor covered or uncovered",
    "sudden change",
)
_SUDDEN = ("turn", "vanish", "appear")


@dataclass(frozen=True)
class TrueClip:
    """A clip at 32 frames a second.

    Attributes:
        video: uint8 (61, size, size, 3).
        regions: name -> (45, size, size) bool, of the frames between keyframes in order.
    """

    video: np.ndarray
    regions: dict[str, np.ndarray]


def true_clip(seed: int, split: str, size: int) -> TrueClip:
    """Clip `seed` of a split, rendered in all its frames, and where in those between keyframes is what."""
    scene = sample_scene(split_seed(split, seed), split)
    states = simulate(scene, MOMENTS)
    count = (KEYFRAMES - 1) * (BETWEEN + 1) + 1
    video, masks = render(scene, size, size, frames=np.arange(count), states=states)
    return TrueClip(video.numpy(), _regions(scene, boxes(scene, states)[:, :count], masks.numpy()))


def _regions(scene: Scene, tracks: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """The regions of the frames between keyframes.

    Args:
        tracks: (K, frames, 6) boxes.
        masks: (frames, size, size): 0 the floor, k + 1 thing k.
    """
    step = BETWEEN + 1
    pairs = (len(masks) - 1) // step
    names = (OBJECTS, STILL, NEAR, LARGE, OCCLUSION, UNCOVERED, SUDDEN)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for pair in range(pairs):
        first, last = pair * step, (pair + 1) * step
        during = tracks[:, first : last + 1]
        way = np.linalg.norm(during[:, -1, :2] - during[:, 0, :2], axis=-1)
        moves = (np.ptp(during[..., :4], axis=1) > 1e-4).any(-1)
        sudden = _changes_suddenly(scene, first, last)
        meets = _meets(during, moves)
        for frame in range(first + 1, last):
            mask = masks[frame]
            is_of = {
                OBJECTS: np.ones(len(tracks), dtype=bool),
                STILL: ~moves & ~sudden,
                NEAR: moves & (way <= FAR) & ~sudden,
                LARGE: (way > FAR) & ~sudden,
                OCCLUSION: meets & ~sudden,
                SUDDEN: sudden,
            }
            for name, chosen in is_of.items():
                found[name].append(np.concatenate([[False], chosen])[mask])
            covered = (masks[first] > 0).astype(int) + (masks[last] > 0)
            found[UNCOVERED].append((mask == 0) & (covered == 1))
    return {name: np.stack(frames) for name, frames in found.items()}


def _changes_suddenly(scene: Scene, first: int, last: int) -> np.ndarray:
    """Which things turn, vanish or appear between two frames: no keyframe tells when; (K,) bool."""
    times = frame_times(MOMENTS)
    things = {
        action.thing
        for action in scene.actions
        if action.motion in _SUDDEN and times[first] < change_time(action.interval) <= times[last]
    }
    return np.array([instance.thing in things for instance in scene.instances])


def _meets(during: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Which things' boxes overlap another's in some frame, one of the two moving; (K,) bool."""
    low, high = during[..., :2] - during[..., 2:4] / 2, during[..., :2] + during[..., 2:4] / 2
    is_there = during[..., 5] > 0
    result = np.zeros(len(during), dtype=bool)
    for i in range(len(during)):
        for j in range(i):
            shared = np.minimum(high[i], high[j]) - np.maximum(low[i], low[j])
            overlap = (shared > 0).all(-1) & is_there[i] & is_there[j]
            if overlap.any() and (moves[i] or moves[j]):
                result[i] = result[j] = True
    return result
