"""Claims of the paper: which commands are run, what is not run again, and what the README says of made-up figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from rich.console import Console

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json, write_json
from mov_ai.hydra_entry import config_directory
from mov_ai.train import register_resolvers
from studies.graph_vs_text import evaluate
from studies.paper_claims.report import varied, write_report
from studies.paper_claims.study import PAPER_WEIGHTS, SWEEP, Study, arguments, main, run

PROMPTS = 10


def figures(share: float, warping: float) -> dict[str, Any]:
    """Measured of a training that shows this share of what was asked for."""
    rows = [[int(number < share * PROMPTS), 1] for number in range(PROMPTS)]
    spread = np.linspace(0.95, 1.05, PROMPTS)
    return {"prompts": PROMPTS, "answers": {"looks": rows}, "warping": [float(warping * each) for each in spread]}


def stages(gain: float) -> dict[str, Any]:
    """What studies.stages.measure writes, shortened."""

    def value(number: float) -> dict[str, Any]:
        return {"value": number, "ci95": [number - 0.1, number + 0.1]}

    rows = []
    for size in (256, 512):
        shared = {"edge_gradient": value(0.9), "flicker": value(1.0)}
        own = {"object_psnr": value(20 + gain), "gain": value(gain), "object_psnr_of_clips": [20 + gain] * 4}
        rows.append({"size": size, "row": "stage", **shared, **own})
        rows.append({"size": size, "row": "first stage enlarged", **shared, "object_psnr": value(20.0)})
    return {"clips": 4, "split": "validation", "checkpoint": "tiny", "rows": rows}


class Runner:
    """Stands in for the commands: notes them, and writes what they would."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def __call__(self, command: list[str], seconds: float | None) -> int:
        module, given = command[2], [word for word in command[3:] if word != "-m"]
        self.calls.append((module, given))
        if module == "mov_ai.train":
            values = dict(word.split("=", 1) for word in given)
            swept = next(word for word in given if word.startswith("loss."))
            name, _, choices = swept.partition("=")
            for choice in choices.split(","):
                folder = Path(values["hydra.sweep.dir"]) / f"{name}={choice}"
                (folder / ".hydra").mkdir(parents=True)
                others = [f"{key}={value}" for key, value in values.items() if key.startswith("trainer.")]
                overrides = [f"experiment={values['experiment']}", f"{name}={choice}", *others]
                (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
                write_json(folder / "result.json", {"status": "finished"})
        else:
            write_json(Path(given[given.index("--out") + 1]), stages(1.0))
        return 0


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging takes no time."""

    class Judges:
        def __init__(self, prompts: int) -> None:
            self.told: list[Any] = []
            self.truth: list[Any] = []

        def figures(self, videos: list[Any]) -> dict[str, Any]:
            return figures(0.5, 0.01)

    monkeypatch.setattr(evaluate, "Judges", Judges)
    monkeypatch.setattr(evaluate, "sampled", lambda *_: ([], 0.0))
    monkeypatch.setattr(evaluate, "embedded_codec", lambda: None)
    monkeypatch.setattr(evaluate, "parsed_alike", lambda _: 1.0)


def _run(tmp_path: Path, runner: Runner, *given: str) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--prompts", str(PROMPTS)]
    run(arguments([*given, *places]), Console(quiet=True), runner)


@pytest.mark.usefixtures("judged")
def test_the_sweep_goes_over_each_weight_once(tmp_path: Path) -> None:
    runner = Runner()
    _run(tmp_path, runner, "loss", "--train", "trainer.max_steps=2")
    assert [next(word for word in given if word.startswith("loss.")) for _, given in runner.calls] == [
        "loss.temporal=1,0,0.5,2,8",
        "loss.semantic=0,0.25,1,4",
        "loss.perceptual=0,0.05,0.4,3.2",
    ]
    assert all(given[-1] == "trainer.max_steps=2" for _, given in runner.calls)
    results = read_json(tmp_path / "out" / "results.json")
    assert len(results["loss"]) == 1 + sum(map(len, SWEEP.values()))
    # The paper's own weights belong to each row.
    for name in SWEEP:
        assert [p[name] for p in varied(results["loss"], name)] == sorted((PAPER_WEIGHTS[name], *SWEEP[name]))
    again = Runner()
    _run(tmp_path, again, "loss", "--train", "trainer.max_steps=2")
    assert again.calls == []
    assert results["true_clips"]["prompts"] == PROMPTS
    # Trials with other settings are no points of the sweep itself.
    assert Study(tmp_path / "runs").trained() == []


@pytest.mark.usefixtures("judged")
def test_only_what_is_missing_of_the_sweep_is_trained(tmp_path: Path) -> None:
    _run(tmp_path, Runner(), "loss")
    (tmp_path / "runs" / "sweep" / "loss.semantic=4" / "result.json").unlink()
    runner = Runner()
    study = Study(tmp_path / "runs", run=lambda command, seconds: runner.calls.append((command[2], command[3:])) or 0)
    study.sweep(PROMPTS)
    assert [given[2] for _, given in runner.calls] == ["loss.semantic=4"]


def test_sizes_are_measured_by_the_study_of_stages(tmp_path: Path) -> None:
    runner = Runner()
    for _ in range(2):
        _run(tmp_path, runner, "sizes", "--clips", "4")
    ((module, given),) = runner.calls
    assert module == "studies.stages.measure"
    assert given[:4] == ["--checkpoint", "tiny", "--clips", "4"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert "At 512 the stage is better than the first stage enlarged: +1.00 dB." in text
    assert text.count("Not measured yet.") == 2


def test_modules_need_a_denoiser(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--denoiser: expected the folder of a finished run"):
        _run(tmp_path, Runner(), "modules")


def test_nothing_measured_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["report", "--runs", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert "nothing is measured yet; run the part loss, modules or sizes first" in capsys.readouterr().err
    with pytest.raises(MovAIError, match="ended with exit code 9"):
        Study(tmp_path, run=lambda *_: 9).sizes("tiny", 1)


def test_the_readme_says_what_the_figures_say(tmp_path: Path) -> None:
    for value, share, warping in ((0.0, 0.1, 0.02), (0.5, 1.0, 0.01), (1.0, 1.0, 0.01)):
        weights = {**PAPER_WEIGHTS, "temporal": value}
        write_json(tmp_path / "runs" / "sweep" / str(value) / "figures.json", {**weights, **figures(share, warping)})
    write_json(tmp_path / "runs" / "modules" / "apart.json", stages(0.5))
    write_json(tmp_path / "runs" / "modules" / "joined.json", stages(1.75))
    write_json(tmp_path / "runs" / "sizes.json", stages(-0.5))
    text = write_report(tmp_path / "runs", tmp_path / "out")
    assert "- **temporal**: what is shown of what was asked for is less at 0; the warping error is more at 0." in text
    assert "| temporal | 0.5 | 100.0 [100.0, 100.0] | +0.0 [+0.0, +0.0] |" in text
    assert "Joined gains +1.25 [+1.25, +1.25] dB over apart, on the same 4 clips" in text
    assert "At 256 the stage is worse than the first stage enlarged: -0.50 dB." in text
    assert (tmp_path / "out" / "loss.svg").read_text().count("<circle") == 3 + 1 + 1


@pytest.mark.parametrize("name", ["loss_weights", "refiner"])
def test_configurations_are_those_of_what_they_stand_on(name: str) -> None:
    register_resolvers()
    base = {"loss_weights": "graph_vs_text/boxes", "refiner": "tiny/refiner"}[name]
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        own, other = (compose("train", overrides=[f"experiment={e}"]) for e in (f"paper_claims/{name}", base))
    assert own.model == other.model
    assert own.loss == other.loss
    assert own.objective.batch_size == other.objective.batch_size
    assert own.trainer.max_steps < other.trainer.max_steps
