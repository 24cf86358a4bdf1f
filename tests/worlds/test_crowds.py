import numpy as np
import pytest

from mov_ai.worlds.tabletop.crowds import COUNTS, sample_crowd
from mov_ai.worlds.tabletop.grammar import describe
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import simulate


@pytest.mark.parametrize("seed", range(10))
def test_as_many_are_seen_as_are_said(seed):
    rng = np.random.default_rng(seed)
    scene = sample_crowd(rng, "train")
    count = scene.things[0].count
    assert count in COUNTS
    assert len(scene.instances) == sum(thing.count for thing in scene.things)
    states = simulate(scene)
    caption = describe(scene, rng, "train")
    assert caption.graph.node(caption.things[0]).count == count
    _, masks = render(scene, 64, 64, frames=np.array([0, 15]), states=states)
    for shown, frame in zip(masks, (0, 15), strict=True):
        # Whoever is there is to be seen, and is not in anybody else.
        assert set(shown.unique().tolist()) - {0} == {k + 1 for k in np.flatnonzero(states.visible[frame])}
    for i in range(len(scene.instances)):
        for j in range(i):
            gap = np.linalg.norm(states.position[:, i] - states.position[:, j], axis=-1)
            assert (gap > states.radius[:, i] + states.radius[:, j]).all()


def test_every_count_is_drawn_and_said_in_words():
    counts = {sample_crowd(np.random.default_rng(seed), "train").things[0].count for seed in range(12)}
    assert counts == set(COUNTS)
