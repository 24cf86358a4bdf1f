"""Teaching a parser what several others say together: their mean probabilities as soft targets.

People word one scene in several ways, and a network that has seen a caption's one graph becomes too sure of it. The
mean of networks trained from different seeds is better than each; a student that imitates it comes close, at the price
of one (Hinton et al. 2015). On made-up captions, whose nouns and adjectives are exchanged, the teachers are imitated
too, and nobody's graph can be learnt by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.parser.loading import grow_rows, load_networks
from mov_ai.parser.network import ROLES, CompositionalSceneParser, ParseLogits
from mov_ai.parser.token_graph import FEATURES, WORD_FEATURES
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.training.parser_samples import IGNORED

#: Share of the tokens of a made-up caption that get another word, where one of their kind is at hand.
_EXCHANGED_SHARE = 0.7
_TARGETS = ("role", "direction", "left", "form", "negated", "part", "attribute", "link", "order")


class SoftTargets(NamedTuple):
    """Mean probabilities of the teachers; see `ParseLogits`."""

    role: Tensor
    left: Tensor
    form: Tensor
    attribute: Tensor
    predicate: Tensor


def load_members(folders: Sequence[Path], vocabulary: Vocabulary) -> list[CompositionalSceneParser]:
    """The networks of several exported parsers, in eval mode.

    The vocabulary may have more labels, endings and words than theirs, behind them: they say none of those.

    Raises:
        UsageError: if a folder is no parser's, or its vocabulary is another.
    """
    members: list[CompositionalSceneParser] = []
    for folder in folders:
        networks, about = load_networks(folder)
        own = about.vocabulary
        begins = all(
            getattr(vocabulary, name)[: len(getattr(own, name))] == getattr(own, name)
            for name in ("labels", "endings", "words")
        )
        if own.forms != vocabulary.forms or not begins:
            raise UsageError(f"{folder}: this parser has another vocabulary than the captions give; train it again")
        members += [_with_labels(network, vocabulary) for network in networks]
    return members


def _with_labels(network: CompositionalSceneParser, vocabulary: Vocabulary) -> CompositionalSceneParser:
    """The network with an output for each label and ending of a vocabulary, in eval mode."""
    labels, endings = len(vocabulary.labels), len(vocabulary.endings)
    if (network.config.labels, network.config.endings) == (labels, endings):
        return network.eval()
    tensors = network.state_dict()
    grow_rows(tensors, "label", labels - network.config.labels)
    grow_rows(tensors, "ending", endings - network.config.endings)
    grown = CompositionalSceneParser(replace(network.config, labels=labels, endings=endings))
    grown.load_state_dict(tensors)
    return grown.eval()


class Teachers:
    """Trained parsers that a student imitates.

    Args:
        networks: with the student's vocabulary, in eval mode.
    """

    def __init__(self, networks: Sequence[CompositionalSceneParser]) -> None:
        self.networks = networks

    def __call__(self, batch: dict[str, Tensor]) -> SoftTargets:
        """The teachers' mean output for a batch, of which they see all words (`whole`, `whole_relation`)."""
        shown = {**batch, "features": batch["whole"], "relation": batch["whole_relation"]}
        answers: list[SoftTargets] = []
        with torch.no_grad():
            for network in self.networks:
                _, logits = network(shown)
                assert isinstance(logits, ParseLogits)
                tokens = logits.tokens
                answers.append(
                    SoftTargets(
                        tokens.role.float().softmax(-1),
                        tokens.left.float().softmax(-1),
                        tokens.form.float().softmax(-1),
                        logits.attributes.float().sigmoid(),
                        logits.predicates.float().softmax(-1),
                    )
                )
        return SoftTargets(*(torch.stack(parts).mean(0) for parts in zip(*answers, strict=True)))


def imitation_losses(logits: ParseLogits, soft: SoftTargets, mask: Tensor) -> dict[str, Tensor]:
    """Cross-entropies with the teachers' probabilities, each summed over a text and averaged over texts.

    Forms, words before a head and attributes count as much as the teachers take the token for an entity or attribute.

    Args:
        logits: the student's.
        soft: the teachers'.
        mask: bool (B, N), where there is a token.
    """
    texts = len(mask)
    is_token = mask.float()
    entity = soft.role[..., ROLES.index("entity")] * is_token
    attribute = (soft.attribute * entity[..., None]).amax(1).clamp(max=1) * is_token
    weight = torch.stack([entity, attribute], dim=-1)  # (B, N, 2)

    def cross(student: Tensor, teacher: Tensor) -> Tensor:
        return -(teacher * student.float().log_softmax(-1)).sum(-1)

    tokens = logits.tokens
    # Attributes count only as far as the teachers take the owner for an entity.
    pairs = entity[..., None] * is_token[:, None, :]
    binary = nn.functional.binary_cross_entropy_with_logits(logits.attributes.float(), soft.attribute, reduction="none")
    terms = {
        "role": (cross(tokens.role, soft.role) * is_token).sum(),
        "left": (cross(tokens.left, soft.left) * weight).sum(),
        "form": (cross(tokens.form, soft.form) * weight).sum(),
        "attribute": (binary * pairs).sum(),
        "predicate": cross(logits.predicates, soft.predicate).sum(),
    }
    return {f"{name} imitated": term / texts for name, term in terms.items()}


def exchange_words(batch: dict[str, Tensor], share: float, rng: np.random.Generator) -> None:
    """Make a share of a batch's captions up: their nouns and adjectives become others' of the same tag, in place.

    Human annotations no longer fit these captions, so all their targets are ignored.
    """
    features, role = batch["features"].numpy(), batch["role"].numpy()
    chosen = rng.random(len(role)) < share
    words = [i for i, name in enumerate(FEATURES) if name in WORD_FEATURES]
    tag = features[..., list(FEATURES).index("tag")]
    entity = role == ROLES.index("entity")
    attribute = np.isin(role, [i for i, name in enumerate(ROLES) if name.startswith("attribute")])
    group = np.where(entity, tag, np.where(attribute, -tag, 0))
    exchanged = features[..., words].copy()
    for number in np.unique(group[group != 0]):
        members = np.argwhere(group == number)
        replaced = members[chosen[members[:, 0]] & (rng.random(len(members)) < _EXCHANGED_SHARE)]
        sources = members[rng.integers(len(members), size=len(replaced))]
        exchanged[replaced[:, 0], replaced[:, 1]] = features[sources[:, 0], sources[:, 1]][:, words]
    features[..., words] = exchanged
    rows = torch.from_numpy(chosen)
    for name in _TARGETS:
        batch[name][rows] = IGNORED
    batch["predicate"][rows[batch["pairs"][:, 0]]] = IGNORED
