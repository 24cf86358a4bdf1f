"""Muon on processors that multiply bfloat16 slowly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mov_ai.hardware import multiplies_bfloat16


class Muon(torch.optim.Muon):
    """torch's Muon, whose orthogonal steps are found in float32 where the processor has no instructions for bfloat16.

    torch rounds to bfloat16 whatever the machine; without such instructions a product is a hundred times slower than
    in float32, and a step of a small network many times slower than its loss and gradients. State, settings and what a
    step means are torch's (https://kellerjordan.github.io/posts/muon/).
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step over all matrices that have a gradient."""
        if closure is not None or self._device.type != "cpu" or multiplies_bfloat16():
            return super().step(closure)
        for group in self.param_groups:
            parameters: list[Tensor] = []
            gradients: list[Tensor] = []
            averages: list[Tensor] = []
            self._init_group(group, parameters, gradients, averages)
            for parameter, gradient, average in zip(parameters, gradients, averages, strict=True):
                average.lerp_(gradient, 1 - group["momentum"])
                update = gradient.lerp(average, group["momentum"]) if group["nesterov"] else average
                update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * self._scale(group["adjust_lr_fn"], *parameter.shape))
        return None

    @property
    def _device(self) -> torch.device:
        return torch.device(self.param_groups[0]["params"][0].device)

    @staticmethod
    def _scale(rule: str | None, rows: int, columns: int) -> float:
        """By what the rate is multiplied; as torch, but for the rules that this project does not use."""
        if rule == "match_rms_adamw":
            return 0.2 * float(max(rows, columns)) ** 0.5
        if rule in (None, "original"):
            return max(1.0, rows / columns) ** 0.5
        raise ValueError(f"muon: adjust_lr_fn: expected match_rms_adamw or original; found {rule!r}")


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, least: float) -> Tensor:
    """About the nearest orthogonal matrix of a matrix (rows, columns), by Newton-Schulz iterations in its own dtype.

    Args:
        coefficients: a, b, c of x <- a x + (b g + c g g) x with g = x x^T.
        steps: iterations.
        least: norms below this count as this.
    """
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / x.norm().clamp(min=least)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if is_tall else x
