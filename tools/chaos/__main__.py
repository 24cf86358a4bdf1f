"""Is anything lost when a command is killed? `python -m tools.chaos [--kills 20] [--seed 0]`.

Each command of a tiny size runs whole once; then it is killed at random moments, half of them right before it changes a
file, and the same command is given again. Right after the kill, no record may stand beside files of another result; in
the end everything must be as in the run that was not killed, with nothing temporary left. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from tools.chaos.jobs import Inputs, Job, jobs, leftovers
from tools.chaos.victim import Ended, start

OUTCOMES = ("resumed", "clean", "lost")
#: Seconds that one command may take, on a machine that may be busy.
_PATIENCE = 4 * 3600


def _start(job: Job, arguments: Sequence[str], out: Path, inputs: Path, kill: str) -> Ended:
    filled = [argument.replace("{out}", str(out)).replace("{inputs}", str(inputs)) for argument in arguments]
    return start(job.module, filled, out, kill, _PATIENCE)


def _whole(job: Job, arguments: Sequence[str], out: Path, inputs: Path) -> tuple[str, int, float]:
    """Fingerprint of a run that is not killed, how often it changed something, and for how many seconds."""
    result = _start(job, arguments, out, inputs, "count")
    if result.code:
        raise MovAIError(f"{job.name}: does not even run when it is not killed ({result.said.strip()[-300:]})")
    return job.fingerprint(out), result.changes, result.seconds


def _earlier(job: Job, place: Path, inputs: Path) -> str | None:
    """Fingerprint of the earlier result, which is made anew in `place`; None if the job has none."""
    if job.earlier is None:
        return None
    return _whole(job, job.earlier, place, inputs)[0]


def try_job(job: Job, kills: int, seed: int, place: Path, inputs: Path) -> list[tuple[str, str]]:
    """Outcome of each kill, and what was wrong or when it was.

    Args:
        place: an empty folder of this job's own.
        inputs: of all jobs.
    """
    earlier = _earlier(job, place / "earlier" / "out", inputs)
    first = place / "whole" / "out"
    if earlier is not None:
        shutil.copytree(place / "earlier" / "out", first)
    reference, changes, seconds = _whole(job, job.arguments, first, inputs)
    rng, outcomes = random.Random(f"{seed}:{job.name}"), []
    for number in range(kills):
        kill = f"change:{rng.randint(1, changes)}" if number % 2 else f"after:{rng.uniform(0, seconds):.3f}"
        out = place / f"kill-{number}" / "out"
        if earlier is not None:
            shutil.copytree(place / "earlier" / "out", out)
        outcomes.append(_one_kill(job, kill, out, inputs, {reference, earlier or ""}, reference))
        shutil.rmtree(out.parent)
    return outcomes


def _one_kill(job: Job, kill: str, out: Path, inputs: Path, whole: set[str], reference: str) -> tuple[str, str]:
    out.parent.mkdir(parents=True, exist_ok=True)
    _start(job, job.arguments, out, inputs, kill)
    fault = job.standing(out, whole)
    if fault is not None:
        return "lost", f"{kill}: {fault}"
    can_go_on = job.begun(out)
    again = _start(job, job.arguments, out, inputs, "count")
    if again.code:
        return "lost", f"{kill}: the same command again fails ({again.said.strip()[-300:]})"
    if job.fingerprint(out) != reference:
        return "lost", f"{kill}: the result is another one"
    if left := leftovers(out):
        return "lost", f"{kill}: {', '.join(left)} left behind"
    return ("resumed" if can_go_on else "clean"), kill


def table(found: dict[str, list[tuple[str, str]]]) -> list[str]:
    """Commands by outcomes, in Markdown."""
    counts = {name: collections.Counter(outcome for outcome, _ in outcomes) for name, outcomes in found.items()}
    rows = [(name, *(str(count[outcome]) for outcome in OUTCOMES)) for name, count in counts.items()]
    head = ("command", *OUTCOMES)
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]


def run(options: argparse.Namespace) -> None:
    """Kill the commands that are asked for. Raises MovAIError if anything is lost."""
    with tempfile.TemporaryDirectory(prefix="mov-ai-chaos-") as folder:
        inputs = Path(folder, "inputs")
        known = {job.name: job for job in jobs(inputs)}
        wanted = list(known) if options.only is None else options.only.split(",")
        for name in wanted:
            if name not in known:
                raise UsageError(f"--only: expected some of {', '.join(known)}; found {name!r}")
        made = Inputs(inputs)
        made.make()
        os.environ.update(OMP_NUM_THREADS="1", MOV_AI_DATA=str(made.data))
        found, spent = {}, {}
        for name in wanted:
            began = time.monotonic()
            place = Path(folder, name.replace(" ", "-"))
            found[name] = try_job(known[name], options.kills, options.seed, place, inputs)
            lost = [why for outcome, why in found[name] if outcome == "lost"]
            spent[name] = round(time.monotonic() - began)
            sys.stderr.write(f"{name}: {options.kills} kills, {spent[name]} s\n")
            sys.stderr.writelines(f"  lost: {why}\n" for why in lost)
            if options.out is not None:
                # After each command, as all of them take long.
                write_json(options.out, _record(options, found, spent))
        sys.stdout.write("\n".join(table(found)) + "\n")
        lost_in_all = sum(outcome == "lost" for outcomes in found.values() for outcome, _ in outcomes)
        if lost_in_all:
            raise MovAIError(f"{lost_in_all} of {sum(map(len, found.values()))} kills lost something")


def _record(
    options: argparse.Namespace, found: dict[str, list[tuple[str, str]]], seconds: dict[str, int]
) -> dict[str, Any]:
    return {
        "command": f"python -m tools.chaos --kills {options.kills} --seed {options.seed}",
        "machine": machine(),
        "seed": options.seed,
        "commands": {
            name: {
                **{what: sum(outcome == what for outcome, _ in outcomes) for what in OUTCOMES},
                "seconds": seconds[name],
                "kills": [f"{outcome}, {why}" for outcome, why in outcomes],
            }
            for name, outcomes in found.items()
        },
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="some commands only, with commas between")
    parser.add_argument("--out", type=Path, help="JSON with what came of each kill")
    options = parser.parse_args(arguments)
    return run_script("chaos", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
