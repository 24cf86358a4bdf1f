from collections.abc import Sequence

import numpy as np
import pytest

from mov_ai.data.storybench import Story
from mov_ai.data.uds_time import TimedEvent, TimedSentence
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.time import DURATIONS, LENGTH_RELATIONS
from studies.parser.span_times import SpanTimes
from studies.parser.timelines import (
    evaluate_timelines,
    graph_events,
    graph_figures,
    iou,
    length_figures,
    macro_f1,
    mean_with_interval,
    report,
    story_figures,
)

STORY = Story("uvo/a", ("A man sits.", "He runs."), (3, 1), "uvo/v", "held_out")


def event(start: int, end: int, duration: str) -> TimedEvent:
    return TimedEvent((start, end), 1, tuple(float(d == duration) for d in DURATIONS), 1.0)


def sentence(*durations: str, split: str = "held_out", name: str = "s") -> TimedSentence:
    events = tuple(event(2 * i, 2 * i + 1, duration) for i, duration in enumerate(durations))
    return TimedSentence(name, " ".join("abcdefgh"), events, f"doc-{name}", split, "train")


def certain(sentence: TimedSentence, wrong: bool = False) -> SpanTimes:
    """What a parser says that knows all, or that takes every pair for its mirror."""
    length = np.array([e.length for e in sentence.events])
    apart = np.sign(np.round(length[:, None] - length[None])) * (-1 if wrong else 1)
    relation = np.stack([apart < 0, apart == 0, apart > 0], axis=-1).astype(float)
    return SpanTimes(np.zeros(len(length)), np.array([e.durations for e in sentence.events]), relation)


class Knowing:
    """Gives each word `marks` names an interval, and times that fit the story."""

    def __init__(self, marks: dict[str, tuple[float, float]]) -> None:
        self.marks = marks

    def __call__(self, text: str) -> SceneGraph:
        nodes = [Node("n0", "scene", "scene")]
        for i, (word, interval) in enumerate(self.marks.items()):
            if (at := text.find(word)) >= 0:
                nodes.append(Node(f"e{i}", "event", word, (at, at + len(word)), interval=interval))
        return SceneGraph(text, nodes, [Edge("n0", n.id, "contains") for n in nodes[1:]])

    def timeline(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> list[SpanTimes]:
        return [
            SpanTimes(
                np.log([3.0, 1.0] if len(s) == 2 else np.ones(len(s))),
                np.full((len(s), 11), 1 / 11),
                np.full((len(s), len(s), 3), 1 / 3),
            )
            for s in spans
        ]


def test_overlap_of_intervals():
    assert iou((0, 0.5), (0, 0.5)) == 1
    assert iou((0, 0.5), (0.25, 0.75)) == pytest.approx(1 / 3)
    assert iou((0, 0.2), (0.5, 1)) == 0


def test_events_belong_to_the_sentence_that_their_words_stand_in():
    told = graph_events(Knowing({"sits": (0, 0.5), "runs": (0.5, 1), "flies": (0, 1)}), STORY)
    assert [[interval for _, interval in events] for events in told] == [[(0, 0.5)], [(0.5, 1)]]


def test_a_text_that_the_parser_refuses_tells_nothing():
    class Refusing(Knowing):
        def __call__(self, text: str) -> SceneGraph:
            raise UsageError("too much")

    assert graph_events(Refusing({}), STORY) == [[], []]


def test_the_right_times_score_fully_and_beat_the_even_split():
    figures = story_figures([STORY], [[[(0, (0, 0.75))], [(1, (0.75, 1))]]])
    assert (figures["iou"], figures["order"], figures["order_apart"], figures["without_event"]) == (1, 1, 1, 0)
    assert figures["iou_even_split"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures["iou_gain"] == pytest.approx(1 - figures["iou_even_split"])


def test_a_sentence_without_events_counts_against_the_parser():
    figures = story_figures([STORY], [[[(0, (0, 0.75)), (1, (0, 0.75))], []]])
    assert (figures["iou"], figures["order"], figures["pairs"], figures["without_event"]) == (0.5, 0, 2, 0.5)


def test_events_that_overlap_are_in_order_but_not_apart():
    figures = story_figures([STORY], [[[(0, (0, 0.75))], [(1, (0.5, 1))]]])
    assert (figures["order"], figures["order_apart"]) == (1, 0)
    backwards = story_figures([STORY], [[[(0, (0.5, 1))], [(1, (0, 0.5))]]])
    assert backwards["order"] == 0


def test_lengths_against_the_most_common_relation():
    training = [sentence("days", "days", split="train")]
    held = [sentence("seconds", "years", name="a"), sentence("hours", "hours", name="b")]
    right = length_figures(held, [certain(s) for s in held], training)
    assert (right["accuracy"], right["majority"], right["margin"]) == (1, 0.5, 0.5)
    assert (right["length_error"], right["longer"], right["pairs"], right["events"]) == (0, 1, 2, 4)
    assert right["margin_low"] <= 0.5 <= right["margin_high"]
    # The training events' median is "days", four steps up.
    assert right["length_error_median"] == pytest.approx((3 + 3 + 1 + 1) / 4)
    mirrored = length_figures(held, [certain(s, wrong=True) for s in held], training)
    assert (mirrored["accuracy"], mirrored["margin"], mirrored["longer"]) == (0.5, 0, 0)


def test_graphs_are_measured_by_the_events_they_have():
    held = sentence("hours", "hours", "hours")
    graph = Knowing({"a": (0, 0.5), "b": (0.5, 1)})(held.text)
    assert graph_figures([held], [graph])["coverage"] == pytest.approx(1 / 3)
    assert graph_figures([held], [None])["coverage"] == 0


def test_only_held_out_samples_are_measured():
    known = Story("uvo/b", ("A cat sits.", "It runs."), (1, 1), "uvo/w", "train")
    sentences = [sentence("hours", "hours", split="train"), sentence("days", "hours", name="h")]
    parser = Knowing({"sits": (0, 0.5), "runs": (0.5, 1)})
    figures = evaluate_timelines(parser, [STORY, known], sentences)
    assert figures["storybench"]["stories"] == 1
    assert figures["storybench"]["order"] == 1
    assert figures["storybench_head"]["iou"] == pytest.approx(1)
    assert figures["uds_time"]["pairs"] == 1
    lines: list[str] = []
    report(figures, lines.append)
    assert any("iou_gain" in line and "[" in line for line in lines)


def test_macro_f1_weighs_classes_alike():
    gold = ["same"] * 8 + ["shorter", "longer"]
    assert macro_f1(gold, gold, LENGTH_RELATIONS) == 1
    assert macro_f1(gold, ["same"] * 10, LENGTH_RELATIONS) == pytest.approx(16 / 18 / 3)


def test_bootstrap_draws_whole_sources():
    rows = [(1.0, 1.0)] * 50 + [(0.0, 1.0)] * 50
    few = mean_with_interval("x", rows, ["a"] * 50 + ["b"] * 50)
    many = mean_with_interval("x", rows, [str(i) for i in range(100)])
    assert few["x"] == many["x"] == 0.5
    assert (few["x_low"], few["x_high"]) == (0, 1)
    assert many["x_high"] - many["x_low"] < 0.3
