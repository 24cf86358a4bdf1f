"""The network in training and all that changes with it: optimiser, averaged weights, the fp16 scaler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator

from mov_ai.errors import UsageError
from mov_ai.models.convolution import MatrixConv2d
from mov_ai.training.checkpoint import Checkpoint, random_states, set_random_states
from mov_ai.training.resuming import REMEDY, check_tensors, optimizer_states
from mov_ai.training.settings import TrainerConfig

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel


def hidden_matrices(module: torch.nn.Module) -> set[str]:
    """Names of the matrices that Muon is for: weights inside repeated blocks, of linear layers and `MatrixConv2d`.

    Embeddings, first and last layers, other convolutions and vectors stay with AdamW (arXiv 2502.16982).
    """
    lists = [name for name, part in module.named_modules() if isinstance(part, torch.nn.ModuleList)]
    return {
        f"{name}.weight"
        for name, part in module.named_modules()
        if isinstance(part, (torch.nn.Linear, MatrixConv2d)) and any(name.startswith(f"{blocks}.") for blocks in lists)
    }


class TrainedNetwork:
    """A module on its device, ready for steps.

    Args:
        module: of the objective; it is trained in place.
        config: how to train.
        accelerator: device, precision and processes.

    Attributes:
        module: what the loss is computed with; wrapped for mixed precision or several processes.
        parameters: those that are trained.
        optimizers: over them, as accelerate wraps them; AdamW's, and Muon's if it is used.

    Raises:
        UsageError: if there is nothing to train.
    """

    def __init__(self, module: torch.nn.Module, config: TrainerConfig, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._bare_module = module.to(accelerator.device)
        trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
        if not trained:
            raise UsageError("the objective's module has no parameter that requires a gradient; nothing can be trained")
        self._names = [name for name, _ in trained]
        self.parameters = [parameter for _, parameter in trained]
        hidden = hidden_matrices(module) if config.optimizer == "muon" else set()
        groups = [
            [(name, p) for name, p in trained if name in hidden],
            [(name, p) for name, p in trained if name not in hidden and p.ndim >= 2],
            [(name, p) for name, p in trained if name not in hidden and p.ndim < 2],
        ]
        adam_groups = [
            {"params": [parameter for _, parameter in group], "weight_decay": decay}
            for group, decay in zip(groups[1:], (config.weight_decay, 0.0), strict=True)
        ]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(adam_groups, lr=config.learning_rate, betas=config.betas)
        ]
        # The order in which torch numbers the parameters in each optimiser's state.
        self._optimizer_names = [[name for group in groups[1:] for name, _ in group]]
        if groups[0]:
            # Steps of AdamW's size, so that one learning rate serves both (Moonlight, arXiv 2502.16982).
            matrices = [parameter for _, parameter in groups[0]]
            muon = torch.optim.Muon(
                matrices, config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
            )
            optimizers.append(muon)
            self._optimizer_names.append([name for name, _ in groups[0]])
        if config.compile:
            module.compile()
        self.module, *self.optimizers = accelerator.prepare(module, *optimizers)
        self._average: EMAModel | None = None
        if config.ema_decay:
            # Imported when wanted: diffusers takes seconds to load.
            from diffusers.training_utils import EMAModel

            self._average = EMAModel(self.parameters, decay=config.ema_decay)

    @property
    def averaging(self) -> bool:
        """Whether averaged weights are kept."""
        return self._average is not None

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step; Muon's is twice AdamW's, which its orthogonal steps bear."""
        for optimizer, share in zip(self.optimizers, (1.0, 2.0), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    def step(self) -> None:
        """Change the weights by their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def update_average(self) -> None:
        """Take the weights of a good step into the average."""
        if self._average is not None:
            self._average.step(self.parameters)

    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(parameter.isfinite().all()) for parameter in self.parameters)

    @contextlib.contextmanager
    def judged(self, generator: torch.Generator) -> Iterator[torch.nn.Module]:
        """The bare module with averaged weights, in eval mode, without gradients; random states are put back after."""
        training = self.module.training
        states = random_states(generator)
        if self._average is not None:
            self._average.store(self.parameters)
            self._average.copy_to(self.parameters)
        self._bare_module.eval()
        try:
            with torch.no_grad(), self._accelerator.autocast():
                yield self._bare_module
        finally:
            if self._average is not None:
                self._average.restore(self.parameters)
            self.module.train(training)
            set_random_states(states, generator)

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """The tensors of a checkpoint, by group and name."""
        tensors = {
            "model": dict(self._bare_module.state_dict()),
            "optimizer": {
                f"{names[number]}/{kind}": value
                for optimizer, names in zip(self.optimizers, self._optimizer_names, strict=True)
                for number, values in optimizer.optimizer.state_dict()["state"].items()
                for kind, value in values.items()
            },
        }
        if self._average is not None:
            tensors["ema"] = dict(zip(self._names, self._average.shadow_params, strict=True))
        return tensors

    def counters(self) -> dict[str, Any]:
        """`ema_updates` and `scaler` of a `TrainingState`."""
        scaler = self._accelerator.scaler
        return {
            "ema_updates": None if self._average is None else self._average.optimization_step,
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def restore(self, folder: Path, checkpoint: Checkpoint) -> None:
        """Take weights, optimiser, averages and scaler from a checkpoint.

        Raises:
            UsageError: if it is another network's, or has no averaged weights where this run averages.
        """
        state, tensors = checkpoint.state, checkpoint.tensors
        check_tensors(folder, "model", tensors["model"], self._bare_module.state_dict())
        own = dict(zip(self._names, self.parameters, strict=True))
        self._bare_module.load_state_dict(tensors["model"])
        states = optimizer_states(folder, tensors["optimizer"], self._optimizer_names, own)
        for optimizer, state_of in zip(self.optimizers, states, strict=True):
            optimizer.optimizer.load_state_dict({**optimizer.optimizer.state_dict(), "state": state_of})
        if self._average is not None:
            if state.ema_updates is None or "ema" not in tensors:
                raise UsageError(f"{folder}: has no averaged weights; set trainer.ema_decay=0, or {REMEDY}")
            check_tensors(folder, "ema", tensors["ema"], own)
            averages: Sequence[torch.Tensor] = self._average.shadow_params
            for name, average in zip(self._names, averages, strict=True):
                average.copy_(tensors["ema"][name])
            self._average.optimization_step = state.ema_updates
        if self._accelerator.scaler is not None and state.scaler is not None:
            self._accelerator.scaler.load_state_dict(state.scaler)
