"""Are damaged and hostile inputs refused in one line, or read as meant? `python -m tools.fuzz [--cases 10000]`.

Each case damages one input and does with it what a user would; the table says what came of them. Exit code 1 if there
was anything but clean refusals and right results: a traceback, more than ten seconds, a success that is wrong, a
connection, a program or a pickle.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from tools.fuzz.case import OUTCOMES, RIGHT, all_kinds, chosen_kinds
from tools.fuzz.workers import Outcome, in_workers, shuffled_cases, try_case

#: Finds that are printed of one place in the code, and of a case's words.
_SHOWN, _WIDTH = 3, 300


def table(outcomes: Iterable[Outcome]) -> list[str]:
    """Kinds by outcomes, in Markdown."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for outcome in outcomes:
        counts[outcome.kind][outcome.outcome] += 1
    rows = [(name, *(counts[name][what] for what in OUTCOMES)) for name in sorted(counts)]
    rows.append(("all", *(sum(count[what] for count in counts.values()) for what in OUTCOMES)))
    head = ("kind", *OUTCOMES)
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]


def finds(outcomes: Iterable[Outcome], seed: int) -> list[str]:
    """What went wrong, a few cases of each kind of it, and how to see them again."""
    shown: collections.Counter[tuple[str, str, str]] = collections.Counter()
    lines = []
    for o in outcomes:
        key = (o.kind, o.outcome, o.detail.rpartition(" at ")[2][:60])
        shown[key] += 1
        if o.outcome not in RIGHT and shown[key] <= _SHOWN:
            lines.append(
                f"{o.outcome}: {o.detail[:_WIDTH]} ({o.about[:_WIDTH]}): --only {o.kind}:{o.number} --seed {seed}"
            )
    return lines


def run(options: argparse.Namespace) -> None:
    """Try the cases that are asked for. Raises MovAIError if anything was wrong."""
    if options.only:
        name, _, number = options.only.partition(":")
        if name not in all_kinds() or not number.isdecimal():
            raise UsageError(f"--only: expected KIND:NUMBER, as graphs:12; found {options.only!r}")
        outcomes = [try_case(all_kinds()[name], options.seed, int(number))]
        sys.stdout.write(f"{outcomes[0]}\n")
    else:
        kinds = chosen_kinds(options.kinds)
        cases = shuffled_cases(kinds, options.cases, options.seed)
        began = time.monotonic()
        end = began + 60 * options.minutes
        outcomes = []
        for outcome in in_workers(cases, kinds, options.seed, options.workers, lambda: time.monotonic() > end):
            outcomes.append(outcome)
            if len(outcomes) % 500 == 0:
                sys.stderr.write(f"{len(outcomes)} of {len(cases)} cases, {time.monotonic() - began:.0f} s\n")
        sys.stdout.write("\n".join([*finds(outcomes, options.seed), "", *table(outcomes)]) + "\n")
        slowest = max(outcomes, key=lambda o: o.seconds)
        sys.stdout.write(
            f"\n{len(outcomes)} cases of seed {options.seed} in {time.monotonic() - began:.0f} s; the slowest "
            f"{slowest.seconds:.1f} s, {slowest.kind}:{slowest.number}\n"
        )
        if options.out is not None:
            write_json(options.out, _record(options, outcomes, time.monotonic() - began))
        if len(outcomes) < len(cases):
            raise MovAIError(f"{len(outcomes)} of {len(cases)} cases in {options.minutes:g} minutes; give it longer")
    bad = sum(outcome.outcome not in RIGHT for outcome in outcomes)
    if bad:
        raise MovAIError(f"{bad} of {len(outcomes)} cases are neither refused cleanly nor right")


def _record(options: argparse.Namespace, outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    kinds: dict[str, dict[str, float]] = {}
    for o in sorted(outcomes, key=lambda o: o.kind):
        row = kinds.setdefault(o.kind, {**dict.fromkeys(OUTCOMES, 0), "slowest, s": 0.0})
        row[o.outcome] += 1
        row["slowest, s"] = max(row["slowest, s"], round(o.seconds, 2))
    chosen = "" if options.kinds is None else f"--kinds {options.kinds} "
    return {
        "command": f"python -m tools.fuzz {chosen}--cases {options.cases} --seed {options.seed}",
        "machine": machine(),
        "seed": options.seed,
        "cases": len(outcomes),
        "seconds": round(seconds),
        "kinds": kinds,
        "finds": finds(outcomes, options.seed),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20.0, help="begin no case after this")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kinds", help="some kinds only, with commas between")
    parser.add_argument("--only", help="one case again, as graphs:12")
    parser.add_argument("--out", type=Path, help="JSON with the table")
    options = parser.parse_args(arguments)
    return run_script("fuzz", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
