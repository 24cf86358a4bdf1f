"""A short part of `make fuzz`, and whether it would notice what it looks for."""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import pytest

from mov_ai.errors import MovAIError, UsageError
from tools.fuzz.__main__ import finds, main, table
from tools.fuzz.case import RIGHT, Case, Kind, all_kinds, chosen_kinds
from tools.fuzz.workers import in_workers, shuffled_cases, try_case

#: Cases in `make test` of a kind whose share is 1.
SHORT = 20


def _refuse(error: Exception) -> None:
    raise error


def _connect() -> None:
    import socket

    with socket.socket() as connection:
        connection.connect(("127.0.0.1", 9))


def _swallow() -> None:
    with contextlib.suppress(RuntimeError):
        os.system("true")


CASES = {
    "refused cleanly": Case("", lambda: _refuse(UsageError("graph: expected a list; found 3"))),
    "accepted and right": Case("", lambda: 3, lambda result: None if result == 3 else "not 3"),
    "traceback": Case("", lambda: _refuse(KeyError("nodes"))),
    "wrong success": Case("", lambda: 4, lambda result: None if result == 3 else "not 3"),
    "wrong refusal": Case("", lambda: _refuse(UsageError("two\nlines"))),
    "forbidden": Case("", _connect),
}


@pytest.mark.parametrize("outcome", CASES)
def test_each_outcome_is_told_from_the_others(outcome: str) -> None:
    kind = Kind("x", 1.0, lambda rng, folder: CASES[outcome])
    assert try_case(kind, 0, 0).outcome == outcome


def test_what_must_be_refused_or_accepted_and_is_not_is_wrong() -> None:
    kind = Kind("x", 1.0, lambda rng, folder: Case("", lambda: 3, refusal="must"))
    assert try_case(kind, 0, 0).outcome == "wrong success"
    kind = Kind("x", 1.0, lambda rng, folder: Case("", lambda: _refuse(MovAIError("no")), refusal="never"))
    assert try_case(kind, 0, 0).outcome == "wrong refusal"


def test_a_forbidden_act_is_noticed_even_if_its_failure_is_swallowed() -> None:
    assert try_case(Kind("x", 1.0, lambda rng, folder: Case("", _swallow)), 0, 0).outcome == "forbidden"


def _sleeping(rng: random.Random, folder: Path) -> Case:
    if rng.random() < 0.5:
        return Case("sleeps", lambda: time.sleep(60))
    return Case("dies", lambda: os._exit(3)) if rng.random() < 0.5 else Case("works", lambda: None)


def test_a_case_without_end_and_one_that_ends_its_process_do_not_stop_the_rest() -> None:
    kinds = {"sleeping": Kind("sleeping", 1.0, _sleeping)}
    found = list(in_workers([("sleeping", i) for i in (0, 1, 2, 3)], kinds, 2, 2, patience=(3.0, 20.0)))
    assert sorted(o.number for o in found) == [0, 1, 2, 3]
    wanted = {i: _sleeping(random.Random(f"2:sleeping:{i}"), Path()).about for i in range(4)}
    outcomes = {"sleeps": "hang", "dies": "traceback", "works": "accepted and right"}
    assert {o.number: o.outcome for o in found} == {i: outcomes[about] for i, about in wanted.items()}
    assert "| sleeping |" in table(found)[2]
    assert any("--only sleeping:" in line for line in finds(found, 2))


def test_cases_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    kind = all_kinds()["graphs"]
    first, second = (try_case(kind, 5, 17).about for _ in range(2))
    assert first == second
    assert try_case(kind, 6, 17).about != first


def test_a_kind_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kinds", "graphs,dragons"]) == 2
    assert main(["--only", "graphs:x"]) == 2
    assert all(line.startswith("fuzz: --") for line in capsys.readouterr().err.splitlines())


@pytest.mark.timeout(240)
def test_a_short_part_of_the_damaged_inputs_is_refused_cleanly_or_right() -> None:
    kinds = chosen_kinds(None)
    cases = shuffled_cases(kinds, round(SHORT * sum(kind.share for kind in kinds.values())), seed=1)
    found = list(in_workers(cases, kinds, seed=1, workers=1))
    assert len(found) == len(cases)
    wrong = [o for o in found if o.outcome not in RIGHT]
    assert not wrong, "\n".join(finds(wrong, 1))
