from dataclasses import replace

import numpy as np
import torch

from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import Action, Camera, Instance, Scene, Thing
from mov_ai.worlds.tabletop.variation import varied

CAMERA = Camera((0.0, 3.3, -6.2), (0.0, 0.62, 0.0), 0.37)


def floor_image(shape: str, height: float, soft: bool, light: str = "left") -> tuple[np.ndarray, np.ndarray]:
    """Green of one frame (96, 96) with a thing at a height, and where the thing is not."""
    scene = Scene(
        (Thing(shape, "red", "large", "matte"),),
        (Instance(0, -0.3, 0.0, height, 0.6),),
        (Action(0, "stay", (0.0, 1.0)),),
        (),
        "floor",
        light,
        CAMERA,
        (0.0, 0.0),
    )
    video, masks = render(replace(varied(scene), soft_shadows=soft), 96, 96, frames=np.array([0]))
    return video[0, ..., 1].numpy().astype(float), masks[0].numpy() == 0


def test_soft_shadows_lie_where_hard_ones_do():
    for shape in ("sphere", "cube", "cylinder", "cone"):
        for height in (0.0, 0.8):
            hard, floor = floor_image(shape, height, False)
            soft, _ = floor_image(shape, height, True)
            shadow = (hard < 160) & floor & (np.arange(96)[:, None] > 45)
            assert shadow.sum() > 12
            lit = (hard > 170) & floor & (np.arange(96)[:, None] > 45)
            assert soft[shadow].mean() < soft[lit].mean() - 20
            # The middle of the shadow is dark, and far from it nothing is.
            assert np.quantile(soft[shadow], 0.2) < hard[shadow].mean() + 12
            assert np.quantile(np.abs(soft - hard)[lit], 0.5) < 6


def test_the_edge_is_softer_the_higher_the_thing_is():
    def steepest(height: float) -> float:
        image, floor = floor_image("sphere", height, True)
        steps = np.abs(np.diff(image, axis=1)) * (floor[:, 1:] & floor[:, :-1])
        return float(steps[55:].max())

    assert steepest(1.4) < 0.7 * steepest(0.2)


def test_shadows_stay_off_what_is_absent_and_off_the_thing_itself():
    torch.manual_seed(0)
    scene = Scene(
        (Thing("sphere", "red", "large", "matte"),),
        (Instance(0, 0.0, 0.0, 0.0, 0.0),),
        (Action(0, "vanish", (0.5, 1.0)),),
        (),
        "floor",
        "left",
        CAMERA,
        (0.0, 0.0),
    )
    soft, _ = render(replace(varied(scene), soft_shadows=True), 48, 48)
    hard, masks = render(scene, 48, 48)
    assert torch.equal(soft[12], hard[12])
    on_it = masks[0] == 1
    assert (soft[0].int() - hard[0].int())[on_it].abs().float().mean() < 3
