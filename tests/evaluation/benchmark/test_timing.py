"""Motions are found when they happen, whenever they should have happened."""

from __future__ import annotations

import numpy as np
import pytest

from mov_ai.evaluation.benchmark.timing import happens, switched
from mov_ai.evaluation.checker_tracks import Track
from mov_ai.worlds.tabletop.lexicon import RGB
from mov_ai.worlds.tabletop.metric_labels import COLOR_NAMES, SHAPE_NAMES
from mov_ai.worlds.tabletop.scene import Action, Instance, Thing, boxes, simulate
from tools.benchmark.arrange import scene_of

AMOUNTS = {"left": 1.6, "right": 1.6, "toward": 1.5, "away": 1.5, "jump": 0.9, "rise": 1.2, "fall": 1.2, "spin": 3.6}
MOTIONS = (*AMOUNTS, "grow", "shrink", "vanish", "appear")


def perfect_track(motion: str, interval: tuple[float, float], frames: int = 16) -> Track:
    """What a checker without mistakes would see of a cube."""
    thing = Thing("cube", "red", "small", "matte")
    height = AMOUNTS["fall"] if motion == "fall" else 0.0
    action = Action(0, motion, interval, None, AMOUNTS.get(motion, 0.0))
    scene = scene_of([thing], [action], [Instance(0, 0.2, 0.0, height, 0.5)])
    states = simulate(scene, frames)
    track = Track.empty(frames)
    seen = states.visible[:, 0]
    box = boxes(scene, states)[0, :, :4]
    track.boxes[seen] = box[seen]
    track.cells[seen] = 100
    track.shape[seen] = np.eye(len(SHAPE_NAMES))[SHAPE_NAMES.index("cube")]
    track.color[seen] = np.eye(len(RGB))[COLOR_NAMES.index("red")]
    eye = scene.camera.position
    sight = np.arctan2(states.position[:, 0, 0] - eye[0], states.position[:, 0, 2] - eye[2])
    angles = 4 * (states.yaw[:, 0] - sight)
    track.turn[seen] = np.stack([np.cos(angles), np.sin(angles)], -1)[seen]
    return track


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("third", [0, 1, 2])
def test_a_motion_is_found_when_it_happens(motion: str, third: int) -> None:
    interval = (third / 3, (third + 1) / 3)
    found = happens(motion, perfect_track(motion, interval), (1 / 3, 2 / 3))
    assert found is not None
    # Sudden changes happen at the start of their interval; of the first, in its middle.
    sudden = motion in ("vanish", "appear")
    expected = (interval[0] if third else 1 / 6) if sudden else sum(interval) / 2
    # What falls gets faster, so most of the way is done late.
    assert found.middle == pytest.approx(expected, abs=0.1 if motion == "fall" else 0.07)
    assert found.start <= found.end


@pytest.mark.parametrize("motion", MOTIONS)
def test_what_does_not_happen_is_not_found(motion: str) -> None:
    track = perfect_track("stay", (0.0, 1.0))
    assert happens(motion, track, (0.0, 1.0)) is None
    assert happens(motion, Track.empty(16), (0.0, 1.0)) is None


@pytest.mark.parametrize(
    ("motion", "other"), [("left", "right"), ("toward", "away"), ("rise", "fall"), ("grow", "shrink")]
)
def test_a_motion_is_not_its_opposite(motion: str, other: str) -> None:
    track = perfect_track(motion, (0.0, 0.5))
    assert happens(motion, track, (0.0, 0.5)) is not None
    assert happens(other, track, (0.0, 0.5)) is None


def test_a_motion_that_takes_the_whole_video_has_its_middle_there() -> None:
    found = happens("left", perfect_track("left", (0.0, 1.0)), (0.0, 0.5))
    assert found is not None
    assert found.middle == pytest.approx(0.5, abs=0.05)
    assert found.end - found.start > 0.4


@pytest.mark.parametrize("frames", [6, 16, 48])
def test_comings_and_goings_are_told_apart(frames: int) -> None:
    gone = perfect_track("vanish", (0.0, 1.0), frames)
    there = switched(gone, off=True)
    assert there is not None
    assert there.middle == pytest.approx(0.5, abs=0.1)
    assert switched(gone, off=False) is None
    assert switched(perfect_track("stay", (0.0, 1.0), frames), off=True) is None
