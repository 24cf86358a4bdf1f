from functools import cache

import numpy as np
import pytest

from mov_ai.graph.time import frame_times
from mov_ai.worlds.tabletop.meetings import GAP, KINDS, contact_distance, sample_meeting, top
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import States, boxes, simulate
from mov_ai.worlds.tabletop.variation import Meeting, VariedScene
from mov_ai.worlds.tabletop.varied_captions import describe_varied


@cache
def scenes(kind: str) -> tuple[VariedScene, ...]:
    """A few scenes with a meeting of a kind."""
    drawn = (sample_meeting(np.random.default_rng([3, seed]), "train") for seed in range(90))
    return tuple(scene for scene in drawn if scene.meeting is not None and scene.meeting.kind == kind)[:6]


def met(scene: VariedScene) -> Meeting:
    assert scene.meeting is not None
    return scene.meeting


def offset(states: States) -> np.ndarray:
    """Patient less agent, (F, 3)."""
    return states.position[:, 1] - states.position[:, 0]


def test_what_is_pushed_moves_from_the_first_contact_on_and_stays_in_touch():
    late = 0
    for scene in scenes("push"):
        meeting, states = met(scene), simulate(scene, 64)
        time = frame_times(64)
        before = time <= meeting.contact
        late += int(before.any() and meeting.contact > meeting.interval[0])
        patient = states.position[:, 1]
        assert np.ptp(patient[before], axis=0).max(initial=0) == 0 if before.any() else True
        pushing = (time > meeting.contact) & (time < meeting.interval[1])
        touch = contact_distance(scene.things[0], scene.instances[0].yaw, scene.things[1], scene.instances[1].yaw)
        sign = 1 if meeting.way == "right" else -1
        apart = sign * offset(states)[:, 0]
        np.testing.assert_allclose(apart[pushing], touch + GAP, atol=0.01)
        # Nearer than that they never are.
        assert apart.min() >= touch + GAP - 0.01
        assert sign * (patient[-1, 0] - patient[0, 0]) > 0.4
    assert late


@pytest.mark.parametrize("kind", ["carry", "pull"])
def test_what_is_carried_or_pulled_keeps_its_place_on_the_other(kind):
    for scene in scenes(kind):
        states = simulate(scene)
        np.testing.assert_allclose(offset(states) - offset(states)[0], 0, atol=1e-3)
        assert np.ptp(states.position[:, 1, 0]) > 0.8
        if kind == "carry":
            np.testing.assert_allclose(offset(states)[0], [0, top(scene.things[0]), 0], atol=1e-6)


def test_what_falls_onto_a_thing_comes_to_rest_on_it():
    for scene in scenes("fall onto"):
        meeting, states = met(scene), simulate(scene)
        height = states.position[:, 0, 1] - top(scene.things[1])
        fallen = frame_times(16) >= meeting.contact
        assert height[0] > 0.3
        assert fallen.any()
        np.testing.assert_allclose(height[fallen], 0, atol=1e-6)
        assert (np.diff(height) <= 1e-9).all()
        np.testing.assert_allclose(offset(states)[:, [0, 2]], 0, atol=1e-9)


def test_what_jumps_over_a_thing_is_above_it_where_they_cross():
    for scene in scenes("jump over"):
        states = simulate(scene, 128)
        x, y, _ = offset(states).T
        assert x[0] * x[-1] < 0
        crossing = np.abs(x) < 0.1
        assert (-y[crossing] > top(scene.things[1])).all()
        assert states.position[[0, -1], 0, 1].max() < 0.1


def test_what_passes_hides_or_is_hidden_as_its_depth_says():
    for scene in scenes("pass"):
        meeting, states = met(scene), simulate(scene)
        far, near = (0, 1) if meeting.side == "behind" else (1, 0)
        depth = boxes(scene, states)[:, :, 4]
        assert (depth[far] > depth[near]).all()
        _, masks = render(scene, 48, 48, states=states)
        pixels = np.array([[(masks[f] == k + 1).sum() for f in range(16)] for k in (0, 1)], dtype=float)
        whole = pixels.max(1)
        assert pixels[far].min() < 0.45 * whole[far]
        assert pixels[near].min() > 0.6 * whole[near]


def test_a_meetings_graph_says_who_does_what_to_whom():
    for kind in KINDS:
        for scene in scenes(kind):
            meeting = met(scene)
            for seed in range(12):
                caption = describe_varied(scene, np.random.default_rng(seed), "train")
                graph = caption.graph
                graph.validate()
                assert len(caption.things) == len(scene.things)
                agent, patient = caption.things[meeting.agent], caption.things[meeting.patient]
                events = [event for event in graph.of_type("event") if event.interval == meeting.interval]
                assert len(events) == 1
                roles = {(e.type, e.target) for e in graph.edges_from(events[0].id)}
                spatial = {(e.source, e.label, e.target): e.interval for e in graph.edges if e.type == "spatial"}
                if kind in ("push", "pull"):
                    assert roles == {("agent", agent), ("patient", patient)} | {r for r in roles if r[0] == "temporal"}
                elif kind == "carry":
                    assert (patient, "on", agent) in spatial or ("patient", patient) in roles
                    assert events[0].direction in (meeting.way, None)
                elif kind == "pass":
                    assert spatial == {(agent, meeting.side, patient): (0.0, 1.0)}
                    assert ("agent", agent) in roles
                elif kind == "fall onto":
                    assert {("agent", agent), ("location", patient)} <= roles
                    assert all(when == (meeting.contact, 1.0) for when in spatial.values())
                else:
                    assert {("agent", agent), ("location", patient)} <= roles
                if events[0].direction in ("left", "right"):
                    assert events[0].direction == meeting.way


def test_captions_of_one_meeting_are_worded_in_many_ways():
    scene = scenes("push")[0]
    texts = {describe_varied(scene, np.random.default_rng(seed), "train").text for seed in range(40)}
    assert len(texts) > 35
