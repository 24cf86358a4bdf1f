"""Low-rank adapters inside a frozen network, made and stored by `peft`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from mov_ai.checked_config import ChannelsOrNone, Name, Positive
from mov_ai.errors import UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.weight_files import load_weights

#: The folder that holds them, as `save_pretrained` of peft fills it.
FOLDER, _WEIGHTS = "lora", "adapter_model.safetensors"
#: What peft's files put before a layer's name.
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters (arXiv 2106.09685).

    Attributes:
        rank: of the matrices; 0 for no adapters.
        alpha: what they add is scaled by alpha / rank.
        targets: the ends of the names of the layers that they are added to.
    """

    rank: ChannelsOrNone = 0
    alpha: Positive = 8.0
    targets: tuple[Name, ...] = ("to_q", "to_k", "to_v", "to_out.0")

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "targets", tuple(self.targets))
        if self.rank < 0 or self.alpha <= 0:
            raise ValueError(f"lora: expected rank >= 0 and alpha > 0, got {self.rank} and {self.alpha}")


def add_adapters(network: nn.Module, settings: LoraSettings) -> dict[str, nn.Module]:
    """Put adapters into a frozen network, in place; at first they change nothing.

    Returns:
        The matrices by their layers' names, such as `mid_block.attentions.0.proj_in.lora_A`: the same objects.

    Raises:
        UsageError: if peft is not installed, or no layer has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise UsageError("lora: needs peft; install it with `pip install 'mov_ai[lora]'`, or set lora.rank=0") from None
    wanted = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets))  # type: ignore[arg-type]
    try:
        inject_adapter_in_model(wanted, network)
    except ValueError as error:
        raise UsageError(f"lora.targets: {', '.join(settings.targets)}: {str(error).splitlines()[0]}") from None
    matrices = {
        name.removesuffix(".default"): part
        for name, part in network.named_modules()
        if name.endswith((".lora_A.default", ".lora_B.default"))
    }
    for part in matrices.values():
        part.requires_grad_(True)
    return matrices


def save_adapters(matrices: Mapping[str, nn.Module], settings: LoraSettings, base: str, directory: Path) -> None:
    """Write the folder that `PeftModel.from_pretrained` reads beside the model of the folder `base`."""
    from peft import LoraConfig

    directory.mkdir(parents=True, exist_ok=True)
    LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        target_modules=list(settings.targets),
        base_model_name_or_path=base,
    ).save_pretrained(str(directory))
    tensors = {
        f"{_PREFIX}{name}.weight": part.get_parameter("weight").detach().cpu().contiguous()
        for name, part in matrices.items()
    }
    write_bytes(directory / _WEIGHTS, save(tensors))


def load_adapters(directory: Path) -> dict[str, Tensor]:
    """The matrices that `save_adapters` wrote, by name. Raises as `load_weights`."""
    return {
        name.removeprefix(_PREFIX).removesuffix(".weight"): tensor
        for name, tensor in load_weights(directory / _WEIGHTS).items()
    }
