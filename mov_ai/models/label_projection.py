"""From label vectors to a network's own channels."""

from __future__ import annotations

from torch import Tensor, nn


class LabelProjection(nn.Module):
    """A linear map of label vectors, (..., width) of unit length or zeros, to (..., channels) of about unit variance.

    It has no bias, so that no label (zeros) stays nothing. `rank`: dimensions in between, which save weights where few
    things are said; None for a full matrix.
    """

    def __init__(self, width: int, channels: int, rank: int | None = None) -> None:
        super().__init__()
        # A component of a unit vector is about 1 / sqrt(width).
        self.scale = width**0.5
        if rank is None:
            self.linear: nn.Module = nn.Linear(width, channels, bias=False)
        else:
            self.linear = nn.Sequential(nn.Linear(width, rank, bias=False), nn.Linear(rank, channels, bias=False))

    def start_small(self, deviation: float) -> None:
        """Fresh weights of a small deviation, in place."""
        last = list(self.linear.modules())[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=deviation)

    def forward(self, labels: Tensor) -> Tensor:
        return self.linear(labels * self.scale)
