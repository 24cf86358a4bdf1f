"""What is tried: a kind of inputs, one damaged input of it, and what may come of it."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mov_ai.errors import UsageError
from tools.fuzz import kinds

#: What can come of a case, in the order of the table; the first two are right.
OUTCOMES = ("refused cleanly", "accepted and right", "traceback", "hang", "wrong success", "wrong refusal", "forbidden")
RIGHT = OUTCOMES[:2]


@dataclass(frozen=True)
class Case:
    """One input and what is done with it.

    Attributes:
        about: how the input was damaged, in a few words.
        run: does what a user would; its result is what was made of the input. A refusal is a `MovAIError`.
        wrong: what is wrong with a result, None if nothing is.
        refusal: "may", "must" or "never".
    """

    about: str
    run: Callable[[], Any]
    wrong: Callable[[Any], str | None] = lambda result: None
    refusal: str = "may"


@dataclass(frozen=True)
class Kind:
    """A kind of inputs.

    Attributes:
        name: of the row in the table.
        share: how many of its cases there are to one of a kind with 1; kinds that take long have less.
        make: from chance and a folder, empty and this case's own, to a case. What many cases need, a pipeline for one,
            is made once a worker with `functools.cache`.
        least: so many cases of it are tried, however few there are of others.
    """

    name: str
    share: float
    make: Callable[[random.Random, Path], Case]
    least: int = 10

    def case(self, seed: int, number: int, folder: Path) -> Case:
        """The same case for the same seed and number on every machine."""
        return self.make(random.Random(f"{seed}:{self.name}:{number}"), folder)


@cache
def all_kinds() -> dict[str, Kind]:
    """Name -> kind, of every module in `tools.fuzz.kinds`."""
    modules = [
        importlib.import_module(f"{kinds.__name__}.{entry.name}") for entry in pkgutil.iter_modules(kinds.__path__)
    ]
    return {module.KIND.name: module.KIND for module in modules if hasattr(module, "KIND")}


def chosen_kinds(names: str | None) -> dict[str, Kind]:
    """Those named, with commas between; all if None. Raises UsageError if one is not known."""
    known = all_kinds()
    wanted = list(known) if names is None else names.split(",")
    for name in wanted:
        if name not in known:
            raise UsageError(f"--kinds: expected some of {', '.join(known)}; found {name!r}")
    return {name: known[name] for name in wanted}
