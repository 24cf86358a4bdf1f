"""What is asked of a video of the study, and what the embedded checker answers."""

from __future__ import annotations

import numpy as np

from mov_ai.evaluation.benchmark.benchmark import squared
from mov_ai.evaluation.benchmark.observe import Observed
from mov_ai.evaluation.benchmark.prompts import Check
from mov_ai.evaluation.benchmark.questions import answer
from mov_ai.evaluation.checker import Checker
from mov_ai.graph import SceneGraph
from mov_ai.graph.time import change_time

#: What a question is about -> what a yes means.
TOPICS = {
    "looks": "a thing has the shape and colour that were said, and no other thing does",
    "motion": "a thing that looks as said slides or jumps as said",
    "change": "a thing turns from the colour said to the colour said, at its time within a frame",
    "order": "two events happen, in the order said or at the same time",
}


def questions(graph: SceneGraph) -> list[tuple[str, Check]]:
    """The questions that a graph raises, each with its topic."""
    asked = [("looks", Check(n.id, "look", False, {"entity": n.id})) for n in graph.of_type("entity")]
    for event in graph.of_type("event"):
        topic = "change" if event.label == "turn" else "motion"
        asked.append((topic, Check(event.id, "event", False, {"event": event.id})))
    for edge in graph.edges:
        if edge.type == "temporal":
            about = {"event": edge.source, "other": edge.target, "label": edge.label}
            asked.append(("order", Check(f"{edge.source} {edge.target}", "order", False, about)))
    return asked


def judge(checker: Checker, graph: SceneGraph, frames: np.ndarray) -> dict[str, list[bool]]:
    """The answers of a video to the questions of its graph, by topic.

    Args:
        checker: sees the frames alone.
        frames: uint8 (T, H, W, 3), T from 2 to 64. Raises UsageError if it is no such video.
    """
    observed = Observed.of(graph, checker.follow(squared(frames)), len(frames))
    answers: dict[str, list[bool]] = {}
    for topic, check in questions(graph):
        right = answer(check, observed)
        if topic == "change" and right:
            doings = observed.doings(check.about["event"]) or []
            due = change_time(graph.node(check.about["event"]).interval)
            right = all(abs(doing.middle - due) < 1.5 / len(frames) for doing in doings)
        answers.setdefault(topic, []).append(right)
    return answers
