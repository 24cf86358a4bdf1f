"""The parser's loss: one term for each head, and the teachers' word where a parser has teachers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.parser.timeline import TimelineLogits
from mov_ai.training.distillation import Teachers, imitation_losses
from mov_ai.training.parser_samples import IGNORED
from mov_ai.training.timelines import share_loss, timeline_loss

#: Weights of the losses, 1 where not listed.
_WEIGHTS = {
    "direction": 0.5,
    "left": 0.5,
    "negated": 0.5,
    "part": 0.5,
    "guess": 0.2,
    "shares": 3.0,
    "duration": 0.3,
    "overlap": 0.5,
    "relation": 0.5,
}


def parser_loss(
    module: torch.nn.Module, batch: dict[str, Tensor], teachers: Teachers | None, imitation: float
) -> tuple[Tensor, dict[str, float | Tensor]]:
    """The weighted sum of all terms that the batch has targets for, and the terms themselves.

    Args:
        module: a `CompositionalSceneParser`.
        batch: as its `forward` takes it.
        teachers, imitation: who is imitated on a batch that shows all words, and the weight of their word.
    """
    guesses, logits = module(batch)
    guess = {"guess": _cross_entropy(guesses, batch["hidden"][batch["hidden"] >= 0]) / len(batch["mask"])}
    if isinstance(logits, TimelineLogits):
        logits = TimelineLogits(*(part.float() for part in logits))
        terms = {**guess, **timeline_loss(logits, batch)}
        total = torch.stack([_WEIGHTS.get(name, 1.0) * term for name, term in terms.items()]).sum()
        return total, {name: term.detach() for name, term in terms.items()}
    tokens, pairs, attributes, predicates, log_duration = logits
    role = batch["role"].masked_fill(~batch["mask"], IGNORED)
    # Sums over what is known, a text's share each.
    terms = {
        "role": _cross_entropy(tokens.role, role),
        "direction": _cross_entropy(tokens.direction, batch["direction"]),
        "left": _cross_entropy(tokens.left, batch["left"]),
        "form": _cross_entropy(tokens.form, batch["form"]),
        "negated": _binary(tokens.negated, batch["negated"]),
        "part": _cross_entropy(tokens.part, batch["part"]),
        "attribute": _binary(attributes, batch["attribute"]),
        "link": _cross_entropy(pairs.link, batch["link"]),
        "order": _cross_entropy(pairs.order, batch["order"]),
        "predicate": _cross_entropy(predicates, batch["predicate"]),
        "shares": share_loss(log_duration, batch["told_shares"], batch["told_text"], len(role)),
    }
    terms = {**guess, **{name: term / len(role) for name, term in terms.items()}}
    if teachers is not None and "whole" in batch:
        terms = {name: (1 - imitation) * term for name, term in terms.items()}
        imitated = imitation_losses(logits, teachers(batch), batch["mask"])
        terms |= {name: imitation * term for name, term in imitated.items()}
    total = torch.stack([_WEIGHTS.get(name, 1.0) * term for name, term in terms.items()]).sum()
    return total, {name: term.detach() for name, term in terms.items()}


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Summed over the targets that are not ignored; logits (..., classes), target (...)."""
    flat = logits.float().flatten(0, -2)
    return functional.cross_entropy(flat, target.flatten(), ignore_index=IGNORED, reduction="sum")


def _binary(logits: Tensor, target: Tensor) -> Tensor:
    """Summed over the targets that are not ignored; both (...)."""
    has_target = target != IGNORED
    chosen = logits[has_target].float()
    return functional.binary_cross_entropy_with_logits(chosen, target[has_target].float(), reduction="sum")
