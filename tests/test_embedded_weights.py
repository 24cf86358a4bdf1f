"""What ships in `mov_ai/assets`: sizes, cards, and that the whole path works on a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.evaluation.checker import Checker
from mov_ai.graph import SceneGraph
from mov_ai.models.presets import parameters
from mov_ai.pipeline import MovAIPipeline
from mov_ai.pipeline_files import ASSETS, INTERPOLATION, load_interpolation
from mov_ai.result import VideoResult
from studies.check.verdicts import check

PROMPT = "A large red ball rolls to the left, then turns blue."


@pytest.fixture(scope="module")
def pipe() -> MovAIPipeline:
    return MovAIPipeline.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="module")
def result(pipe: MovAIPipeline) -> VideoResult:
    return pipe(PROMPT, seed=1, stages=128)


def test_weights_are_safetensors_and_fit_in_64_mb() -> None:
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 64e6
    # spaCy's own folder keeps msgpack under the name lookups.bin; nothing in it is a pickle either.
    ours = [path for path in files if "spacy_ewt" not in path.parts]
    assert not [path for path in ours if path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin")]
    assert {p.parent.name for p in files if p.suffix == ".safetensors"} == {
        "checker", "codec", "denoiser", "interpolation", "labels", "lexicon", "parser", "planner", "recognition",
        "refiner", "text_video",
    }  # fmt: skip


def test_every_network_has_a_card() -> None:
    for weights in ASSETS.rglob("*.safetensors"):
        card = weights.parent / "README.md"
        assert card.is_file(), weights
        text = card.read_text(encoding="utf-8")
        # How long it was trained; word meanings are no network, they are built, and the card says by what and how fast.
        assert "seconds" in text or (weights.parent.name == "labels" and "| made by | `" in text)


def test_tiny_has_at_most_25_million_parameters_in_all(pipe: MovAIPipeline) -> None:
    reading = sum(map(parameters, pipe.parser.networks))
    assert parameters(pipe.cascade) + parameters(pipe.planner) + reading <= 25e6


def test_the_interpolation_network_is_counted_apart_as_only_smooth_loads_it(pipe: MovAIPipeline) -> None:
    assert pipe.interpolation is None
    folder = ASSETS / "tiny" / INTERPOLATION
    assert parameters(load_interpolation(ASSETS / "tiny")) <= 2.5e6
    assert (folder / "model.safetensors").stat().st_size <= 5e6


def test_a_sentence_becomes_the_video_it_describes(result: VideoResult) -> None:
    report = check(Checker.from_pretrained(), result.graph, result.frames)
    assert all(entity.color_ok for entity in report.entities), report
    assert all(event.ok for event in report.events), report


def test_the_same_seed_gives_the_same_video_and_another_seed_another_layout(
    pipe: MovAIPipeline, result: VideoResult
) -> None:
    assert np.array_equal(pipe(PROMPT, seed=1, stages=128).frames, result.frames)
    assert pipe.planner is not None
    plans = [pipe.planner.plan(result.graph, seed)[0].tracks[0].boxes[:, :2] for seed in range(8)]
    distances = [np.abs(a - b).mean() for i, a in enumerate(plans) for b in plans[:i]]
    assert min(distances) > 0.002
    assert np.mean(distances) > 0.05


def test_changing_a_colour_in_the_graph_changes_nothing_else(
    pipe: MovAIPipeline, result: VideoResult, tmp_path: Path
) -> None:
    result.graph.save(tmp_path / "graph.json")
    unchanged = pipe(SceneGraph.load(tmp_path / "graph.json"), seed=1, stages=128)
    assert np.array_equal(unchanged.frames, result.frames)
    red = next(node.id for node in result.graph.of_type("attribute") if node.label == "red")
    edited = pipe(result.graph.with_node(red, label="yellow"), seed=1, stages=128)
    assert np.array_equal(edited.layout.tracks[0].boxes, result.layout.tracks[0].boxes)
    x, y = (result.layout.tracks[0].boxes[0, :2] * 128).astype(int)
    before, after = (frames[0, y - 3 : y + 3, x - 3 : x + 3].mean((0, 1)) for frames in (result.frames, edited.frames))
    assert after[1] > before[1] + 40, "the ball has become yellow: far more green than red has"
    # Far from the ball the floor stays as it was, up to what the network makes of the other colour.
    away = np.ones((128, 128), bool)
    for box in result.layout.tracks[0].boxes:
        cx, cy, w, h = box[:4] * 128
        away[max(0, int(cy - h * 1.5)) : int(cy + h * 1.5), max(0, int(cx - w * 1.5)) : int(cx + w * 1.5)] = False
    difference = np.abs(edited.frames.astype(int) - result.frames.astype(int))[:, away]
    assert difference.mean() < 6
