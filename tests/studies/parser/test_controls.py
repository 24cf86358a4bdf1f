"""Controls of the graph network: what is trained, what is not trained again, and the table of made-up figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mov_ai.graph.files import read_json, write_json
from studies.parser import controls
from studies.parser.controls import CONTROLS, SEEDS, main


class Trainings:
    """Stands in for the commands: notes them, and leaves what they would."""

    def __init__(self, most: int = 99) -> None:
        self.given: list[dict[str, str]] = []
        self.most = most

    def __call__(self, command: list[str], seconds: float | None) -> int | None:
        if len(self.given) == self.most:
            return None
        values = dict(word.split("=", 1) for word in command[3:])
        self.given.append(values)
        write_json(Path(values["hydra.run.dir"]) / "export" / "config.json", {})
        return 0


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    folders: list[Path] = []

    class Parser:
        @staticmethod
        def from_pretrained(folder: Path) -> Path:
            folders.append(folder)
            return folder

    names = ("Set Match", "SPICE F", "prompts", "event_order")
    monkeypatch.setattr(controls, "SceneGraphParser", Parser)
    monkeypatch.setattr(
        controls, "figures", lambda folder: dict.fromkeys(names, 0.5 + 0.1 * ("-0" in folder.parent.name))
    )
    return folders


def test_all_kinds_are_trained_alike_and_once(
    tmp_path: Path, measured: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    stopped = Trainings(most=3)
    main(given, stopped)
    assert "the same command goes on" in capsys.readouterr().out
    rest = Trainings()
    main(given, rest)
    trained = stopped.given + rest.given
    assert len(trained) == len(CONTROLS) * len(SEEDS) == len(measured)
    differing = {"objective.network.edges", "objective.network.layers", "seed", "hydra.run.dir"}
    assert all(set(values) == {"experiment", *differing} for values in trained)
    kinds = {(v["objective.network.edges"], int(v["objective.network.layers"]), int(v["seed"])) for v in trained}
    assert kinds == {(control.edges, control.layers, seed) for control in CONTROLS for seed in SEEDS}
    assert capsys.readouterr().out.count("| 55.0 (60.0, 50.0) ") == 4 * len(CONTROLS)
    assert len(read_json(tmp_path / "controls.json")["controls"]) == len(CONTROLS)
