"""What run.json says: what was assumed, and what may be wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.cascade import CascadeConfig, plan_stages
from mov_ai.run_record import Clock, assumed, graph_warnings, size_warnings
from mov_ai.worlds.tabletop.completion import complete
from tests.models.builders import ball_and_cube
from tests.strategies import scene_graphs

TRAINED = VideoShape()


def _size_warnings(shape: VideoShape, config: CascadeConfig | None = None) -> list[str]:
    config = config or CascadeConfig()
    return size_warnings(config, TRAINED, shape, plan_stages(config, shape.height, shape.width, None, 16))


@pytest.mark.parametrize("size", [128, 256, 512])
def test_what_was_trained_for_is_not_warned_of(size: int) -> None:
    assert _size_warnings(VideoShape(16, 8.0, size, size)) == []
    # Frames a second are how a video is played, not how it is made.
    assert _size_warnings(VideoShape(16, 24.0, size, size)) == []


@pytest.mark.parametrize(
    ("shape", "messages"),
    [
        (VideoShape(24), ["trained on 16 frames, asked for 24"]),
        (VideoShape(16, 8.0, 1024, 1024), ["trained for stages 128, 256, 512, asked for 1024"]),
        (
            VideoShape(16, 8.0, 288, 512),
            ["trained on frames of 512x512, asked for another aspect, 288x512"],
        ),
        (
            VideoShape(8, 8.0, 160, 96),
            [
                "trained on 16 frames, asked for 8",
                "trained on frames of 512x512, asked for another aspect, 160x96",
                "trained for stages 128, 256, 512, asked for 160",
            ],
        ),
    ],
)
def test_each_way_beyond_training_is_said_once(shape: VideoShape, messages: list[str]) -> None:
    assert _size_warnings(shape) == messages


def test_what_is_assumed_stands_by_what_it_is_said_of() -> None:
    whole = complete(ball_and_cube(), 0)
    color = next(node.label for node, _ in whole.attributes("cube") if node.kind == "color")
    assert assumed(whole) == {"s": ["floor", "left"], "ball": ["matte"], "cube": [color, "matte"]}
    assert assumed(ball_and_cube()) == {}


def test_an_assumed_attribute_of_nothing_stands_by_itself() -> None:
    graph = SceneGraph("", [Node("s", "scene", "scene"), Node("r", "attribute", "red", assumed=("label",))])
    assert assumed(graph) == {"r": ["red"]}


@settings(max_examples=60, deadline=None)
@given(scene_graphs())
def test_any_graph_has_a_record(graph: SceneGraph) -> None:
    json.dumps(assumed(graph))
    assert all(isinstance(line, str) and "\n" not in line for line in graph_warnings(graph, []))


def test_what_is_not_shown_is_said() -> None:
    assert graph_warnings(ball_and_cube(), []) == []
    assert graph_warnings(ball_and_cube(count=3), ["giraffe", "juggle"]) == [
        "far from all words that this pipeline was trained on: giraffe, juggle"
    ]
    assert graph_warnings(ball_and_cube(count=20), []) == [
        "at most 10 of one entity and 24 things in all are shown; left out: 10 of 20 balls"
    ]
    empty = SceneGraph("rain", [Node("s", "scene", "scene")], [])
    assert graph_warnings(empty, []) == ["the graph names nothing that can be shown; the video shows the empty scene"]
    gone = SceneGraph("", [*empty.nodes, Node("b", "entity", "ball", negated=True)], [Edge("s", "b", "contains")])
    assert graph_warnings(gone, []) == graph_warnings(empty, [])


def test_seconds_of_a_part_add_up_even_if_it_fails() -> None:
    clock = Clock()
    with clock.part("plan"):
        pass
    first = clock.seconds["plan"]

    def fail() -> None:
        with clock.part("plan"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert clock.seconds["plan"] > first >= 0
