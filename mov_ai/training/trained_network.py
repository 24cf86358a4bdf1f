"""The network in training and all that changes with it: optimiser, averaged weights, the fp16 scaler."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.utils.checkpoint
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from mov_ai.errors import UsageError
from mov_ai.models.convolution import MatrixConv2d
from mov_ai.training.checkpoint import Checkpoint, TrainingState, save_checkpoint
from mov_ai.training.muon import Muon
from mov_ai.training.processes import everywhere
from mov_ai.training.random_states import random_states, set_random_states
from mov_ai.training.resuming import REMEDY, check_tensors, optimizer_states
from mov_ai.training.settings import TrainerConfig

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel

    from mov_ai.training.checkpoint_parts import PartsInWriting

log = logging.getLogger(__name__)


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


def repeated_blocks(module: torch.nn.Module) -> list[torch.nn.Module]:
    """The blocks that a transformer is a stack of, as `TSAMDenoiser.blocks`; [] for a network of another form."""
    blocks = getattr(module, "blocks", None)
    return list(blocks) if isinstance(blocks, torch.nn.ModuleList) else []


def recomputable_blocks(module: torch.nn.Module) -> list[torch.nn.Module]:
    """`repeated_blocks`; of a network of another form, what stands in its lists of modules and has layers in it."""
    found = repeated_blocks(module)
    if found:
        return found
    inside: set[torch.nn.Module] = set()
    # Outer modules come before what is inside them.
    for part in module.modules():
        if part in inside or not isinstance(part, torch.nn.ModuleList):
            continue
        for block in part:
            if not isinstance(block, torch.nn.ModuleList) and next(block.children(), None) is not None:
                found.append(block)
                inside.update(block.modules())
    return found


def recompute_blocks(module: torch.nn.Module) -> None:
    """Have each block forget what it computed and compute it again on the way back, in place; gradients are the same.

    Raises:
        UsageError: if the network has no blocks.
    """
    blocks = recomputable_blocks(module)
    if not blocks:
        raise UsageError(f"trainer.recompute: {type(module).__name__} has no blocks to compute again; set it to false")
    for block in blocks:
        again = functools.partial(torch.utils.checkpoint.checkpoint, block.forward, use_reentrant=False)
        block.forward = again  # type: ignore[method-assign]


def share_out(module: torch.nn.Module, accelerator: Accelerator) -> None:
    """Give each process a share of every parameter, in place (FSDP2); blocks are put together one at a time."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for part in (*repeated_blocks(module), module):
        # Weights stay fp32 between the processes as well; autocast, as with copies, says what is computed in bf16.
        fully_shard(part, mesh=mesh)
    # An objective may call these besides the module itself.
    for name in ("encode", "decode"):
        if hasattr(module, name):
            register_fsdp_forward_method(module, name)


