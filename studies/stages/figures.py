"""Figures of one video beside its truth, and their means over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mov_ai.evaluation.metrics.bootstrap import mean_interval, share_interval
from mov_ai.evaluation.metrics.image_quality import psnr
from mov_ai.evaluation.metrics.refinement import edge_gradient, flicker, object_psnr, still_floor


@dataclass(frozen=True)
class Figures:
    """One video beside its truth.

    Attributes:
        object_psnr, frame_psnr: dB, over object pixels and over whole frames.
        edge_gradient: as a share of the truth's.
        flicker: of the still floor in grey levels; None where nothing of the truth is still.
    """

    object_psnr: float
    frame_psnr: float
    edge_gradient: float
    flicker: float | None


def figures(video: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> Figures:
    """All figures of a video, uint8 (F, H, W, 3), beside its truth and the truth's masks (F, H, W)."""
    still = still_floor(truth, masks)
    return Figures(
        object_psnr(video, truth, masks),
        float(psnr(video, truth).mean()),
        edge_gradient(video, truth, masks),
        flicker(video, still) if still.any() else None,
    )


@dataclass(frozen=True)
class Mean:
    """A mean over clips with its 95 % bootstrap interval over clips; of one clip there is no interval."""

    value: float
    interval: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "value": round(self.value, 4),
            "ci95": None if self.interval is None else [round(end, 4) for end in self.interval],
        }


def mean(values: Sequence[float]) -> Mean:
    """The mean of clips' values."""
    return Mean(float(np.mean(values)), mean_interval(values) if len(values) > 1 else None)


def ratio(values: Sequence[float], others: Sequence[float]) -> Mean | None:
    """The sum of clips' values over the sum of others of the same clips; None where that is 0 or there is no clip."""
    if not sum(others):
        return None
    return Mean(sum(values) / sum(others), share_interval(values, others) if len(values) > 1 else None)


def means(rows: Sequence[Figures], codec: Sequence[Figures]) -> dict[str, Mean]:
    """Means over clips of each figure, and the flicker over that of the codec's round trips of the same clips.

    Figures that no clip has are left out.
    """
    result = {}
    for name in asdict(rows[0]):
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        if values:
            result[name] = mean(values)
    pairs = [(a.flicker, b.flicker) for a, b in zip(rows, codec, strict=True) if a.flicker is not None]
    against = ratio([a for a, _ in pairs], [b or 0.0 for _, b in pairs])
    return result if against is None else {**result, "flicker_to_codec": against}
