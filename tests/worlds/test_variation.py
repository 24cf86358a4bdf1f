import hashlib
import json

import numpy as np
import pytest
import torch

from mov_ai.captions.caption import SPLITS
from mov_ai.errors import UsageError
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import simulate
from mov_ai.worlds.tabletop.variation import PLAIN, VariedScene, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, sample_clip

#: Of twenty clips, as they were before clips could be varied: sha256 of states, caption with graph, and layout; and of
#: one frame the sum of its pixels, each times a weight, which a pixel that is a level off elsewhere does not move far.
DIGEST = "9ec6258604bd888442b3ac9fa78cdec61752b207e5f8b7cb92e7556c17536865"
FRAME_SUMS = [
    7095.0,
    -3110.4,
    -4045.1,
    -3021.7,
    -171.7,
    -4918.7,
    -1060.0,
    -1521.1,
    -7508.5,
    4983.4,
    418.9,
    -7169.9,
    -2208.9,
    63.6,
    -2901.4,
    -2118.1,
    -7398.0,
    1304.2,
    -6153.2,
    -378.3,
]

LIVELY = WorldVariation(interactions=0.4, crowds=0.2, soft_shadows=True, camera_moves=0.3, light_changes=0.3)


def test_without_a_variation_clips_are_as_they_always_were():
    digest = hashlib.sha256()
    weights = np.random.default_rng(0).standard_normal((48, 48, 3))
    sums = []
    for seed in range(20):
        scene, caption, layout = caption_and_layout(seed, SPLITS[seed % 3])
        assert not isinstance(scene, VariedScene)
        states = simulate(scene)
        for values in (states.position, states.radius, states.yaw, states.color, states.visible):
            # Without the last bits, which sines may have of their own on another machine.
            digest.update((np.round(values.astype(float), 9) + 0.0).tobytes())
        boxes = [[track.entity, np.round(track.boxes.astype(float), 4).tolist()] for track in layout.tracks]
        digest.update(json.dumps([caption.text, caption.graph.to_dict(), boxes]).encode())
        video, masks = render(scene, 48, 48, frames=np.array([9]), states=states)
        sums.append(float((video[0].numpy() * weights).sum() + 100 * (masks[0].numpy() * weights[..., 0]).sum()))
    assert digest.hexdigest() == DIGEST
    np.testing.assert_allclose(sums, FRAME_SUMS, atol=15)


def test_what_is_not_varied_is_as_in_the_plain_clip():
    only_shadows = WorldVariation(soft_shadows=True)
    for seed in range(4):
        _, caption, layout = caption_and_layout(seed, "train")
        _, varied_caption, varied_layout = caption_and_layout(seed, "train", only_shadows)
        assert varied_caption == caption
        assert varied_layout.to_dict() == layout.to_dict()


def test_a_varied_clip_is_the_same_every_time():
    first, second = (sample_clip(3, size=32, variation=LIVELY) for _ in range(2))
    assert torch.equal(first.video, second.video)
    assert first.caption == second.caption


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"interactions": 1.5}, "variation.interactions: expected a share from 0 to 1; found 1.5"),
        ({"camera_moves": True}, "variation.camera_moves: expected a share from 0 to 1; found True"),
        ({"soft_shadows": 1}, "variation.soft_shadows: expected true or false; found 1"),
        ({"interactions": 0.6, "crowds": 0.6}, "variation: expected interactions [+] crowds of at most 1; found 1.2"),
    ],
)
def test_shares_that_make_no_sense_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        WorldVariation(**values)


def test_each_variation_has_a_name_of_its_own():
    assert PLAIN.name == ""
    assert WorldVariation(crowds=0.5).name != WorldVariation(interactions=0.5).name != ""


@pytest.mark.parametrize("seed", range(8))
def test_boxes_contain_the_pixels_of_their_objects(seed):
    size = 64
    clip = sample_clip(seed, "train", size, variation=WorldVariation(0.5, 0.5, True, 0.5, 0.5))
    clip.caption.graph.validate()
    assert len(clip.layout.tracks) == sum(thing.count for thing in clip.scene.things)
    for k, track in enumerate(clip.layout.tracks):
        for f, (x, y, w, h, _, visibility) in enumerate(track.boxes):
            rows, columns = np.nonzero(clip.masks[f].numpy() == k + 1)
            if rows.size == 0:
                continue
            assert visibility > 0
            assert columns.min() + 0.5 >= (x - w / 2) * size - 1.5
            assert columns.max() + 0.5 <= (x + w / 2) * size + 1.5
            assert rows.min() + 0.5 >= (y - h / 2) * size - 1.5
            assert rows.max() + 0.5 <= (y + h / 2) * size + 1.5


@pytest.mark.parametrize("variation", [WorldVariation(interactions=1.0), WorldVariation(crowds=1.0)])
def test_held_out_pairs_are_in_every_varied_test_scene_and_in_no_other(variation):
    for seed in range(10):
        for split in SPLITS:
            scene, _, _ = caption_and_layout(seed, split, variation)
            shown = {(thing.shape, thing.color) for thing in scene.things}
            turned = {(scene.things[a.thing].shape, a.value) for a in scene.actions if a.motion == "turn"}
            if split == "test":
                assert shown & HELD_OUT_PAIRS
            else:
                assert not (shown | turned) & HELD_OUT_PAIRS
