"""Gold prompts are valid and balanced; facts are counted as the rules say."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from mov_ai.data.factual import read_factual
from mov_ai.errors import UsageError
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.graph.draw.svg import to_svg
from studies.parser.prompt_facts import KINDS, Judged, counts, judge_prompt
from studies.parser.prompt_gold import SPLITS, UNSEEN, GoldPrompt, build, gold_prompts
from studies.parser.prompts import PromptSuite, report
from tests.strategies import scene_graphs

GOLD = gold_prompts()
NEVER_TUNED_FOR = gold_prompts(folder=UNSEEN)


def f1(judged: Sequence[Judged], kind: str | None = None) -> float:
    right, missing, invented = counts(judged, kind).sum(0)
    return float(2 * right / (2 * right + missing + invented))


@pytest.mark.parametrize("prompt", [*GOLD, *NEVER_TUNED_FOR], ids=lambda prompt: prompt.id)
def test_a_gold_graph_is_valid_and_scores_one_against_itself(prompt: GoldPrompt) -> None:
    assert SceneGraph.from_json(prompt.graph.to_json()) == prompt.graph
    judged = judge_prompt(prompt, prompt.graph)
    assert judged.right
    assert (judged.missing, judged.invented) == ([], [])


def test_there_are_enough_prompts_of_each_kind_in_both_halves() -> None:
    kinds = Counter((prompt.kind, prompt.split) for prompt in GOLD)
    assert len({kind for kind, _ in kinds}) == 19
    assert min(kinds.values()) >= 8
    assert len(GOLD) >= 300
    assert sum(prompt.source[0] == "vbench" for prompt in GOLD) >= 120
    own = {split: [judge_prompt(prompt, prompt.graph) for prompt in gold_prompts(split)] for split in SPLITS}
    for kind in KINDS:
        asked = [counts(own[split], kind)[:, 0].sum() for split in SPLITS]
        assert min(asked) >= 6, kind
        assert max(asked) - min(asked) <= 0.1 * max(asked) + 1, kind


def test_no_prompt_is_in_both_halves() -> None:
    halves = [{prompt.text.lower().strip(". ") for prompt in gold_prompts(split)} for split in SPLITS]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == len(GOLD)


def test_unseen_prompts_are_new_and_have_no_held_out_half() -> None:
    assert len(NEVER_TUNED_FOR) == 120
    assert gold_prompts("development", UNSEEN) == NEVER_TUNED_FOR
    assert min(Counter(prompt.kind for prompt in NEVER_TUNED_FOR).values()) >= 10
    texts = {prompt.text.lower().strip(". ") for prompt in NEVER_TUNED_FOR}
    assert len(texts) == 120
    assert [p.text for p in GOLD if p.text.lower().strip(". ") in texts] == []


def test_no_caption_of_the_training_set_is_a_held_out_prompt() -> None:
    if not (Path(os.environ.get("MOV_AI_DATA", "")) / "factual").is_dir():
        pytest.skip("needs FACTUAL")
    captions = {caption.caption.lower().strip(" .") for caption in read_factual("random", "train")}
    assert not [prompt.text for prompt in gold_prompts("held_out") if prompt.text.lower().strip(" .") in captions]


def test_published_prompts_are_quoted_exactly() -> None:
    path = Path(os.environ.get("MOV_AI_DATA", "")) / "prompts" / "vbench.txt"
    if not path.is_file():
        pytest.skip("needs the published list")
    lines = path.read_text(encoding="utf-8").splitlines()
    for prompt in GOLD:
        if prompt.source[0] == "vbench":
            assert lines[prompt.source[1] - 1] == prompt.text, prompt.id


def test_graphs_of_other_prompts_score_far_below() -> None:
    others = [prompt.graph for prompt in GOLD]
    random.Random(0).shuffle(others)
    shuffled = [judge_prompt(prompt, other) for prompt, other in zip(GOLD, others, strict=True)]
    assert f1(shuffled) < 0.1


@settings(max_examples=25, deadline=None)
@given(scene_graphs())
def test_any_graph_can_be_judged_and_every_expected_fact_is_right_or_missing(graph: SceneGraph) -> None:
    for prompt in (GOLD[10], GOLD[80], GOLD[200]):
        own, judged = judge_prompt(prompt, prompt.graph), judge_prompt(prompt, graph)
        assert Counter(judged.right + judged.missing) == Counter(own.right)


def judged_with(block: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> Judged:
    prompt = build(block)
    graph = SceneGraph(prompt.text, [Node("n0", "scene", "scene"), *nodes], list(edges))
    graph.validate()
    return judge_prompt(prompt, graph)


CAT, MAT = Node("a", "entity", "cats"), Node("b", "entity", "mat")
SLEEP = Node("e", "event", "sleep")


@pytest.mark.parametrize(
    "edges",
    [
        [Edge("e", "a", "agent"), Edge("e", "b", "location", "on")],
        [Edge("e", "a", "agent"), Edge("a", "b", "spatial", "on top of")],
        [Edge("e", "a", "agent"), Edge("a", "b", "relation", "sleep on")],
    ],
    ids=["place of the event", "relation of the agent", "relation with the verb"],
)
def test_where_may_be_told_in_three_ways(edges: list[Edge]) -> None:
    judged = judged_with("a cat sleeps on a mat\n  sleep(cat) [on mat]", [CAT, MAT, SLEEP], edges)
    assert ("place", "sleep on mat") in judged.right
    assert (judged.missing, judged.invented) == ([], [])


def test_what_is_denied_may_be_negated_or_absent_but_not_affirmed() -> None:
    block = "a mat without cats\n  mat; !cat*"
    assert ("negation", "no cat") in judged_with(block, [MAT], []).right
    assert ("negation", "no cat") in judged_with(block, [MAT, replace(CAT, negated=True)], []).right
    affirmed = judged_with(block, [MAT, CAT], [])
    assert ("negation", "no cat") in affirmed.missing
    assert ("entity", "cats") in affirmed.invented
    assert ("negation", "no cat") in judged_with(block, [], []).missing


def test_two_of_one_label_are_told_apart_by_what_is_said_of_them() -> None:
    block = "a red cup and a blue cup, the blue one falls\n  cup#1: red/c; cup#2: blue/c; fall(cup#2) ^down"
    cups = [Node("x", "entity", "cup"), Node("y", "entity", "cup"), Node("f", "event", "fall", direction="down")]
    values = [Node("b", "attribute", "blue"), Node("r", "attribute", "red")]
    held = [Edge("x", "b", "has_attribute"), Edge("y", "r", "has_attribute")]
    right = judged_with(block, [*cups, *values], [*held, Edge("f", "x", "agent")])
    assert (right.missing, right.invented) == ([], [])
    wrong = judged_with(block, [*cups, *values], [*held, Edge("f", "y", "agent")])
    assert [kind for kind, _ in wrong.missing] == [kind for kind, _ in wrong.invented] == ["agent"]


@pytest.mark.parametrize(
    ("interval", "missing"), [((0.5, 1.0), []), ((0.0, 1.0), ["change"]), ((0.0, 0.5), ["change"])]
)
def test_a_change_has_its_time(interval: tuple[float, float], missing: list[str]) -> None:
    nodes = [Node("p", "entity", "pot"), Node("w", "attribute", "white")]
    judged = judged_with(
        "the pot turns white\n  pot: > white/c", nodes, [Edge("p", "w", "has_attribute", None, interval)]
    )
    assert [kind for kind, _ in judged.missing] == missing


def test_camera_and_style_are_compared_by_their_words() -> None:
    prompt = build("a cat, the camera pans left, Van Gogh style\n  cat; camera: pan left; style: van gogh")
    scene = Node("n0", "scene", "scene", camera="camera panning left", style=("Van Gogh style", "4k"))  # type: ignore[arg-type]
    judged = judge_prompt(prompt, SceneGraph(prompt.text, [scene, Node("c", "entity", "cat")]))
    assert judged.missing == []
    assert judged.invented == [("style", "4k")]


def test_a_line_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UsageError, match="own-01: cannot read"):
        build("a cat\n  cat -on mat")
    with pytest.raises(UsageError, match="expected a step"):
        build("a cat\n  run(cat) @x")


class Knowing:
    """A parser that knows the answers, and refuses one prompt."""

    def parse_batch(self, texts: Sequence[str]) -> list[SceneGraph]:
        graphs = {prompt.text: prompt.graph for prompt in [*GOLD, *NEVER_TUNED_FOR]}
        if "windmill" in texts:
            raise UsageError("refused")
        return [graphs[text] for text in texts]


def test_the_suite_lists_misses_of_the_development_half_only(tmp_path: Path) -> None:
    result = PromptSuite(batch_size=20).measure(Knowing(), tmp_path)  # type: ignore[arg-type]
    assert result["refused"] == 1
    assert result["facts"]["all"]["held_out"]["f1"]["value"] == 1
    assert 0.99 < result["facts"]["all"]["development"]["f1"]["value"] < 1
    misses = (tmp_path / "misses.md").read_text(encoding="utf-8")
    assert "windmill" in misses
    assert len(misses.splitlines()) == 4
    json.dumps(result, allow_nan=False)


def test_the_suite_measures_a_set_without_a_held_out_half(tmp_path: Path) -> None:
    result = PromptSuite(prompts="unseen").measure(Knowing(), tmp_path)  # type: ignore[arg-type]
    assert result["prompts"] == {"development": 120}
    assert result["facts"]["all"]["development"]["f1"]["value"] == 1
    assert "held out" not in report(result)
    with pytest.raises(UsageError, match="prompts: expected one of real, layouts, unseen, unseen_layouts; found 'x'"):
        PromptSuite(prompts="x")


def test_gold_graphs_can_be_drawn() -> None:
    for prompt in GOLD[::20]:
        assert to_svg(prompt.graph).startswith("<svg")
