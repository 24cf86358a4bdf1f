"""Does a confidence of 0.8 mean right in 8 of 10? Expected calibration error, reliability table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.parser.confidence import Judged

BINS = 15


@dataclass(frozen=True)
class Bin:
    """One row of a reliability table: predictions whose confidence is in (low, high], the first bin with its 0.

    Attributes:
        n: how many; `confidence` and `accuracy` are their means in [0, 1], None if there are none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(judged: Judged, bins: int = BINS) -> list[Bin]:
    """The reliability table, with bins of equal width.

    Raises:
        ValueError: if the numbers of confidences and verdicts differ, or a confidence is not within [0, 1].
    """
    confidences, right = np.asarray(judged.confidences, dtype=float), np.asarray(judged.right, dtype=float)
    if confidences.shape != right.shape:
        raise ValueError(f"expected as many verdicts as confidences; found {right.size} and {confidences.size}")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("expected confidences from 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.digitize(confidences, edges, right=True) - 1, 0, bins - 1)
    rows = []
    for place, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = places == place
        n = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if n else (None, None)
        rows.append(Bin(low, high, n, *means))
    return rows


def expected_calibration_error(judged: Judged, bins: int = BINS) -> float:
    """Mean over all predictions of |accuracy - confidence| of their bin, in [0, 1]; 0 if there are none.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, with bins of equal width.
    """
    table = reliability(judged, bins)
    total = sum(row.n for row in table)
    gaps = (
        row.n * abs(row.accuracy - row.confidence)
        for row in table
        if row.accuracy is not None and row.confidence is not None
    )
    return sum(gaps) / total if total else 0.0
