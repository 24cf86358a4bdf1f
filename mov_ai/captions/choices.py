"""Random choices, all from one generator, so that a seed gives one caption."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


class Choices:
    """Draws from a generator; what is drawn first, and how often, decides what a seed gives."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options, each as likely; a single one costs no draw."""
        return options[int(self.rng.integers(len(options)))]

    def weighted(self, options: Mapping[str, float]) -> str:
        """One of the names, as likely as its weight says."""
        names, shares = _cumulative(tuple(options.items()))
        return names[bisect_right(shares, self.rng.random())]


@lru_cache(maxsize=1024)
def _cumulative(options: tuple[tuple[str, float], ...]) -> tuple[list[str], list[float]]:
    """Names, and the share of each with all before it: `Generator.choice` works out the same at every draw."""
    weights = np.array([weight for _, weight in options])
    shares = (weights / weights.sum()).cumsum()
    return [name for name, _ in options], (shares / shares[-1]).tolist()
