from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mov_ai.worlds.tabletop.moving_view import CAMERA_MOVES, with_camera_move, with_light_change
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import sample_scene, simulate, split_seed
from mov_ai.worlds.tabletop.variation import VariedScene, seen_boxes, snapshot, varied
from mov_ai.worlds.tabletop.varied_captions import describe_varied


def still_scene(seed: int) -> VariedScene:
    """A scene in which nothing moves but the camera may."""
    scene = varied(sample_scene(split_seed("train", seed)))
    instances = tuple(replace(instance, y=0.0) for instance in scene.instances)
    return replace(scene, actions=(), instances=instances)


@cache
def moving() -> list[tuple[VariedScene, np.ndarray]]:
    """Still scenes under a camera that moves, each with its boxes (K, F, 6)."""
    scenes = [with_camera_move(still_scene(seed), np.random.default_rng(seed)) for seed in range(36)]
    return [(scene, seen_boxes(scene, simulate(scene))) for scene in scenes if scene.path is not None]


@pytest.mark.parametrize("label", CAMERA_MOVES)
def test_boxes_move_with_the_camera(label):
    drawn = [(scene, box) for scene, box in moving() if scene.path is not None and scene.path.label == label]
    assert drawn
    for scene, box in drawn:
        change = box[:, -1] - box[:, 0]
        steps = np.abs(np.diff(box[..., :2], axis=1)).max((0, 2))
        assert steps.max() < 0.06  # smoothly
        match label.split():
            case ["pan", way]:
                sign = -1 if way == "right" else 1
                assert (sign * change[:, 0] > 0.05).all()
                # All alike: nearer and farther things turn by the same angle.
                assert np.ptp(change[:, 0]) < 0.2 * np.abs(change[:, 0]).mean()
                # What nears the edge of the view is drawn out a little.
                assert np.abs(change[:, 2:4] / box[:, 0, 2:4]).max() < 0.15
            case ["zoom", way]:
                ratio = box[:, -1, 2:4] / box[:, 0, 2:4]
                assert (ratio > 1.2).all() if way == "in" else (ratio < 0.84).all()
                np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
            case ["orbit", way]:
                # From the right of the scene, what is far goes to the right as the camera goes on to the right.
                sign = 1 if way == "right" else -1
                far = [k for k, at in enumerate(scene.instances) if at.z > 0.8]
                assert all(sign * change[k, 0] > 0 for k in far)
        assert scene.path is not None
        first = np.flatnonzero((np.arange(16) + 0.5) / 16 <= scene.path.interval[0])
        assert all(np.allclose(box[:, f], box[:, 0]) for f in first)


def test_the_graph_says_what_the_camera_does_and_when():
    for seed in range(12):
        scene = with_camera_move(varied(sample_scene(split_seed("train", seed))), np.random.default_rng(seed))
        caption = describe_varied(scene, np.random.default_rng(seed), "train")
        node = caption.graph.of_type("scene")[0]
        caption.graph.validate()
        if scene.path is None:
            assert node.camera == ()
        else:
            assert [(move.label, move.interval) for move in node.camera] == [(scene.path.label, scene.path.interval)]
            assert "camera" in caption.text.lower()


def test_a_light_that_dims_or_brightens_changes_all_pixels_and_the_graph_says_so():
    checked = set()
    for seed in range(40):
        scene = with_light_change(still_scene(seed), np.random.default_rng(seed))
        if scene.light_change is None or scene.light_change in checked:
            continue
        checked.add(scene.light_change)
        caption = describe_varied(scene, np.random.default_rng(seed), "train")
        light = caption.graph.of_type("scene")[0].light
        assert light is not None
        assert light in caption.text.lower()
        video, _ = render(scene, 32, 32, frames=np.array([0, 8, 15]))
        first, middle, last = video.float().mean((1, 2, 3)).tolist()
        if scene.light_change == "dims":
            assert first > middle > last
        elif scene.light_change == "brightens":
            assert first < middle < last
        else:
            assert abs(first - last) < 12
            sides = [snapshot(scene, time).light_jitter[0] for time in (0.0, 1.0)]
            assert (sides[1] > sides[0]) == (scene.light_change == "moves right")
    assert len(checked) == 4
