"""The study as it is run: what is done when, what is not done again, and what its README says of made-up figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import read_json, write_json
from studies.bounded_commands import TimeUp
from studies.graph_vs_text import evaluate
from studies.graph_vs_text.judge import TOPICS
from studies.graph_vs_text.report import difference, document, score, topic_shares, write_report
from studies.graph_vs_text.study import ARMS, SEEDS, Study, arguments, chosen, main, run

PROMPTS = 24


def made_up(
    arm: str = "text", seed: int = 0, steps: int = 10, level: float = 0.5, distance: float = 0.5
) -> dict[str, Any]:
    """Figures of a run that passes about `level` of the questions."""
    rng = np.random.default_rng([seed, steps, *arm.encode()])
    rows = {topic: [[int(rng.random() < level), 1] for _ in range(PROMPTS)] for topic in TOPICS}
    # Half of the captions raise no question about a change.
    rows["change"][::2] = [[0, 0]] * len(rows["change"][::2])
    return {
        **{"arm": arm, "seed": seed, "steps": steps, "samples": 16 * steps, "seconds": 60.0, "parameters": 1000},
        **{"machine": "a machine", "version": evaluate.MEASURE_VERSION, "prompts": PROMPTS, "answers": rows},
        "distance": [distance + 0.001 * i for i in range(PROMPTS)],
        "warping": [0.001] * PROMPTS,
        "fvd": 1000 * distance,
    }


CEILING = {**made_up(level=2.0, distance=0.1), "parsed_alike": 0.975}


class Runner:
    """Stands in for the trainings: notes what is run, and writes result.json; None from the call `stop` on."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.calls: list[tuple[str, int, int, list[str]]] = []

    def __call__(self, command: list[str], seconds: float | None) -> int | None:
        assert command[1:3] == ["-m", "mov_ai.train"]
        values = dict(word.split("=", 1) for word in command[3:])
        arm, seed, steps = values["experiment"].split("/")[1], int(values["seed"]), int(values["trainer.max_steps"])
        self.calls.append((arm, seed, steps, command[3:]))
        if self.stop is not None and len(self.calls) >= self.stop:
            return None
        trained = {"steps": steps, "samples": 16 * steps, "seconds": 1.0, "parameters": 1000}
        write_json(Path(values["hydra.run.dir"]) / "result.json", trained)
        return 0


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging takes no time."""

    def measure(self: Study, arm: str, seed: int, trained: dict[str, Any], off: Sequence[str] = ()) -> None:
        figures = made_up(arm, seed, trained["steps"])
        more = {"without": dict.fromkeys(off, figures["answers"])} if off else {}
        self.keep(arm, seed, trained["steps"], {**figures, **more})

    monkeypatch.setattr(Study, "measure", measure)
    monkeypatch.setattr(Study, "ceiling", lambda self: CEILING)


def _run(tmp_path: Path, runner: Runner, *given: str) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--prompts", str(PROMPTS)]
    run(arguments([*places, "--budgets", "5", "10", *given]), Console(quiet=True), runner)


def _order(runner: Runner) -> list[tuple[str, int, int]]:
    return [call[:3] for call in runner.calls]


def test_seed_by_seed_arm_by_arm_budget_by_budget(tmp_path: Path) -> None:
    runner = Runner()
    _run(tmp_path, runner)
    assert _order(runner) == [(arm, seed, steps) for seed in SEEDS for arm in ARMS for steps in (5, 10)]
    again = Runner()
    _run(tmp_path, again)
    assert again.calls == []
    assert set(read_json(tmp_path / "out" / "results.json")["arms"]) == set(ARMS)
    assert (tmp_path / "out" / "curves.svg").read_text().startswith("<svg")
    assert "with nodes that hold all the time it answers change" in (tmp_path / "out" / "README.md").read_text()


def test_what_is_asked_for_only(tmp_path: Path) -> None:
    runner = Runner()
    _run(tmp_path, runner, "--only", "graph", "text/1", "--train", "objective.batch_size=2")
    assert _order(runner) == [("graph", 0, 5), ("graph", 0, 10), ("text", 1, 5), ("text", 1, 10)] + [
        ("graph", seed, steps) for seed in (1, 2) for steps in (5, 10)
    ]
    assert all(given[-1] == "objective.batch_size=2" for *_, given in runner.calls)
    with pytest.raises(UsageError, match=r"--only: expected text, graph, .*; found 'grpah'"):
        chosen(["grpah"], SEEDS)
    with pytest.raises(UsageError, match="found 'graph/1'"):
        chosen(["graph/1"], (0,))


def test_a_stopped_study_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Runner(stop=4)
    _run(tmp_path, first, "--minutes", "5")
    assert len(first.calls) == 4
    second = Runner()
    _run(tmp_path, second)
    assert _order(second)[0] == _order(first)[-1]
    assert len(first.calls) - 1 + len(second.calls) == len(SEEDS) * len(ARMS) * 2


def test_no_training_begins_after_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(TimeUp, match="the same command goes on"):
        Study(tmp_path, deadline=time.monotonic() - 1).check_time()
    Study(tmp_path).check_time()


def test_figures_of_another_measure_are_made_again(tmp_path: Path) -> None:
    study = Study(tmp_path, PROMPTS)
    study.keep("text", 0, 10, made_up(steps=10))
    study.keep("text", 0, 5, made_up())
    assert study.figures("text", 0, 5) is not None
    for change in ({"version": 0}, {"prompts": PROMPTS + 1}):
        study.keep("text", 0, 5, {**made_up(), **change})
        assert study.figures("text", 0, 5) is None
    found = study.figures("text", 0, 10)
    assert found == {**made_up(steps=10), "settings": []}
    # Of a trial with other settings.
    study.settings = ["objective.batch_size=2"]
    assert study.figures("text", 0, 10) is None


def test_figures_that_are_kept_need_no_trainings(tmp_path: Path) -> None:
    _run(tmp_path, Runner())
    elsewhere = Runner()
    _run(tmp_path, elsewhere, "--runs", str(tmp_path / "another"))
    assert elsewhere.calls == []


def test_a_failure_is_told(tmp_path: Path) -> None:
    with pytest.raises(MovAIError, match="text, seed 0: training ended with exit code 3; the same command goes on"):
        Study(tmp_path, run=lambda *_: 3).train("text", 0, 5)

    def beyond(command: list[str], seconds: float | None) -> int:
        write_json(tmp_path / "text" / "0" / "result.json", {"steps": 9})
        return 0

    with pytest.raises(MovAIError, match="trained 9 steps, past 5; remove it to begin anew"):
        Study(tmp_path, run=beyond).train("text", 0, 5)


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--budgets", "10", "5", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "graph_vs_text: --budgets: expected ascending numbers of steps; found [10, 5]\n"
    assert main(["--report", "--runs", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert "nothing is measured yet" in capsys.readouterr().err


# -- the report --------------------------------------------------------------------------------------------------------


def _runs(arm: str, level: float, distance: float = 0.5, seeds: tuple[int, ...] = SEEDS) -> list[dict[str, Any]]:
    return [made_up(arm, seed, 10, level, distance) for seed in seeds]


def test_a_difference_is_told_apart_only_if_all_seeds_agree() -> None:
    clear, back, equal = (
        difference(_runs("graph", own), _runs("text", other), score)
        for own, other in ((0.9, 0.3), (0.3, 0.9), (0.5, 0.5))
    )
    assert clear is not None
    assert back is not None
    assert equal is not None
    assert (clear["verdict"], back["verdict"], equal["verdict"]) == ("more", "less", "cannot be told apart")
    assert clear["ci95"][0] > 0
    split = difference([*_runs("graph", 0.9, seeds=(0, 1)), made_up("graph", 2, 10, 0.05)], _runs("text", 0.4), score)
    assert split is not None
    assert split["of_seeds"][2] < 0
    assert split["verdict"] == "cannot be told apart"


def test_only_seeds_that_both_have_are_compared() -> None:
    result = difference(_runs("graph", 0.9), _runs("text", 0.3, seeds=(1,)), score)
    assert result is not None
    assert result["seeds"] == [1]


def test_what_was_not_asked_is_left_out(tmp_path: Path) -> None:
    runs = [*_runs("graph", 0.9), *_runs("text", 0.3)]
    for figures in (*runs, ceiling := made_up(level=2.0)):
        figures["answers"]["change"] = [[0, 0]] * PROMPTS
    ceiling["parsed_alike"] = 1.0
    assert difference(runs[:3], runs[3:], topic_shares("change")) is None
    text = write_report(tmp_path, runs, ceiling)
    assert "change" not in read_json(tmp_path / "results.json")["comparisons"][0]
    assert "motion +" in text


def test_the_readme_says_what_the_figures_say(tmp_path: Path) -> None:
    levels = {"text": 0.5, "graph": 0.9, "graph_ungated": 0.3, "boxes": 0.9, "painting": 0.9, "full": 0.95}
    runs = [run for arm, level in levels.items() for run in _runs(arm, level, 0.4 if arm == "full" else 0.5)]
    text = write_report(tmp_path, runs, CEILING)
    assert (tmp_path / "README.md").read_text() == text
    results = read_json(tmp_path / "results.json")
    shown = 100 * results["arms"]["graph"]["10"]["score"]["value"]
    assert f"{shown:.1f} [" in text
    assert "graph less text, 10 steps: graph passes more." in text
    assert "both above 40 %: 10 steps **yes** (" in text
    assert "fall by 15 points or more: **yes**" in text
    assert "FVD falls by 12.7 %. Here the FVD of full is 400 and of text alone 500: it falls by 20.0 %." in text
    assert "the same graph of 97.5 % of them" in text
    assert "Not every arm has three seeds" not in text


def test_every_budget_is_held_to_the_target(tmp_path: Path) -> None:
    levels = {("text", 10): 0.5, ("graph", 10): 0.9, ("text", 20): 0.9, ("graph", 20): 0.9}
    runs = [made_up(arm, seed, steps, level) for (arm, steps), level in levels.items() for seed in SEEDS]
    text = write_report(tmp_path, runs, CEILING)
    assert [one["steps"] for one in read_json(tmp_path / "results.json")["comparisons"]] == [10, 20]
    assert "10 steps **yes** (" in text
    assert "; 20 steps **no** (" in text
    assert "graph less text, 20 steps: they cannot be told apart." in text
    assert "Score after 10 steps +" in text


def test_what_does_not_help_is_told_too(tmp_path: Path) -> None:
    runs = [run for arm in ("text", "graph", "graph_ungated") for run in _runs(arm, 0.5)]
    text = write_report(tmp_path, runs, CEILING)
    assert "graph less text, 10 steps: they cannot be told apart." in text
    assert "both above 40 %: 10 steps **no** (" in text
    assert "**no** (change by" in text
    assert "Full and text are not both measured yet." in text


def test_one_arm_alone_has_a_table_and_no_comparison(tmp_path: Path) -> None:
    text = write_report(tmp_path, [made_up()], CEILING)
    assert document([made_up()], CEILING)["comparisons"] == []
    assert "**text**: the caption alone" in text
    assert "Not every arm has three seeds" in text
