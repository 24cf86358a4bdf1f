"""The prompts: enough of each category, each with a graph, checks and a scene that agree, and always the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from mov_ai.captions.caption import SPLITS
from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import CATEGORIES, BenchmarkPrompt, load_prompts, reference_clip
from mov_ai.evaluation.benchmark.prompts import PROMPTS
from mov_ai.evaluation.benchmark.questions import QUESTIONS
from mov_ai.worlds.tabletop.lexicon import HELD_OUT_PAIRS, concept
from mov_ai.worlds.tabletop.scene import simulate
from mov_ai.worlds.tabletop.world import caption_and_layout
from tools.benchmark.build import RECIPES, draw_prompts, main, write_prompts


def test_there_are_enough_prompts_and_no_two_are_alike() -> None:
    prompts = load_prompts()
    assert Counter(prompt.category for prompt in prompts) == dict.fromkeys(CATEGORIES, 40)
    for values in ([p.id for p in prompts], [p.text for p in prompts], [p.seed for p in prompts]):
        assert len(set(values)) == len(values)


def test_the_first_prompts_cover_all_categories() -> None:
    prompts = load_prompts()
    for number in (8, 16, 64):
        assert set(Counter(prompt.category for prompt in prompts[:number]).values()) == {number // 8}


def test_the_files_are_what_the_command_writes(tmp_path: Path) -> None:
    for file in write_prompts(tmp_path):
        assert file.read_bytes() == (PROMPTS / file.name).read_bytes(), file.name


def test_other_prompts_are_written_beside_the_benchmarks_own(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--per-category", "1", "--stream", "5"]) == 0
    others = load_prompts(tmp_path)
    assert Counter(prompt.category for prompt in others) == dict.fromkeys(CATEGORIES, 1)
    assert not {prompt.text for prompt in others} & {prompt.text for prompt in load_prompts()}
    assert not {prompt.seed for prompt in others} & {prompt.seed for prompt in load_prompts()}
    for folder in ([], ["--out", str(PROMPTS)]):
        with pytest.raises(SystemExit):
            main(["--stream", "5", *folder])


def test_a_prompt_survives_json() -> None:
    for prompt in load_prompts()[:16]:
        assert BenchmarkPrompt.from_dict(json.loads(json.dumps(prompt.to_dict())), "here") == prompt


def test_text_graph_and_scene_say_the_same() -> None:
    for prompt in load_prompts():
        prompt.graph.validate(prompt.id)
        entities = prompt.graph.of_type("entity")
        assert [node.id for node in entities] == sorted(prompt.things, key=lambda thing: int(thing[1:]))
        for thing, node_id in zip(prompt.scene.things, prompt.things, strict=True):
            node = prompt.graph.node(node_id)
            colors = [a.label for a, edge in prompt.graph.attributes(node_id) if a.kind == "color"]
            assert concept("shape", node.label) == thing.shape
            assert node.count == thing.count
            assert colors[0] == thing.color
        for node in prompt.graph.nodes:
            if node.type in ("entity", "attribute"):
                assert node.span is not None
                assert prompt.text[slice(*node.span)].startswith(node.label)


def test_checks_ask_what_can_be_answered() -> None:
    kinds = Counter()
    for prompt in load_prompts():
        ids = {node.id for node in prompt.graph.nodes}
        assert any(not check.needed for check in prompt.checks)
        assert len({check.name for check in prompt.checks}) == len(prompt.checks)
        for check in prompt.checks:
            kinds[check.kind] += 1
            named = [check.about[key] for key in ("entity", "other", "event") if key in check.about]
            assert {*named, *check.about.get("entities", [])} <= ids
    assert set(kinds) == set(QUESTIONS)


def test_every_recipe_asks_for_something_that_happens() -> None:
    for prompt in load_prompts():
        assert any(action.motion != "stay" for action in prompt.scene.actions), prompt.text


def test_pairs_held_out_of_training_are_among_the_prompts() -> None:
    prompts = load_prompts()
    assert 0.3 <= sum(prompt.held_out for prompt in prompts) / len(prompts) <= 0.8
    shown = {(thing.shape, thing.color) for prompt in prompts for thing in prompt.scene.things}
    assert shown >= HELD_OUT_PAIRS


def test_no_prompt_is_a_clip_of_the_world() -> None:
    for prompt in load_prompts()[:3]:
        for split in SPLITS:
            scene, caption, _ = caption_and_layout(prompt.seed, split)
            assert scene.instances != prompt.scene.instances
            assert caption.text != prompt.text


def test_other_streams_draw_other_prompts_of_the_same_kinds() -> None:
    ours, others = load_prompts()[:8], draw_prompts(1, stream=1)
    assert [prompt.category for prompt in others] == list(CATEGORIES)
    assert not {prompt.text for prompt in ours} & {prompt.text for prompt in others}
    assert set(RECIPES) == set(CATEGORIES)


def test_the_reference_clip_shows_the_scene() -> None:
    prompt = load_prompts()[0]
    clip = reference_clip(prompt, 48)
    assert clip.frames.shape == (16, 48, 48, 3)
    assert clip.frames.dtype == "uint8"
    assert clip.graph is prompt.graph
    assert clip.layout.complete
    assert {track.entity for track in clip.layout.tracks} == set(prompt.things)
    assert len(clip.layout.tracks) == len(prompt.scene.instances) == simulate(prompt.scene).radius.shape[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": "magic"}, "category: expected one of"),
        ({"text": "other"}, "caption: expected the prompt's text"),
        ({"things": []}, "things: expected an entity's id for each thing"),
        ({"scene": {}}, "scene: expected a scene of the world"),
        ({"checks": [3]}, "checks: expected objects with 'name' and 'kind'"),
        ({"more": 1}, "expected an object with the keys"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    file = tmp_path / "counts.jsonl"
    value = load_prompts()[0].to_dict()
    file.write_text(json.dumps(value) + "\n" + json.dumps({**value, **change}) + "\n")
    with pytest.raises(UsageError, match=rf"counts.jsonl: line 2: .*{message}"):
        load_prompts(file)


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the prompts are in the repository"):
        load_prompts(tmp_path / "nowhere")


def test_the_command_says_what_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file")]) == 1
    assert "is a file; choose a folder" in capsys.readouterr().err
