"""Random choices, all from one generator, so that a seed gives one caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        names, weights = list(options), np.array(list(options.values()))
        return names[int(self.rng.choice(len(names), p=weights / weights.sum()))]
