"""The noise schedule of an image model, seen from rectified flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mov_ai.diffusion.process import input_scale
from mov_ai.errors import UsageError

SCHEDULER_FILE = "scheduler_config.json"
PREDICTIONS = ("epsilon", "v_prediction", "sample")
#: Of a signal's share of the variance: a schedule that ends in pure noise still has a ratio.
_LEAST = 1e-12


class ImageSchedule:
    """Timesteps for noise levels, by their ratio of signal to noise, and clean latents from what a model predicts.

    An image model sees sqrt(a) x_0 + sqrt(1 - a) noise with a of its timestep; rectified flow's
    (1 - s) x_0 + s noise is the same thing times a number where a = (1 - s)^2 / ((1 - s)^2 + s^2).

    Args:
        signal: (timesteps,) a of each timestep ("alphas_cumprod"), falling.
        prediction: what the model's output is, one of `PREDICTIONS`.
    """

    def __init__(self, signal: Tensor, prediction: str) -> None:
        self.prediction = prediction
        #: log(a / (1 - a)), rising: the last timestep first.
        self._ratios = signal.double().clamp(_LEAST, 1 - _LEAST).logit().flip(0).float()

    def scaled(self, noisy: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latents as the model sees them, their timestep (batch,), and a (batch,).

        Levels beyond the schedule's ends are taken for the ends, as they are at the first step of its own samplers.

        Args:
            noisy: (batch, frames, channels, h, w). sigma: (batch,) in (0, 1].
        """
        table = self._ratios.to(sigma.device)
        level = sigma.float()
        ratio = (2 * (torch.log1p(-level) - level.log())).clamp(table[0], table[-1])
        above = torch.searchsorted(table, ratio).clamp(1, len(table) - 1)
        low, high = table[above - 1], table[above]
        timestep = len(table) - above - (ratio - low) / (high - low)
        return noisy * _like(input_scale(sigma), noisy), timestep, ratio.sigmoid()

    def clean(self, output: Tensor, scaled: Tensor, signal: Tensor) -> Tensor:
        """Clean latents from the model's output at what `scaled` gave."""
        a, b = _like(signal.sqrt(), scaled), _like((1 - signal).sqrt(), scaled)
        if self.prediction == "epsilon":
            return (scaled - b * output) / a.clamp(min=1e-3)
        return a * scaled - b * output if self.prediction == "v_prediction" else output


def load_schedule(folder: Path) -> ImageSchedule:
    """The schedule of a scheduler of diffusers, whichever it is: only what it was trained with counts.

    Raises:
        UsageError: if there is none, or it is of another kind.
    """
    path = folder / SCHEDULER_FILE
    if not path.is_file():
        raise UsageError(f"{path}: not there; expected a pipeline's folder of diffusers, with its scheduler")
    try:
        # Not `read_json`: diffusers writes infinities.
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JSON ({error}); fetch it again") from None
    prediction = settings.get("prediction_type", "epsilon")
    if "num_train_timesteps" not in settings or "beta_schedule" not in settings or prediction not in PREDICTIONS:
        raise UsageError(
            f"{path}: expected a schedule of betas and a prediction_type of {', '.join(PREDICTIONS)}; found "
            f"{settings.get('_class_name')} with {prediction!r}"
        )
    from diffusers import DDPMScheduler

    names = (
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "trained_betas",
        "rescale_betas_zero_snr",
    )
    chosen = {name: settings[name] for name in names if name in settings}
    try:
        scheduler: Any = DDPMScheduler(**chosen)
        return ImageSchedule(scheduler.alphas_cumprod, prediction)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(f"{path}: no schedule can be made of it ({error})") from None


def _like(values: Tensor, latents: Tensor) -> Tensor:
    return values.view(-1, *[1] * (latents.ndim - 1))
