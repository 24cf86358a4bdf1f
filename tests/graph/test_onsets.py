"""Events at given times: in order, what holds between them moves along, more and fewer onsets than events."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.onsets import Onsets, beginnings, timed
from mov_ai.graph.time import allen
from tests.strategies import scene_graphs


def _graph(*events: tuple[float, float], tie: str | None = None, more: list[Edge] | None = None) -> SceneGraph:
    nodes = [Node("s", "scene", "scene"), Node("b", "entity", "ball")]
    nodes += [Node("red", "attribute", "red"), Node("blue", "attribute", "blue")]
    nodes += [Node(f"e{i}", "event", "roll", interval=interval) for i, interval in enumerate(events)]
    edges = [Edge("s", node.id, "contains") for node in nodes if node.type in ("entity", "event")]
    edges += [Edge(f"e{i}", "b", "agent") for i in range(len(events))]
    if tie is not None:
        edges.append(Edge("e0", "e1", "temporal", tie))
    graph = SceneGraph("", nodes, edges + (more or []))
    graph.validate()
    return graph


def _onsets(*times: float, duration: float = 4.0, loud: tuple[float, ...] | None = None) -> Onsets:
    return Onsets(times, loud or tuple(-10.0 for _ in times), duration, "beat.wav")


def _intervals(graph: SceneGraph) -> list[tuple[float, float]]:
    return [node.interval for node in graph.of_type("event")]


def test_event_k_begins_at_onset_k_and_lasts_until_the_next() -> None:
    found = timed(_graph((0, 0.3), (0.3, 0.5), (0.5, 1)), _onsets(0.5, 1.0, 3.0))
    assert _intervals(found) == [(0.125, 0.25), (0.25, 0.75), (0.75, 1.0)]


def test_events_of_which_nothing_is_said_follow_one_another() -> None:
    found = timed(_graph((0, 1), (0, 1)), _onsets(1.0, 2.0))
    assert _intervals(found) == [(0.25, 0.5), (0.5, 1.0)]
    at_once = timed(_graph((0, 1), (0, 1), tie="equal"), _onsets(1.0, 2.0))
    assert _intervals(at_once) == [(0.25, 1.0), (0.25, 1.0)]


def test_of_more_onsets_the_loudest_count_in_their_order() -> None:
    found = timed(_graph((0, 0.5), (0.5, 1)), _onsets(0.4, 1.0, 2.0, 3.0, loud=(-40, -10, -30, -8)))
    assert [start for start, _ in _intervals(found)] == [0.25, 0.75]


def test_what_is_left_follows_the_last_onset() -> None:
    found = timed(_graph((0, 0.2), (0.2, 0.4), (0.4, 1)), _onsets(1.0))
    assert _intervals(found) == [(0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]


def test_states_that_change_count_and_change_with_their_event() -> None:
    held = [Edge("b", "red", "has_attribute", interval=(0, 0.5)), Edge("b", "blue", "has_attribute", interval=(0.5, 1))]
    after = timed(_graph((0, 0.5), more=held), _onsets(1.0, 3.0))
    assert _intervals(after) == [(0.25, 0.75)]
    assert [edge.interval for _, edge in after.attributes("b")] == [(0, 0.75), (0.75, 1)]
    # "The ball turns blue" lasts throughout, and the colour changes in its middle.
    turned = timed(_graph((0, 1), more=held), _onsets(1.0, 3.0))
    assert _intervals(turned) == [(0.25, 1.0)]
    assert [edge.interval for _, edge in turned.attributes("b")] == [(0, 0.25), (0.25, 1)]


def test_a_shorter_video_and_nothing_to_time() -> None:
    found = timed(_graph((0, 0.5), (0.5, 1)), _onsets(0.5, 1.0, 3.0), duration=2.0)
    assert [start for start, _ in _intervals(found)] == [0.25, 0.5]
    with pytest.raises(UsageError, match=r"first onset is at 3\.00 s, and the video lasts 2 s"):
        timed(_graph((0, 1)), _onsets(3.0), duration=2.0)
    with pytest.raises(UsageError, match="nothing happens in the graph"):
        timed(_graph(), _onsets(3.0))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(scene_graphs(), st.lists(st.floats(0, 59.9), min_size=1, max_size=12, unique=True))
def test_any_graph_stays_valid_and_in_order(graph: SceneGraph, times: list[float]) -> None:
    onsets = Onsets(tuple(sorted(round(t, 2) for t in times)), tuple(map(float, range(len(times)))), 60.0)
    moments = beginnings(graph)
    if not moments:
        return
    found = timed(graph, onsets)
    found.validate()
    starts = {node.id: node.interval[0] for node in found.of_type("event")}
    ordered = [starts[events[0]] for _, events in moments if events]
    assert ordered == sorted(ordered)
    assert [node.id for node in found.nodes] == [node.id for node in graph.nodes]
    expected = onsets.loudest(len(moments), 60.0)
    for (_, events), time in zip(moments, expected, strict=False):
        assert all(abs(starts[event] * 60 - time) < 0.01 for event in events)
    tied = [(e.source, e.target) for e in graph.edges if e.type == "temporal"]
    for a, b in tied:
        before, after = (allen(g.node(a).interval, g.node(b).interval)[1] for g in (graph, found))
        if before == "before" and not (graph.node(a).negated or graph.node(b).negated):
            assert after == "before"
