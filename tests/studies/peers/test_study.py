"""The study of peers: which commands it runs, and that its table says who wins, who loses and what is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json, write_json
from mov_ai.models.cascade import CASCADE_FILE
from mov_ai.models.component import save_component
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.presets import parameters
from mov_ai.models.registry import build_denoiser
from mov_ai.pipeline import MovAIPipeline
from studies.peers.report import ALL, Entrant, against, document, paired
from studies.peers.study import PEERS, Study, arguments, chosen, main, run

NETWORK = DenoiserConfig(dim=16, heads=2, depth=1, stem=8, graph_encoder=GraphEncoderConfig(16, 1, 2))
NAMES = [f"counts-{i:03d}" for i in range(20)] + [f"motion-{i:03d}" for i in range(20)]


def _trained(steps: int = 10, count: int = 1000) -> dict[str, Any]:
    return {
        "status": "finished",
        "parameters": count,
        "steps": steps,
        "samples": 4 * steps,
        "seconds": 60.0,
        "hardware": "a machine",
        "precision": "bf16",
        "trainer": {"learning_rate": 1e-3, "schedule": "cosine", "warmup_steps": 5},
        "objective": {"batch_size": 4},
    }


def _measured(scores: dict[str, float], seed: int = 0) -> dict[str, Any]:
    categories: dict[str, list[float]] = {}
    for name, score in scores.items():
        categories.setdefault(name.split("-")[0], []).append(score)
    return {
        "schema": 1,
        "settings": {"prompts": f"{len(scores)} of the benchmark"},
        "machine": "a machine",
        "seed": seed,
        "metrics": {},
        "compositional": {
            name: {"score": float(np.mean(s)), "ci95": [0.0, 1.0], "n": len(s), "ceiling": 1.0, "ceiling_ci95": [1, 1]}
            for name, s in categories.items()
        },
        "compositional_depends_on": {"checker": "a checker", "stage": 128},
        "seconds": {"generating, each of the videos": 1.5},
        "videos": [
            {"name": n, "prompt": f"prompt {n}", "category": n.split("-")[0], "seed": seed, "score": s, "values": {}}
            for n, s in scores.items()
        ],
    }


def _scores(seed: int, **shift: float) -> dict[str, float]:
    """Scores of hard and easy prompts alike for all; `shift` moves a category."""
    hard = np.random.default_rng(0).random(len(NAMES)) * 0.6
    noise = np.random.default_rng(seed).normal(0, 0.02, len(NAMES))
    return {n: float(h + e + shift.get(n.split("-")[0], 0.0)) for n, h, e in zip(NAMES, hard, noise, strict=True)}


class Runner:
    """Stands in for the commands: notes them, and writes what they would."""

    def __init__(self, runs: Path, scores: dict[str, dict[str, float]]) -> None:
        self.runs, self.scores = runs, scores
        self.calls: list[tuple[str, str, list[str]]] = []

    def __call__(self, command: list[str]) -> int:
        module, given = command[2], command[3:]
        values = dict(word.split("=", 1) for word in given)
        if module == "mov_ai.train":
            folder = Path(values["hydra.run.dir"])
            with torch.random.fork_rng():
                network = build_denoiser(NETWORK)
            save_component(network, folder / "export")
            write_json(folder / "export" / CASCADE_FILE, {"last": 128, "steps": [2, 1, 1]})
            write_json(folder / "result.json", _trained(count=parameters(network)))
            peer = folder.name
        else:
            folder = Path(values["output"])
            assert (Path(values["checkpoint"]) / "pipeline.json").is_file()
            peer = folder.parent.name
            write_json(folder / "results.json", _measured(self.scores[peer]))
        self.calls.append((module, peer, given))
        return 0


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    scores = {"ours": _scores(1), "text_only": _scores(2, counts=0.2, motion=-0.2), "unet3d": _scores(3)}
    return Runner(tmp_path / "runs", scores)


def _study(tmp_path: Path, runner: Runner, *given: str) -> dict[str, Any] | None:
    options = arguments([*given, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "experiments")])
    return run(options, Console(quiet=True), runner)


def test_names() -> None:
    assert chosen("peers") == list(PEERS)
    assert chosen("peers/unet3d") == ["unet3d"]
    assert next(iter(PEERS)) == "ours"
    for wrong in ("", "peer", "peers/", "peers/none", "unet3d"):
        with pytest.raises(UsageError, match=r"expected one of peers, peers/ours, .*; found"):
            chosen(wrong)


def test_a_peer_is_trained_evaluated_and_compared(tmp_path: Path, runner: Runner) -> None:
    _study(tmp_path, runner, "peers/ours", "--train", "trainer.max_steps=3", "--evaluate", "eval.num_videos=2")
    (module, _, training), (other, _, evaluation) = runner.calls
    assert (module, other) == ("mov_ai.train", "studies.peers.evaluate")
    assert "experiment=peers/ours" in training
    assert training[-1] == "trainer.max_steps=3"
    assert {"suite=video", "eval.stage=128", "eval.layout_videos=0", "eval.num_videos=2"} <= set(evaluation)
    found = _study(tmp_path, runner, "peers/text_only")
    assert found is not None
    assert list(found["peers"]) == ["ours", "text_only"]
    verdicts = {k: v["verdict"] for k, v in found["peers"]["text_only"]["against_ours"].items()}
    assert verdicts == {ALL: "cannot be told apart", "counts": "wins", "motion": "loses"}
    assert json.loads((tmp_path / "experiments/peers/results.json").read_text()) == found
    text = (tmp_path / "experiments/peers/report.md").read_text()
    assert "**text_only beats ours in counts.**" in text
    assert "loses: motion (-0." in text
    assert f"cannot be told apart: {ALL}" in text


def test_where_nobody_wins_the_report_says_so(tmp_path: Path, runner: Runner) -> None:
    for name in ("peers/ours", "peers/unet3d"):
        _study(tmp_path, runner, name)
    text = (tmp_path / "experiments/peers/report.md").read_text()
    assert "No peer beats ours in anything that was measured." in text


def test_costs_are_told(tmp_path: Path, runner: Runner) -> None:
    found = _study(tmp_path, runner, "peers/ours")
    assert found is not None
    ours = found["peers"]["ours"]
    assert ours["flops_of_training"] == ours["flops_per_step"] * ours["steps"] > 0
    assert ours["flops_per_video"] > ours["flops_per_video_denoiser"] > 0
    assert ours["equal"] == {"parameters": 1.0, "flops_of_training": 1.0}
    assert ours["seconds_per_video"] == 1.5


def test_what_is_trained_is_not_trained_again_unless_asked(tmp_path: Path, runner: Runner) -> None:
    for given in ((), (), ("--fresh",), ("--do", "table")):
        _study(tmp_path, runner, "peers/ours", *given)
    trainings = [given for module, _, given in runner.calls if module == "mov_ai.train"]
    assert len(trainings) == 2
    assert "trainer.resume=never" not in trainings[0]
    assert "trainer.resume=never" in trainings[1]
    assert sum(module == "studies.peers.evaluate" for module, _, _ in runner.calls) == 3


def test_a_pipeline_is_assembled_anew_after_every_training(tmp_path: Path, runner: Runner) -> None:
    study = Study(tmp_path / "runs", runner)
    study.train("ours")
    folder = study.assemble("ours")
    (folder / "denoiser" / "model.safetensors").write_bytes(b"of an earlier training")
    assert study.assemble("ours") == folder
    MovAIPipeline.from_pretrained(folder, "cpu")
    assert read_json(folder / "pipeline.json")["name"] == "ours"


def test_an_evaluation_of_earlier_weights_is_not_used(tmp_path: Path, runner: Runner) -> None:
    _study(tmp_path, runner, "peers/ours")
    with pytest.raises(MovAIError, match="ours was trained again since; run make study NAME=peers/ours"):
        _study(tmp_path, runner, "peers/ours", "--fresh", "--do", "train", "table")


def test_a_peer_alone_has_nothing_to_be_compared_with(tmp_path: Path, runner: Runner) -> None:
    with pytest.raises(MovAIError, match="nothing to compare with; run make study NAME=peers/ours first"):
        _study(tmp_path, runner, "peers/unet3d")


def test_a_failure_ends_the_study_with_its_exit_code(tmp_path: Path) -> None:
    study = Study(tmp_path, lambda command: 7)
    with pytest.raises(MovAIError, match="training ours ended with exit code 7") as failure:
        study.train("ours")
    assert failure.value.exit_code == 7
    with pytest.raises(MovAIError, match="ours is not trained; run make study NAME=peers/ours"):
        study.assemble("ours")


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nope"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"study: expected one of peers, {', '.join(f'peers/{name}' for name in PEERS)}; found 'nope'"
    ]


# -- the comparison ----------------------------------------------------------------------------------------------------


def _entrant(name: str, measured: dict[str, Any], steps: int = 10, count: int = 1000) -> Entrant:
    flops = {"training_sample": 100, "video": 50, "video_denoiser": 40}
    return Entrant(name, name, _trained(steps, count), measured, Path(f"{name}.json"), flops)


def test_pairs_see_what_separate_means_do_not() -> None:
    ours, peer = _scores(1), _scores(2, counts=0.05, motion=0.05)
    result = paired(ALL, peer, ours)
    assert result is not None
    assert result.verdict == "wins"
    assert result.difference == pytest.approx(0.05, abs=0.01)
    assert result.ci95 is not None
    # The scores themselves spread ten times as wide as their differences.
    assert np.std(list(ours.values())) > 5 * (result.ci95[1] - result.ci95[0])
    back = paired(ALL, ours, peer)
    assert back is not None
    assert back.verdict == "loses"


def test_the_better_side_may_be_below() -> None:
    ours, peer = _scores(1), _scores(2, counts=-0.3, motion=-0.3)
    result = paired("lpips", peer, ours, higher_is_better=False)
    assert result is not None
    assert (result.verdict, result.difference < 0) == ("wins", True)


def test_too_little_tells_nothing_apart() -> None:
    assert paired(ALL, {"a": 1.0}, {"b": 0.0}) is None
    single = paired(ALL, {"a": 1.0}, {"a": 0.0})
    assert single is not None
    assert (single.ci95, single.verdict) == (None, "cannot be told apart")
    same = paired(ALL, {"a": 1.0, "b": 0.0}, {"a": 1.0, "b": 0.0})
    assert same is not None
    assert (same.difference, same.verdict) == (0.0, "cannot be told apart")


def test_other_prompts_are_refused() -> None:
    ours, other = _entrant("ours", _measured(_scores(1))), _entrant("unet3d", _measured(_scores(2), seed=5))
    with pytest.raises(MovAIError, match="other prompts or seeds"):
        against(other, ours)
    changed = _measured(_scores(2))
    changed["compositional_depends_on"] = {"checker": "another"}
    with pytest.raises(MovAIError, match="checked by other means"):
        against(_entrant("unet3d", changed), ours)


def test_what_is_not_equal_is_told() -> None:
    ours = _entrant("ours", _measured(_scores(1)))
    told = document([ours, _entrant("unet3d", _measured(_scores(2)), steps=20, count=2000)])["notices"]
    assert any("2.00 times the parameters of ours" in line for line in told)
    assert any("2.00 times the training compute of ours" in line for line in told)
    assert any("20 steps instead of 10" in line for line in told)
    assert any("one training each" in line for line in told)
    told = document([ours, _entrant("no_gating", _measured(_scores(2)))])["notices"]
    assert not any("times the" in line or "steps instead" in line for line in told)
