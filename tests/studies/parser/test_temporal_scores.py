from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mov_ai.graph import SceneGraph
from studies.parser.temporal_scores import FIGURES, evaluate_temporal, overlap, relation, score
from studies.parser.temporal_sentences import SPLITS, TemporalSentence, temporal_sentences


class Gold:
    """A parser that knows the answers."""

    def parse_batch(self, texts: Sequence[str]) -> list[SceneGraph]:
        graphs = {sentence.text: sentence.graph for sentence in temporal_sentences()}
        return [graphs[text] for text in texts]


def lowered(corrupt: Callable[[TemporalSentence], SceneGraph]) -> set[str]:
    """The figures that are below 1 when every development graph is corrupted."""
    sentences = temporal_sentences("development")
    figures = score(sentences, [corrupt(sentence) for sentence in sentences])["figures"]
    assert set(figures) == set(FIGURES)
    return {name for name, figure in figures.items() if figure["value"] is not None and figure["value"] < 1}


@pytest.mark.parametrize("split", SPLITS)
def test_gold_graphs_score_one(split):
    result = evaluate_temporal(Gold(), split)
    assert result["sentences"] == len(temporal_sentences(split))
    assert {figure["value"] for figure in result["figures"].values()} == {1}
    assert result["failures"] == []
    assert all(row["sentences"] >= 4 for row in result["phenomena"].values())


def test_reversed_time_lowers_order_and_overlap():
    def reverse(sentence: TemporalSentence) -> SceneGraph:
        graph = sentence.graph
        # Attributes go along, so that changes stay with their events.
        nodes = [
            replace(n, interval=(1 - n.interval[1], 1 - n.interval[0])) if n.type == "event" else n for n in graph.nodes
        ]
        return SceneGraph(graph.caption, nodes, graph.edges)

    figures = lowered(reverse)
    assert {"event_order", "sentence_order", "interval_iou"} <= figures
    assert figures <= {"event_order", "sentence_order", "interval_iou", "state_changes", "verb_changes"}


def test_a_value_that_always_holds_is_no_change():
    def hold(sentence: TemporalSentence) -> SceneGraph:
        edges = [replace(e, interval=(0.0, 1.0)) for e in sentence.graph.edges]
        return SceneGraph(sentence.text, sentence.graph.nodes, edges)

    assert lowered(hold) == {"state_changes", "verb_changes"}


def test_a_dropped_value_is_a_missing_change():
    def drop(sentence: TemporalSentence) -> SceneGraph:
        new = {change.new for change in sentence.changes}
        edges = [e for e in sentence.graph.edges if e.target not in new]
        return SceneGraph(sentence.text, [n for n in sentence.graph.nodes if n.id not in new], edges)

    assert lowered(drop) == {"state_changes"}


def test_agents_taken_for_patients_lower_participants_only():
    def swap(sentence: TemporalSentence) -> SceneGraph:
        roles = {"agent": "patient", "patient": "agent"}
        edges = [replace(e, type=roles.get(e.type, e.type)) for e in sentence.graph.edges]
        return SceneGraph(sentence.text, sentence.graph.nodes, edges)

    assert lowered(swap) == {"agents", "patients", "participant_precision", "pronouns"}


def test_a_pronoun_of_its_own_is_not_resolved():
    sentence = next(s for s in temporal_sentences("development") if s.text.startswith("The ball rolls to the left. It"))
    graph = sentence.graph
    pronoun = next(m.span for m in sentence.mentions if m.kind == "coref")
    ball, turn = graph.of_type("entity")[0], graph.of_type("event")[1]
    nodes = [*graph.nodes, replace(ball, id="it", label="it", span=pronoun)]
    edges = [replace(e, target="it") if e.source == turn.id and e.type == "agent" else e for e in graph.edges]
    figures = score([sentence], [SceneGraph(sentence.text, nodes, edges)])["figures"]
    assert (figures["pronouns"]["right"], figures["pronouns"]["total"]) == (0, 1)
    assert figures["agents"]["value"] == 0.5


def test_missing_negation_counts_and_repeats_are_seen():
    def forget(sentence: TemporalSentence) -> SceneGraph:
        nodes = [replace(n, negated=False, count=1, manner=None) for n in sentence.graph.nodes]
        return SceneGraph(sentence.text, nodes, sentence.graph.edges)

    assert lowered(forget) == {"negation", "counts", "repeats"}


def test_a_missing_event_makes_its_pairs_wrong():
    sentence = next(s for s in temporal_sentences("development") if len(s.graph.of_type("event")) == 3)
    last = sentence.graph.of_type("event")[-1].id
    edges = [e for e in sentence.graph.edges if last not in (e.source, e.target)]
    graph = SceneGraph(sentence.text, [n for n in sentence.graph.nodes if n.id != last], edges)
    result = score([sentence], [graph])
    assert result["figures"]["event_recall"]["value"] == pytest.approx(2 / 3)
    assert result["figures"]["event_order"]["right"] == 1
    assert result["figures"]["event_order"]["total"] == 3
    assert {failure["id"] for failure in result["failures"]} == {sentence.id}


def test_failures_of_the_held_out_half_stay_hidden():
    sentences = temporal_sentences("held_out")
    empty = [SceneGraph(s.text, s.graph.nodes[:1]) for s in sentences]
    result = score(sentences, empty)
    assert result["figures"]["event_recall"]["value"] == 0
    assert result["failures"] == []


def test_intervals_are_compared():
    assert relation((0.0, 0.5), (0.5, 1.0)) == "before"
    assert relation((0.5, 1.0), (0.0, 0.3333)) == "after"
    assert relation((0.0, 0.5), (0.25, 0.75)) == "same"
    assert overlap((0.0, 0.5), (0.25, 0.75)) == pytest.approx(1 / 3)
    assert overlap((0.0, 0.5), (0.5, 1.0)) == 0
