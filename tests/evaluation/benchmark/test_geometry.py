"""Boxes are carried back to the table."""

from __future__ import annotations

import numpy as np
import pytest

from mov_ai.evaluation.benchmark.geometry import floor_places, radii
from mov_ai.worlds.tabletop.scene import EXTENT, RADIUS, Instance, Thing, boxes, simulate
from tools.benchmark.arrange import scene_of


@pytest.mark.parametrize("shape", list(EXTENT))
@pytest.mark.parametrize("size", list(RADIUS))
def test_places_and_sizes_are_recovered(shape: str, size: str) -> None:
    for x, z in [(-1.5, -1.5), (0.0, 0.0), (1.5, 1.5), (1.0, -1.0)]:
        for yaw in (0.1, 0.6, 1.1):
            scene = scene_of([Thing(shape, "red", size, "matte")], [], [Instance(0, x, z, 0.0, yaw)])
            box = boxes(scene, simulate(scene, 1))[0, 0, :4]
            np.testing.assert_allclose(floor_places(box, shape), [x, z], atol=0.25)
            assert radii(box, shape) == pytest.approx(RADIUS[size], rel=0.15)


def test_what_is_not_seen_is_nowhere() -> None:
    assert np.isnan(floor_places(np.full((3, 4), np.nan), "cube")).all()
