import hashlib
import json

import numpy as np
import pytest

from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS
from mov_ai.worlds.tabletop.scene import sample_scene, split_seed
from mov_ai.worlds.tabletop.world import caption_and_layout, sample_clip, save_clip


def digest(clip) -> str:
    return hashlib.sha256(clip.video.numpy().tobytes() + clip.masks.numpy().tobytes()).hexdigest()


def test_the_same_seed_gives_the_same_clip():
    first, second = sample_clip(7, size=64), sample_clip(7, size=64)
    assert digest(first) == digest(second)
    assert first.caption.text == second.caption.text
    assert digest(first) != digest(sample_clip(8, size=64))
    assert first.caption.text == caption_and_layout(7)[1].text


@pytest.mark.parametrize("seed", range(4))
def test_tracks_name_the_graphs_entities(seed):
    scene, caption, layout = caption_and_layout(seed, "test")
    caption.graph.validate()
    assert layout.complete
    assert len(layout.tracks) == len(scene.instances)
    for node_id, thing in zip(caption.things, scene.things, strict=True):
        assert caption.graph.node(node_id).count == thing.count
        assert all(layout.track(node_id, i) is not None for i in range(thing.count))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_contain_the_pixels_of_their_objects(seed):
    size = 96
    clip = sample_clip(seed, "test", size=size)
    for k, track in enumerate(clip.layout.tracks):
        for f, (x, y, w, h, _, visibility) in enumerate(track.boxes):
            rows, columns = np.nonzero(clip.masks[f].numpy() == k + 1)
            if visibility == 0:
                assert rows.size == 0
            if rows.size == 0:
                continue
            slack = 1.5
            assert columns.min() + 0.5 >= (x - w / 2) * size - slack
            assert columns.max() + 0.5 <= (x + w / 2) * size + slack
            assert rows.min() + 0.5 >= (y - h / 2) * size - slack
            assert rows.max() + 0.5 <= (y + h / 2) * size + slack


def pairs(split: str, seed: int) -> set[tuple[str, str]]:
    scene = sample_scene(split_seed(split, seed), split)
    turned = {(scene.things[a.thing].shape, a.value) for a in scene.actions if a.motion == "turn"}
    return {(t.shape, t.color) for t in scene.things} | turned


def test_held_out_pairs_are_in_every_test_scene_and_in_no_other():
    for seed in range(80):
        assert not pairs("train", seed) & HELD_OUT_PAIRS
        assert not pairs("validation", seed) & HELD_OUT_PAIRS
        assert pairs("test", seed) & HELD_OUT_PAIRS


def test_every_motion_shows_in_the_boxes():
    seen = set()
    for seed in range(120):
        scene, caption, layout = caption_and_layout(seed)
        for action in scene.actions:
            track = layout.track(caption.things[action.thing])
            assert track is not None
            first, last = round(action.interval[0] * 16), round(action.interval[1] * 16)
            boxes = track.boxes[first:last].astype(float)
            change = boxes[-1] - boxes[0]
            match action.motion:
                case "left":
                    assert change[0] < -0.1
                case "right":
                    assert change[0] > 0.1
                case "toward":
                    assert change[4] < -0.4
                    assert change[1] > 0.03
                case "away":
                    assert change[4] > 0.4
                    assert change[1] < -0.03
                case "rise":
                    assert change[1] < -0.05
                case "fall":
                    assert change[1] > 0.05
                case "jump":
                    assert boxes[:, 1].min() < boxes[0, 1] - 0.04
                case "grow":
                    assert boxes[-1, 2] > boxes[0, 2] * 1.2
                case "shrink":
                    assert boxes[-1, 2] < boxes[0, 2] * 0.85
                case "vanish":
                    assert track.boxes[-1, 5] == 0
                case "appear":
                    assert track.boxes[0, 5] == 0
                    assert boxes[-1, 5] > 0
                case _:
                    assert np.abs(change[:4]).max() < 0.05
            seen.add(action.motion)
    assert len(seen) == 14


def test_a_clip_is_saved_as_files_that_read_back(tmp_path):
    pytest.importorskip("mov_ai.data.video")
    clip = sample_clip(3, size=32)
    save_clip(clip, tmp_path / "clip")
    assert SceneGraph.load(tmp_path / "clip" / "graph.json") == clip.caption.graph
    assert Layout.load(tmp_path / "clip" / "layout.json").frames == 16
    assert json.loads((tmp_path / "clip" / "clip.json").read_text())["caption"] == clip.caption.text
    for name in ("video.mp4", "masks.png", "sheet.png"):
        assert (tmp_path / "clip" / name).stat().st_size > 0
