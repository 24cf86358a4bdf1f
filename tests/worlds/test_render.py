import numpy as np
import pytest
import torch

from mov_ai.worlds.tabletop.lexicon import RGB
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import Scene, sample_scene, simulate, split_seed


def scene_of(seed: int, split: str = "train") -> Scene:
    return sample_scene(split_seed(split, seed), split)


def nearest_color(pixels: np.ndarray) -> str:
    """The named colour whose direction in linear RGB is nearest to the pixels' median; pixels (N, 3) uint8."""
    linear = np.median((pixels / 255.0) ** 2.2, axis=0)
    linear = linear / np.linalg.norm(linear)
    return max(RGB, key=lambda name: float(linear @ (np.array(RGB[name]) / np.linalg.norm(RGB[name]))))


@pytest.mark.parametrize("seed", range(5))
def test_lit_pixels_have_the_objects_colour(seed):
    scene = scene_of(seed)
    states = simulate(scene)
    video, masks = render(scene, 96, 96, frames=np.array([0]), states=states)
    for k, instance in enumerate(scene.instances):
        pixels = video[0].numpy()[masks[0].numpy() == k + 1]
        if len(pixels) < 40:
            continue
        bright = pixels[pixels.sum(1) >= np.quantile(pixels.sum(1), 0.4)]
        assert nearest_color(bright) == scene.things[instance.thing].color


def test_a_crop_equals_the_same_window_of_the_whole_frame():
    scene = scene_of(11)
    video, masks = render(scene, 80, 80)
    part, part_masks = render(scene, 80, 80, crop=(16, 24, 40, 48))
    # Arithmetic may be ordered differently for another shape: allow one level of rounding.
    difference = (video[:, 16:56, 24:72].int() - part.int()).abs()
    assert difference.max() <= 1
    assert torch.equal(masks[:, 16:56, 24:72], part_masks)


def test_frames_can_be_picked():
    scene = scene_of(12)
    video, _ = render(scene, 48, 48)
    picked, _ = render(scene, 48, 48, frames=np.array([3, 9]))
    assert torch.equal(video[[3, 9]], picked)


@pytest.mark.parametrize("seed", [0, 4, 9])
def test_masks_number_the_instances(seed):
    scene = scene_of(seed)
    states = simulate(scene)
    video, masks = render(scene, 64, 64, states=states)
    assert video.shape == (16, 64, 64, 3)
    assert video.dtype == masks.dtype == torch.uint8
    for f in range(16):
        shown = set(masks[f].unique().tolist()) - {0}
        assert shown <= {k + 1 for k in range(len(scene.instances)) if states.visible[f, k]}
        assert shown