class TrainedNetwork:
    """A module on its device, ready for steps; with FSDP2, each process's share of it.

    Args:
        module: of the objective; it is trained in place.
        config: how to train.
        accelerator: device, precision and processes.

    Attributes:
        module: what the loss is computed with; wrapped for mixed precision or several processes.
        parameters: those that are trained.
        optimizers: over them, as accelerate wraps them; AdamW's, and Muon's if it is used.
        is_shared_out: whether each process has only a share of them.

    Raises:
        UsageError: if there is nothing to train.
    """

    def __init__(self, module: torch.nn.Module, config: TrainerConfig, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self.is_shared_out = config.shard and accelerator.num_processes > 1
        #: What is judged and exported where every process has only a share of the weights; on the CPU until then.
        self._whole = copy.deepcopy(module) if self.is_shared_out and accelerator.is_main_process else None
        self._bare_module = module.to(accelerator.device)
        if config.recompute:
            recompute_blocks(module)
        if self.is_shared_out:
            # First of all: it puts other parameters in the place of those that an optimiser would be made of.
            share_out(module, accelerator)
            group = torch.distributed.new_group(backend="gloo")
            assert isinstance(group, torch.distributed.ProcessGroup)
            self._checkpoints = group
        self._in_writing: PartsInWriting | None = None
        trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
        if not trained:
            raise UsageError("the objective's module has no parameter that requires a gradient; nothing can be trained")
        self._names = [name for name, _ in trained]
        self.parameters = [parameter for _, parameter in trained]
        if self.is_shared_out:
            whole = sum(parameter.numel() for parameter in self.parameters)
            shares = everywhere(lambda: self.own_parameters)
            log.info(
                "FSDP2: %s parameters are shared out among %d processes, %s to %s in each",
                *(f"{whole:,}", len(shares), f"{min(shares):,}", f"{max(shares):,}"),
            )
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
            muon = Muon(
                matrices, config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
            )
            optimizers.append(muon)
            self._optimizer_names.append([name for name, _ in groups[0]])
        if config.compile:
            module.compile()
        # accelerate's wrapper for several processes is for copies.
        self.module = module if self.is_shared_out else accelerator.prepare(module)
        self.optimizers = [accelerator.prepare(optimizer) for optimizer in optimizers]
        self._average: EMAModel | None = None
        if config.ema_decay:
            # Imported when wanted: diffusers takes seconds to load.
            from diffusers.training_utils import EMAModel

            self._average = EMAModel(self.parameters, decay=config.ema_decay)

    @property
    def own_parameters(self) -> int:
        """Numbers that this process trains: all, or its share of them."""
        return sum(_share(parameter).numel() for parameter in self.parameters)

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

    def clip_gradients(self, most: float) -> Tensor:
        """Make the norm of all gradients together at most this; returns what it was, over all processes' shares."""
        norm = self._accelerator.clip_grad_norm_(self.parameters, most)
        assert isinstance(norm, Tensor)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def update_average(self) -> None:
        """Take the weights of a good step into the average."""
        if self._average is not None:
            self._average.step(self.parameters)

    def finite(self) -> bool:
        """Whether every weight of this process is a finite number."""
        return all(bool(_share(parameter).isfinite().all()) for parameter in self.parameters)

    @contextlib.contextmanager
    def judged(self, generator: torch.Generator) -> Iterator[torch.nn.Module]:
        """The bare module with averaged weights, in eval mode, without gradients; random states are put back after.

        Every process has to ask for it; where each has only a share of the weights, the main process gets them all,
        and what the others get cannot be called.
        """
        training = self.module.training
        states = random_states(generator)
        if self.is_shared_out:
            self._gather_whole()
        elif self._average is not None:
            self._average.store(self.parameters)
            self._average.copy_to(self.parameters)
        module = self._bare_module if self._whole is None else self._whole.to(self._accelerator.device)
        module.eval()
        try:
            with torch.no_grad(), self._accelerator.autocast():
                yield module
        finally:
            if self._whole is not None:
                self._whole.to("cpu")
            elif self._average is not None and not self.is_shared_out:
                self._average.restore(self.parameters)
            self.module.train(training)
            set_random_states(states, generator)

    def _gather_whole(self) -> None:
        """Bring the weights of all processes, averaged ones where they are kept, to the main process."""
        tensors = dict(self._bare_module.state_dict())
        if self._average is not None:
            tensors |= dict(zip(self._names, self._average.shadow_params, strict=True))
        gathered = self._gathered(tensors)
        if self._whole is not None:
            self._whole.load_state_dict(gathered)

    def _gathered(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors; all processes have to call it, and only the main process gets those that are shared out."""
        whole = {}
        for name, tensor in tensors.items():
            if isinstance(tensor, DTensor):
                tensor = tensor.full_tensor()
                if not self._accelerator.is_main_process:
                    continue
                tensor = tensor.cpu()
            whole[name] = tensor
        return whole

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of a checkpoint, by group and name, as this process has them."""
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

    def save(self, root: Path, state: TrainingState, keep: int) -> None:
        """Write a checkpoint: the main process all of it, or each process its share, while training goes on.

        Every process has to call it.

        Raises:
            MovAIError: if it, or the one before that was still being written, cannot be written.
        """
        self.wait_for_checkpoint()
        tensors = self._tensors()
        if self.is_shared_out:
            from mov_ai.training.checkpoint_parts import PartsInWriting

            self._in_writing = PartsInWriting(root, state, tensors, keep, self._checkpoints)
        elif self._accelerator.is_main_process:
            save_checkpoint(root, Checkpoint(state, tensors), keep)

    def wait_for_checkpoint(self) -> None:
        """Until the checkpoint that is being written is complete. Raises MovAIError if it cannot be written."""
        saving, self._in_writing = self._in_writing, None
        if saving is not None:
            saving.wait()

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
        state = checkpoint.state
        tensors = self._from_parts(folder) if checkpoint.in_parts else checkpoint.tensors
        check_tensors(folder, "model", tensors["model"], self._bare_module.state_dict())
        own = dict(zip(self._names, self.parameters, strict=True))
        present = self._bare_module.state_dict()
        self._bare_module.load_state_dict(
            {name: _as(tensor, present[name]) for name, tensor in tensors["model"].items()}
        )
        states = optimizer_states(folder, tensors["optimizer"], self._optimizer_names, own)
        for optimizer, names, state_of in zip(self.optimizers, self._optimizer_names, states, strict=True):
            for number, values in state_of.items():
                values |= {kind: _as(value, own[names[number]]) for kind, value in values.items() if kind != "step"}
            optimizer.optimizer.load_state_dict({**optimizer.optimizer.state_dict(), "state": state_of})
        if self._average is not None:
            if state.ema_updates is None or "ema" not in tensors:
                raise UsageError(f"{folder}: has no averaged weights; set trainer.ema_decay=0, or {REMEDY}")
            check_tensors(folder, "ema", tensors["ema"], own)
            averages: Sequence[torch.Tensor] = self._average.shadow_params
            for name, average in zip(self._names, averages, strict=True):
                average.copy_(_as(tensors["ema"][name], average))
            self._average.optimization_step = state.ema_updates
        if self._accelerator.scaler is not None and state.scaler is not None:
            self._accelerator.scaler.load_state_dict(state.scaler)

    def _from_parts(self, folder: Path) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint in parts holds, shared out as this network is; whole where it is not."""
        from mov_ai.training.checkpoint_parts import part_sizes, read_parts

        present = {**dict(zip(self._names, self.parameters, strict=True)), **self._bare_module.state_dict()}
        tensors: dict[str, dict[str, Tensor]] = {}
        for group, described in part_sizes(folder).items():
            tensors[group] = {}
            for name, found in described.items():
                own = present.get(name.rpartition("/")[0] if group == "optimizer" else name)
                alike = own is not None and own.shape == found.size
                tensors[group][name] = (
                    torch.zeros_like(own, dtype=found.properties.dtype)
                    if own is not None and alike
                    else torch.zeros(found.size, dtype=found.properties.dtype)
                )
        # Before anything is read: another network's may be larger than what this machine holds.
        check_tensors(folder, "model", tensors.get("model", {}), self._bare_module.state_dict())
        read_parts(folder, tensors)
        return tensors


def _share(tensor: Tensor) -> Tensor:
    """What this process has of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _as(whole: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as another one is; as it is where that is whole, or where it is shared out already."""
    if isinstance(whole, DTensor) or not isinstance(like, DTensor):
        return whole
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)
