"""The study as it is run: what is trained when and for how long, and what its README says of made-up figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json, write_json
from mov_ai.hydra_entry import config_directory
from mov_ai.models.registry import load_denoiser
from mov_ai.train import build_objective, register_resolvers, trainer_config
from mov_ai.training import latents
from mov_ai.training.loop import Trainer
from studies.graph_vs_text.judge import TOPICS
from studies.graph_vs_text.projection import built
from studies.temporal_parts import evaluate
from studies.temporal_parts.compute import TRAININGS, Cost, equal_steps
from studies.temporal_parts.report import document, write_report
from studies.temporal_parts.study import ARMS, AROUND, SEEDS, TemporalStudy, arguments, main, projected, run, steps_of
from tests.training.objectives.here_pool import HerePool

PROMPTS = 24
#: Of a step of image, layers, blocks, TSAM.
COSTS = {
    name: Cost(flops * 1e9, 0.5, parameters)
    for name, flops, parameters in zip(TRAININGS, (10, 12, 15, 12), (900, 300, 500, 1200), strict=True)
}
STEPS = equal_steps(COSTS, 100, 0.5)


def made_up(arm: str = "blocks", seed: int = 0, level: float = 0.5, flicker: float = 2.0) -> dict[str, Any]:
    """Figures of a run that passes about `level` of the questions."""
    rng = np.random.default_rng([seed, *arm.encode()])
    rows = {topic: [[int(rng.random() < level), 1] for _ in range(PROMPTS)] for topic in TOPICS}
    return {
        **{"arm": arm, "seed": seed, "steps": steps_of(arm, STEPS), "samples": 800, "seconds": 60.0},
        **{"machine": "a machine", "version": evaluate.VERSION, "prompts": PROMPTS, "answers": rows},
        **{"parameters": 1400, "seconds_per_video": 0.2, "distance": [0.3] * PROMPTS, "warping": [0.001] * PROMPTS},
        **{"fvd": 100.0, "still": 0.25, "networks": {"is": "network one", "similarity": "network two"}},
        "is": {"value": 5 + 10 * level + 0.1 * seed, "ci95": [5.0, 9.0]},
        "similarity": [level + 0.01 * i for i in range(PROMPTS)],
        "flicker": [flicker + 0.01 * i for i in range(PROMPTS)],
    }


CEILING = made_up("image", 0, 2.0, 0.5)


class Runner:
    """Stands in for the trainings: notes what is run, and writes result.json; None from the call `stop` on."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.calls: list[tuple[str, int, int, dict[str, str]]] = []

    def __call__(self, command: list[str], seconds: float | None) -> int | None:
        assert command[1:3] == ["-m", "mov_ai.train"]
        values = dict(word.split("=", 1) for word in command[3:])
        arm, seed, steps = values["experiment"].split("/")[1], int(values["seed"]), int(values["trainer.max_steps"])
        self.calls.append((arm, seed, steps, values))
        if self.stop is not None and len(self.calls) >= self.stop:
            return None
        trained = {"steps": steps, "samples": 8 * steps, "seconds": 1.0, "parameters": 1000}
        write_json(Path(values["hydra.run.dir"]) / "result.json", trained)
        return 0


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring and judging take no time."""

    class Judges:
        told: tuple[()] = ()

        def figures(self, videos: Any) -> dict[str, Any]:
            return {name: value for name, value in made_up().items() if name not in ("arm", "seed", "steps")}

    monkeypatch.setattr(TemporalStudy, "costs", lambda self: COSTS)
    monkeypatch.setattr(TemporalStudy, "judges", lambda self: Judges())
    monkeypatch.setattr(TemporalStudy, "ceiling", lambda self: CEILING)
    monkeypatch.setattr("studies.graph_vs_text.evaluate.sampled", lambda *_: ([], 0.1))
    monkeypatch.setattr("studies.temporal_parts.evaluate.save_alone", lambda *_: None)


def _run(tmp_path: Path, runner: Runner, *given: str) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--prompts", str(PROMPTS)]
    run(arguments([*places, "--steps", "100", *given]), Console(quiet=True), runner)


def test_the_image_model_is_trained_once_and_what_is_around_it_stands_on_it(pretended: None, tmp_path: Path) -> None:
    runner = Runner()
    _run(tmp_path, runner)
    assert [call[:3] for call in runner.calls] == [(name, seed, STEPS[name]) for seed in SEEDS for name in TRAININGS]
    for arm, seed, _, values in runner.calls:
        expected = str(tmp_path / "runs" / "image" / str(seed) / "export")
        assert values.get("image_model") == (expected if arm in AROUND else None)
    again = Runner()
    _run(tmp_path, again)
    assert again.calls == []
    results = read_json(tmp_path / "out" / "results.json")
    assert list(results["arms"]) == list(ARMS)
    assert results["arms"]["blocks"]["steps"] == {"image": STEPS["image"], "blocks": STEPS["blocks"]}


def test_an_arm_alone_and_a_stopped_study_go_on(pretended: None, tmp_path: Path) -> None:
    first = Runner(stop=2)
    _run(tmp_path, first, "--only", "blocks/1", "--minutes", "5")
    second = Runner()
    _run(tmp_path, second, "--only", "blocks/1", "--train", "objective.batch_size=2")
    assert [call[:2] for call in (*first.calls, *second.calls)] == [("image", 1), ("blocks", 1), ("blocks", 1)]
    assert second.calls[0][3]["objective.batch_size"] == "2"


def test_a_training_of_other_steps_is_no_beginning(pretended: None, tmp_path: Path) -> None:
    _run(tmp_path, Runner(), "--only", "tsam/0")
    with pytest.raises(MovAIError, match="trained for 100 steps instead of 50; give another --runs"):
        TemporalStudy(tmp_path / "runs", PROMPTS, run=Runner()).train("tsam", 0, 50)


def test_compute_is_equal() -> None:
    assert STEPS == {"image": 60, "layers": 50, "blocks": 40, "tsam": 100}
    total = 100 * COSTS["tsam"].flops
    for arm in AROUND:
        assert STEPS["image"] * COSTS["image"].flops + STEPS[arm] * COSTS[arm].flops == pytest.approx(total)
    assert "60 steps of 10.0 GFLOP and 0.500 s, 900 parameters: 0.5 minutes" in _projected()
    with pytest.raises(UsageError, match="--steps: 1 steps of TSAM's leave none to another training"):
        equal_steps({**COSTS, "blocks": Cost(1e12, 1.0, 1)}, 1, 0.5)


def _projected() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("studies.graph_vs_text.projection.seconds_per_video", lambda: 0.3)
        text = projected(COSTS, STEPS, 3, 100)
    torch.set_num_threads(1)
    return text


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["--only", "block"], 2, "--only: expected image, layers, blocks, tsam, with /SEED of"),
        (["--steps", "0"], 2, "--steps: expected 1 or more; found 0"),
        (["--share", "1"], 2, "--share: expected a number between 0 and 1; found 1"),
        (["--prompts", "1"], 2, "--prompts: expected 2 or more; found 1"),
        (["--report"], 1, "nothing is measured yet; run the command without --report first"),
    ],
)
def test_mistakes_are_one_line(
    given: list[str], code: int, words: str, pretended: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*given, "--runs", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


# -- the report --------------------------------------------------------------------------------------------------------


def test_the_readme_says_what_the_figures_say(tmp_path: Path) -> None:
    levels = {"image": (0.1, 30.0), "layers": (0.4, 3.0), "blocks": (0.9, 2.0), "tsam": (0.5, 4.0)}
    runs = [made_up(arm, seed, *values) for arm, values in levels.items() for seed in SEEDS]
    text = write_report(tmp_path, runs, CEILING, COSTS)
    assert (tmp_path / "README.md").read_text() == text
    results = read_json(tmp_path / "results.json")
    blocks = results["arms"]["blocks"]
    assert blocks["is"] == {"value": 14.1, "of_seeds": [14.0, 14.1, 14.2], "ci95_of_seeds": [[5.0, 9.0]] * 3}
    assert blocks["training_flops"] == pytest.approx(100 * 12e9)
    for words in (
        "Best in what was asked for: **blocks**, told apart from tsam, which is next.",
        "Best in IS: **blocks**, told apart from tsam",
        "Best in flicker: **blocks**, told apart from layers",
        "14.10 [14.00, 14.10, 14.20]",
        "network one, in one split",
        "cosine of caption and video, network two",
        "the 25.0 % of the frame",
        "blocks: score more, IS more, similarity more, flicker less.",
        "Equal is compute, and not size: layers 300 and blocks 500 parameters over time.",
        "| blocks | 3 | 60 + 40 | 1.20 | 1,400 | 500 |",
    ):
        assert words in text
    assert "Not every arm has three seeds" not in text


def test_arms_that_are_alike_are_not_told_apart(tmp_path: Path) -> None:
    runs = [made_up(arm, seed, 0.5) for arm in AROUND for seed in SEEDS]
    text = write_report(tmp_path, runs, CEILING, COSTS)
    assert "not told apart from" in text
    assert "Not every arm has three seeds yet" in text


def test_one_arm_alone_has_a_table_and_no_comparison(tmp_path: Path) -> None:
    assert document([made_up()], CEILING, COSTS)["comparisons"] == []
    assert "One arm alone is measured yet." in write_report(tmp_path, [made_up()], CEILING, COSTS)


# -- the trainings -----------------------------------------------------------------------------------------------------

SMALL = [
    *("objective.batch_size=2", "clips.clips=4", "clips.validation_clips=4", "trainer.warmup_steps=1"),
    *("model.denoiser.labels.width=64",),
]
#: Of the image model; the arms around it have none of these.
SMALL_IMAGE = ["image_network.widths=[16,16]", "image_network.heads=2", "image_network.text_width=16"]


def composed(arm: str, *overrides: str) -> Any:
    register_resolvers()
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose("train", overrides=[f"experiment=temporal_parts/{arm}", *overrides], return_hydra_config=True)


def test_arms_differ_in_what_looks_over_time_only() -> None:
    plain: list[Any] = [
        OmegaConf.to_container(composed(arm).objective, resolve=True) for arm in ("layers", "blocks", "tsam")
    ]
    layers, blocks, tsam = plain
    assert layers["model"].pop("temporal") == "layers"
    assert blocks["model"].pop("temporal") == "blocks"
    assert layers["model"] == blocks["model"]
    model: Any = tsam["model"]
    assert (model.get("text", True), model["graph"], model["layout"]) == (True, False, False)
    for one in (layers, blocks, tsam):
        one.pop("model")
        one.pop("experiment")
    assert layers == blocks == tsam
    image = composed("image")
    assert image.clips == composed("tsam").clips == composed("blocks").clips


@pytest.fixture
def clips(tmp_path: Path) -> Iterator[str]:
    """A setting for a folder of cached clips, four to a chunk."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latents, "CHUNK", 4)
        patch.setattr(latents, "ProcessPoolExecutor", HerePool)
        yield f"clips.cache={tmp_path / 'clips'}"
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_an_image_model_and_blocks_are_trained_and_judged(clips: str, tmp_path: Path) -> None:
    def here(command: list[str], seconds: float | None) -> int:
        values = dict(word.split("=", 1) for word in command[3:])
        arm = values["experiment"].split("/")[1]
        more = SMALL_IMAGE if arm == "image" else []
        config = composed(arm, *(word for word in command[3:] if "experiment=" not in word), *more)
        Trainer(build_objective(config.objective, 0), trainer_config(config.trainer), values["hydra.run.dir"]).run()
        return 0

    settings = [*SMALL, clips]
    study = TemporalStudy(tmp_path / "runs", 2, settings=settings, run=here)
    # The image model's heads are as narrow as its widths.
    steps = {"image": 2, "layers": 1, "blocks": 2, "tsam": 1}
    for arm in ("image", "blocks"):
        study.run_arm(arm, 0, steps)
        figures = study.measured(arm, 0, steps)
        assert figures is not None
        assert len(figures["flicker"]) == len(figures["similarity"]) == 2
        assert figures["is"]["value"] >= 1
        assert 0 < figures["still"] < 1
    blocks = study.measured("blocks", 0, steps)
    assert blocks is not None
    assert study.measured("blocks", 0, {**steps, "image": 3}) is None
    alone = load_denoiser(tmp_path / "runs" / "image" / "0" / "alone")
    assert not any(part.out.weight.any() for part in alone.blocks if hasattr(part, "out"))  # type: ignore[union-attr, operator]
    assert study.ceiling()["flicker"] == study.judges().figures([*_through_codec(study)])["flicker"]
    write_report(tmp_path / "out", [blocks], study.ceiling(), COSTS)


def _through_codec(study: TemporalStudy) -> Iterator[np.ndarray]:
    from studies.graph_vs_text.evaluate import embedded_codec
    from studies.stages.measure import through_codec

    for video in study.judges().truth:
        yield through_codec(embedded_codec(), video)


def test_an_image_model_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(MovAIError, match="image_model: 'nowhere': no such folder"):
        built("temporal_parts/layers", ["image_model=nowhere"])
