"""Cases in worker processes: one that takes too long is ended with its worker, which a new one replaces."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError
from tools.fuzz.case import Case, Kind
from tools.fuzz.forbidden import watched

#: Seconds of computing that a case may take.
LIMIT = 10.0
#: Seconds of computing without an answer, or of waiting for what does not come, until a worker is ended; at the first
#: case of a kind there is more to load. Time in which a busy machine does other work is not counted.
PATIENCE, FIRST_PATIENCE = 30.0, 240.0
#: Bytes of memory that a worker may have.
MEMORY = 6 * 2**30
#: Characters of a refusal: one line that a person can read.
_LONGEST = 1000


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        kind, number: which case.
        outcome: one of `OUTCOMES`.
        about: how the input was damaged. detail: what was said or went wrong.
        seconds: of computing.
    """

    kind: str
    number: int
    outcome: str
    about: str
    detail: str
    seconds: float


def try_case(kind: Kind, seed: int, number: int) -> Outcome:
    """Make one case and run it here."""
    folder = Path(tempfile.mkdtemp(prefix="mov-ai-fuzz-"))
    try:
        case = kind.case(seed, number, folder)
        began = time.process_time()
        with watched() as acts, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome, detail = _tried(case)
        if acts:
            outcome, detail = "forbidden", f"{acts[0]}: {detail}"
        seconds = time.process_time() - began
        return Outcome(kind.name, number, "hang" if seconds > LIMIT else outcome, case.about, detail, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(case: Case) -> tuple[str, str]:
    try:
        result = case.run()
    except MovAIError as error:
        message = str(error)
        if case.refusal == "never":
            return "wrong refusal", message
        if not message or len(message) > _LONGEST or any(not c.isprintable() for c in message):
            return "wrong refusal", f"not one printable line of up to {_LONGEST} characters: {message[:200]!r}"
        return "refused cleanly", message
    except BaseException as error:
        return "traceback", _place_of(error)
    if case.refusal == "must":
        return "wrong success", f"should have been refused; gave {str(result)[:200]!r}"
    try:
        wrong = case.wrong(result)
    except BaseException as error:
        return "traceback", f"in what follows: {_place_of(error)}"
    return ("accepted and right", "") if wrong is None else ("wrong success", wrong)


def _place_of(error: BaseException) -> str:
    """The error, and where in our files it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/mov_ai/" in frame.filename] or frames
    last = ours[-1]
    place = f"{last.filename.rpartition('/mov_ai/')[2]}:{last.lineno}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]!r} at {place}"


def _serve(connection: Connection, kinds: Mapping[str, Kind], seed: int, folder: str) -> None:
    """A worker's life: a case's kind and number in, its outcome out; what it does not remove is in the folder."""
    import torch

    tempfile.tempdir = folder
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while True:
        message = connection.recv()
        if message is None:
            return
        name, number = message
        outcome = try_case(kinds[name], seed, number)
        connection.send((outcome.kind, number, outcome.outcome, outcome.about, outcome.detail, outcome.seconds))


def _state(pid: int | None) -> tuple[bool, float]:
    """Whether a process waits for something, and the seconds that it has computed."""
    try:
        # The name before the bracket may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        # It has ended, or this system tells nothing: then all time counts.
        return True, 0.0
    return fields[0] not in "RD", (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Worker:
    def __init__(self, kinds: Mapping[str, Kind], seed: int, folder: str) -> None:
        # Not a fork: PyTorch's threads do not come along.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, kinds, seed, folder), daemon=True)
        self.process.start()
        theirs.close()
        self.seen: set[str] = set()
        self.case: tuple[str, int] | None = None
        self._limit = self._spent = self._computed = self._looked = 0.0

    def give(self, case: tuple[str, int], limit: float, first_limit: float) -> None:
        self.case = case
        self._limit, self._spent = (limit if case[0] in self.seen else first_limit), 0.0
        self._looked, (_, self._computed) = time.monotonic(), _state(self.process.pid)
        self.seen.add(case[0])
        self.connection.send(case)

    def is_over(self) -> bool:
        """Whether its case has had its time."""
        now, (waits, computed) = time.monotonic(), _state(self.process.pid)
        self._spent += now - self._looked if waits and computed == self._computed else computed - self._computed
        self._looked, self._computed = now, computed
        return self._spent > self._limit

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def in_workers(
    cases: Iterable[tuple[str, int]],
    kinds: Mapping[str, Kind],
    seed: int,
    workers: int,
    until: Callable[[], bool] = lambda: False,
    patience: tuple[float, float] = (PATIENCE, FIRST_PATIENCE),
) -> Iterator[Outcome]:
    """Outcomes of cases (kind, number), as they come; no more are begun once `until` says so.

    Args:
        kinds: by name, with all those of the cases; their `make` must be a module's own function.
        patience: seconds until a worker is ended, and those for its first case of a kind.
    """
    waiting = iter(cases)
    folder = tempfile.mkdtemp(prefix="mov-ai-fuzz-")
    crew = [_Worker(kinds, seed, folder) for _ in range(workers)]

    def give_next(place: int) -> None:
        """The next case to the worker at a place of the crew; one that has ended is replaced if there is a case."""
        crew[place].case = None
        case = None if until() else next(waiting, None)
        if case is None:
            return
        if not crew[place].process.is_alive():
            crew[place] = _Worker(kinds, seed, folder)
        crew[place].give(case, *patience)

    try:
        for place in range(workers):
            give_next(place)
        while busy := [worker for worker in crew if worker.case is not None]:
            ready = wait([worker.connection for worker in busy], timeout=0.5)
            for place, worker in enumerate(crew):
                if worker.case is None:
                    continue
                outcome = None
                if worker.connection in ready:
                    outcome = _received(worker)
                elif worker.is_over():
                    outcome = Outcome(*worker.case, "hang", "", "no answer in time", patience[0])
                if outcome is None:
                    continue
                yield outcome
                if outcome.outcome == "hang" or not worker.process.is_alive():
                    worker.end()
                give_next(place)
    finally:
        for worker in crew:
            worker.end()
        shutil.rmtree(folder, ignore_errors=True)


def _received(worker: _Worker) -> Outcome:
    assert worker.case is not None
    try:
        fields: Any = worker.connection.recv()
        return Outcome(*fields)
    except (EOFError, OSError):
        worker.process.join()
        return Outcome(*worker.case, "traceback", "", f"the process ended with code {worker.process.exitcode}", 0.0)


def shuffled_cases(kinds: Mapping[str, Kind], count: int, seed: int) -> list[tuple[str, int]]:
    """At least `count` cases, mixed, so that a part is like the whole: of each kind its share, or its least if more."""
    total = sum(kind.share for kind in kinds.values())
    cases = [
        (name, number)
        for name, kind in kinds.items()
        for number in range(max(kind.least, -int(-count * kind.share // total)))
    ]
    random.Random(seed).shuffle(cases)
    return cases
