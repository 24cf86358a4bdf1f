"""Switching off one part of a trained denoiser, or one thing that it is told, while it samples.

What a network loses by it says what the part is worth to these weights. What a network is that was trained without the
part says another thing: there, the others may have learned to do its work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.graph import NODE_TYPES
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import ATTENTIONS

#: Types of nodes whose labels say what a thing is and looks like.
_LABELLED = ("entity", "attribute")
#: From what a network is told to what is left of it.
Change = Callable[[Conditioning], Conditioning]


def _without_node_intervals(c: Conditioning) -> Conditioning:
    always = torch.tensor([0.0, 1.0]).to(c.node_interval)
    return replace(c, node_interval=always.expand_as(c.node_interval).clone())


def _without_intervals(c: Conditioning) -> Conditioning:
    # Attributes that are padding hold never, and are not to begin to.
    ever = c.attribute_holds.amax(-1, keepdim=True)
    over = (c.event_progress.amax(-1, keepdim=True) > 0).to(c.event_progress)
    return replace(
        _without_node_intervals(c),
        attribute_holds=ever.expand_as(c.attribute_holds).clone(),
        event_progress=over.expand_as(c.event_progress).clone(),
    )


def _without_labels(c: Conditioning) -> Conditioning:
    types = torch.tensor([NODE_TYPES.index(name) for name in _LABELLED], device=c.node_type.device)
    kept = ~torch.isin(c.node_type, types)
    return replace(
        c,
        node_label=c.node_label * kept[..., None],
        entity=torch.zeros_like(c.entity),
        attribute=torch.zeros_like(c.attribute),
    )


#: Things that a network is told -> what is left of the conditioning without them.
_TOLD: dict[str, Change] = {
    "node_intervals": _without_node_intervals,
    "intervals": _without_intervals,
    "labels": _without_labels,
    "text": lambda c: c.without(text=True),
    "layout": lambda c: c.without(layout=True),
    "graph": lambda c: c.without(graph=True),
}
#: What can be switched off -> what that means.
PARTS: dict[str, str] = {
    "spatial": "attention within frames",
    "temporal": "attention between frames",
    "cross": "attention to text and graph",
    "gating": "cross-attention's bias by the nodes' intervals",
    "node_intervals": "all nodes hold all the time, the painting stays",
    "intervals": "all nodes hold all the time, in the painting too",
    "labels": "boxes stay, what entities and attributes are called goes",
    "text": "the caption's words",
    "layout": "the boxes, and what is painted into them",
    "graph": "the graph with its boxes",
}


@contextlib.contextmanager
def without(networks: Iterable[nn.Module], *parts: str) -> Iterator[None]:
    """Inside, the networks work without some parts; afterwards they are what they were, to the bit.

    No weight is touched: attentions give zeros, the conditioning is changed on its way in.

    Args:
        networks: denoisers, as `Cascade.denoisers`; those that have no such part stay as they are.
        parts: keys of `PARTS`, any number of them.

    Raises:
        UsageError: for an unknown part, or one that none of the networks has.
    """
    denoisers = list(networks)
    for part in parts:
        if part not in PARTS:
            raise UsageError(f"ablation: expected parts of {', '.join(PARTS)}; found {part!r}")
    with contextlib.ExitStack() as stack:
        for part in parts:
            switched = [_switch_off(network, part, stack) for network in denoisers]
            if not any(switched):
                raise UsageError(f"ablation: no network has the part {part!r} ({PARTS[part]}); leave it out")
        yield


def _switch_off(network: nn.Module, part: str, stack: contextlib.ExitStack) -> bool:
    """Switch a part of one network off until the stack is closed; whether it has the part."""
    if part in ATTENTIONS:
        modules = [module for block in _blocks(network) if (module := getattr(block, part, None)) is not None]
        for module in modules:
            stack.callback(module.register_forward_hook(_nothing).remove)
        return bool(modules)
    config: Any = getattr(network, "config", None)
    if part == "gating":
        if not getattr(config, "interval_gating", False):
            return False
        network.config = replace(config, interval_gating=False)
        stack.callback(setattr, network, "config", config)
        return True
    # A network that reads no such thing has nothing to lose by it.
    if not getattr(config, part, True):
        return False
    change = _TOLD[part]

    def changed(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def one(value: Any) -> Any:
            return change(value) if isinstance(value, Conditioning) else value

        return tuple(one(value) for value in args), {name: one(value) for name, value in kwargs.items()}

    stack.callback(network.register_forward_pre_hook(changed, with_kwargs=True).remove)
    return True


def _blocks(network: nn.Module) -> Iterable[nn.Module]:
    blocks = getattr(network, "blocks", ())
    return blocks if isinstance(blocks, nn.ModuleList) else ()


def _nothing(_: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    return torch.zeros_like(output)
