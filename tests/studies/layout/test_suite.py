"""The suite judges layouts from both graphs, with one candidate and with more, and shows misses of one half only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.instances import drawn_entities
from studies.layout.checks import CHECKS
from studies.layout.facts import UNSEEN, layout_prompts
from studies.layout.suite import LayoutSuite, embedded_planner, report
from tests.models.builders import still_layout

PROMPTS = layout_prompts()


class Knowing:
    """A parser that knows the answers, and refuses one prompt."""

    def parse_batch(self, texts: Sequence[str]) -> list[SceneGraph]:
        graphs = {prompt.gold.text: prompt.gold.graph for prompt in [*PROMPTS, *layout_prompts(folder=UNSEEN)]}
        if any("windmill" in text for text in texts):
            raise UsageError("refused")
        return [graphs[text] for text in texts]


def row(graph: SceneGraph, seed: int, candidates: int) -> tuple[SceneGraph, Layout]:
    """A planner to whom everything stands still in a row; with one candidate, on one spot."""
    drawn = drawn_entities(graph)
    if any(node.label == "lion" for node in graph.nodes):
        raise UsageError("too wild")
    places = [(i + 0.5) / len(drawn) if candidates > 1 else 0.5 for i in range(len(drawn))]
    return graph, still_layout(graph, [(x, 0.5, 0.05, 0.05, 5.0, 1.0) for x in places])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    output = tmp_path_factory.mktemp("layout")
    result = LayoutSuite(candidates=(1, 2), batch_size=50).measure(Knowing(), row, output)  # type: ignore[arg-type]
    return result, (output / "misses.md").read_text(encoding="utf-8")


def test_there_is_an_arm_for_each_graph_and_number_of_candidates(measured: tuple[dict, str]) -> None:
    result, _ = measured
    json.dumps(result, allow_nan=False)
    assert [(arm["graph"], arm["candidates"]) for arm in result["arms"]] == [
        ("text", 1),
        ("text", 2),
        ("gold", 1),
        ("gold", 2),
    ]
    assert result["prompts"] == {"development": 100, "held_out": 100}
    assert result["refused"] == 1
    for arm in result["arms"]:
        facts = arm["kinds"]["all"]
        assert facts["development"]["prompts"] == facts["held_out"]["prompts"] == 100
        told = sum(facts[split]["facts"]["asked"] + facts[split]["untold"] for split in facts)
        assert told == sum(len(prompt.facts) for prompt in PROMPTS)
        by_predicate = sum(figures[split]["right"] for figures in arm["predicates"].values() for split in figures)
        assert by_predicate == sum(facts[split]["facts"]["right"] for split in facts)
        figure = facts["held_out"]["facts"]
        assert figure["low"] <= figure["value"] == figure["right"] / figure["asked"] <= figure["high"]
        assert arm["ms"]["median"] >= 0


def test_what_stands_still_shows_numbers_but_no_ways(measured: tuple[dict, str]) -> None:
    result, _ = measured
    gold = result["arms"][3]
    assert gold["predicates"]["moves"]["held_out"]["right"] == 0
    assert gold["predicates"]["looks"]["held_out"]["right"] == 4
    count = gold["predicates"]["count"]["held_out"]
    assert 0.8 * count["told"] < count["right"]
    # The refused prompt and the planner's refusal are no facts at all.
    text = result["arms"][1]
    assert (
        text["kinds"]["places"]["development"]["facts"]["right"]
        < gold["kinds"]["places"]["development"]["facts"]["right"]
    )
    assert set(gold["checks"]["held_out"]) == {"no_fault", "extra_tracks", *(f"no_{name}" for name in CHECKS)}
    assert (
        gold["checks"]["held_out"]["no_overlap"]["value"]
        > result["arms"][2]["checks"]["held_out"]["no_overlap"]["value"]
    )


def test_misses_are_of_the_development_half_only(measured: tuple[dict, str]) -> None:
    _, misses = measured
    assert "`ways-05` a lion walks toward the camera" in misses
    held_out = {prompt.gold.id for prompt in layout_prompts("held_out")}
    assert not [name for name in held_out if f"`{name}`" in misses]


def test_a_set_without_a_held_out_half_has_no_columns_for_it(tmp_path: Path) -> None:
    result = LayoutSuite(layouts="unseen", candidates=(1,)).measure(Knowing(), row, tmp_path)  # type: ignore[arg-type]
    assert result["prompts"] == {"development": 80}
    assert set(result["arms"][0]["kinds"]["all"]) == {"development"}
    assert "held out" not in report(result)


def test_the_report_has_all_kinds_checks_and_times(measured: tuple[dict, str]) -> None:
    text = report(measured[0])
    for word in ("relative", "presence", "overlap", "median ms", "gold graph, candidates: 2", "held out: text, 1"):
        assert word in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": ()}, "candidates"),
        ({"candidates": (0,)}, "candidates"),
        ({"frames": 1}, "frames"),
        ({"layouts": "all"}, "layouts: expected told or unseen; found 'all'"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_one_clear_error(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LayoutSuite(**settings)


def test_the_embedded_planner_answers_a_gold_graph(tmp_path: Path) -> None:
    planner = embedded_planner("tiny", 16)
    graph, layout = planner(PROMPTS[0].gold.graph, 0, 2)
    assert layout.frames == 16
    assert layout.complete
    assert {track.entity for track in layout.tracks} <= {node.id for node in graph.nodes}
    with pytest.raises(UsageError, match="checkpoint"):
        embedded_planner(str(tmp_path), 16)
