"""What a training step of each arm costs here, and how many steps of each are equal in floating-point operations."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mov_ai.errors import UsageError
from mov_ai.models.presets import parameters
from mov_ai.training.objective import Objective
from mov_ai.training.objectives.image_model import ImageModelObjective
from studies.graph_vs_text.projection import prepared, processor_seconds

#: Trainings; "image" is what layers and blocks begin with.
TRAININGS = ("image", "layers", "blocks", "tsam")


@dataclass(frozen=True)
class Cost:
    """Of one training.

    Attributes:
        flops: of a step: its batch forward and backward, the loss's own terms too, as `torch.utils.flop_counter` counts
            them: matrix products, convolutions and attention, a multiplication and an addition as two.
        seconds: of a processor for a step.
        parameters: that are trained.
    """

    flops: float
    seconds: float
    parameters: int


def costs(experiments: str, settings: Sequence[str] = ()) -> dict[str, Cost]:
    """The cost of each of `TRAININGS`; clips are encoded if they are not yet.

    Args:
        experiments: their folder in conf/experiment.
        settings: overrides of every configuration.
    """
    torch.set_num_threads(1)
    image = prepared(f"{experiments}/image", settings)
    assert isinstance(image, ImageModelObjective)
    with tempfile.TemporaryDirectory() as folder:
        # An untrained one costs what a trained one does.
        image.save(image.module(), Path(folder))
        around = [*settings, f"image_model={folder}"]
        videos = {name: prepared(f"{experiments}/{name}", around) for name in ("layers", "blocks")}
        videos["tsam"] = prepared(f"{experiments}/tsam", settings)
        return {name: _cost(objective) for name, objective in {"image": image, **videos}.items()}


def _cost(objective: Objective) -> Cost:
    module = objective.module().train()
    with FlopCounterMode(display=False) as counter:
        objective.loss(module, objective.batch(0), torch.Generator().manual_seed(0))[0].backward()
    return Cost(float(counter.get_total_flops()), processor_seconds(objective), parameters(module))


def equal_steps(cost: dict[str, Cost], steps: int, share: float) -> dict[str, int]:
    """Steps of each training, so that an image model with what is trained around it costs what TSAM alone does.

    Args:
        cost: of all `TRAININGS`.
        steps: of TSAM.
        share: of the compute, that the image model gets.

    Raises:
        UsageError: if a training would have no step.
    """
    if not 0 < share < 1:
        raise UsageError(f"--share: expected a number between 0 and 1; found {share:g}")
    total = steps * cost["tsam"].flops
    shares = {"image": share, "layers": 1 - share, "blocks": 1 - share, "tsam": 1.0}
    planned = {name: round(part * total / cost[name].flops) for name, part in shares.items()}
    if min(planned.values()) < 1:
        raise UsageError(f"--steps: {steps} steps of TSAM's leave none to another training: {planned}; give more")
    return planned


def to_json(cost: dict[str, Cost]) -> dict[str, Any]:
    """For results.json."""
    return {name: vars(one) for name, one in cost.items()}
