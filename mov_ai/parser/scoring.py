"""The networks' probabilities for texts, from the mean of their logits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.parser.network import ROLES, UNLINKED, CompositionalSceneParser, TokenBatch, Wording
from mov_ai.parser.scores import Scores
from mov_ai.parser.token_graph import TokenGraph, pad
from mov_ai.parser.vocabulary import Vocabulary

#: Mentions of entities in a text: all pairs of them are looked at.
MAX_MENTIONS = 120
#: Pairs of tokens that one pass of the network takes at most: memory grows with them.
MAX_PAIRS = 400_000


def score(
    networks: Sequence[CompositionalSceneParser],
    vocabulary: Vocabulary,
    graphs: Sequence[TokenGraph],
    given: Sequence[Sequence[tuple[int, int]] | None] | None = None,
) -> list[Scores]:
    """The networks' probabilities for each token graph, from the mean of their logits, in one batch.

    Args:
        networks: in eval mode.
        graphs: none without tokens.
        given: for each graph, the entities that are known beforehand as `given_heads` gives them, or None.

    Raises UsageError if a text speaks of things more than `MAX_MENTIONS` times.
    """
    device = networks[0].enter.weight.device

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    if any(len(graph) == 0 for graph in graphs):
        raise ValueError("a text without tokens cannot be scored")
    # Validation in the midst of training must say what the exported parser will say.
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        batch = TokenBatch(*(tensor(array) for array in pad(graphs)))
        states = [network.encode(batch) for network in networks]
        each = list(zip(networks, states, strict=True))
        logits = [network.tokens(state) for network, state in each]
        role, left, direction, form, part = (
            _mean(getattr(one, name) for one in logits).softmax(-1).cpu().numpy()
            for name in ("role", "left", "direction", "form", "part")
        )
        for i, heads in enumerate(given or ()):
            if heads:
                # Phrases that are given may be longer than what the network knows.
                longest = max(before for _, before in heads)
                left = np.pad(left, ((0, 0), (0, 0), (0, 0), (0, max(0, longest + 1 - left.shape[-1]))))
                _impose(role[i], left[i], heads)
            elif heads is not None:
                _impose(role[i], left[i], ())
        attribute = _mean(network.attributes(state) for network, state in each).sigmoid().cpu().numpy()
        unpaired = [ROLES.index(name) for name in UNLINKED]
        kinds = role.argmax(-1)
        chosen = [np.flatnonzero(~np.isin(kinds[i, : len(graph)], unpaired)) for i, graph in enumerate(graphs)]
        wordings = [vocabulary.wording(graph) for graph in graphs]
        rows = np.zeros((len(graphs), max(1, *map(len, chosen))), dtype=np.int64)
        verbs = np.full((len(graphs), max(len(wording.verbs) for wording in wordings)), -1, dtype=np.int64)
        labels = np.zeros((len(graphs), len(vocabulary.labels)), dtype=bool)
        endings = np.zeros((len(graphs), len(vocabulary.endings)), dtype=bool)
        pairs = []
        for i, (tokens, wording) in enumerate(zip(chosen, wordings, strict=True)):
            rows[i, : len(tokens)], verbs[i, : len(wording.verbs)] = tokens, wording.verbs
            labels[i, wording.labels] = endings[i, wording.endings] = True
            entities = tokens[role[i, tokens].argmax(-1) == ROLES.index("entity")]
            if len(entities) > MAX_MENTIONS:
                raise UsageError(
                    f"the text speaks of things {len(entities)} times; the parser follows {MAX_MENTIONS} at most: "
                    "shorten it or split it into several prompts"
                )
            pairs.append([(i, a, b) for a in entities for b in entities])
        pair_logits = [network.pairs(state, tensor(rows)) for network, state in each]
        link, order = (
            _mean(one[i] for one in pair_logits).softmax(-1).cpu().numpy().astype(np.float64) for i in range(2)
        )
        label_verb = np.stack([wording.label_verb for wording in wordings])
        arrays = (label_verb, verbs, vocabulary.label_endings, labels, endings)
        flat = np.array([pair for of_text in pairs for pair in of_text], dtype=np.int64).reshape(-1, 3)
        # Each pair looks at all tokens of its text, so many are taken in parts.
        pieces = tensor(flat).split(max(1, MAX_PAIRS // states[0].shape[1]))
        allowed = Wording(*map(tensor, arrays))
        outputs = []
        for network, state in each:
            logs = [network.predicates(state, batch, piece, allowed) for piece in pieces]
            outputs.append([torch.cat(piece) for piece in zip(*logs, strict=True)])
        predicate, teller = (_mean(one[i] for one in outputs).softmax(-1).cpu().numpy() for i in range(2))
        negated = _mean(one.negated for one in logits).sigmoid().cpu().numpy()
        token, piece, counts = _sentences(graphs, states[0].shape[1])
        durations = (network.log_durations(state, tensor(token), tensor(piece), sum(counts)) for network, state in each)
        times = _mean(durations).cpu().numpy()
    sentences = np.split(times, np.cumsum(counts)[:-1])
    result = []
    start = 0
    for i, graph in enumerate(graphs):
        n, m, end = len(graph), len(chosen[i]), start + len(pairs[i])
        result.append(
            Scores(
                role[i, :n],
                direction[i, :n],
                left[i, :n],
                form[i, :n],
                negated[i, :n],
                part[i, :n],
                attribute[i, :n, :n],
                chosen[i],
                link[i, :m, :m],
                order[i, :m, :m],
                flat[start:end, 1:],
                predicate[start:end],
                teller[start:end, :n],
                wordings[i].label_verb,
                wordings[i].verbs,
                sentences[i],
            )
        )
        start = end
    return result


def _mean(logits: Iterable[Tensor]) -> Tensor:
    """The mean of several networks' logits: the product of their probabilities, each to the same power."""
    parts = list(logits)
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)


def _impose(role: np.ndarray, left: np.ndarray, heads: Sequence[tuple[int, int]]) -> None:
    """Make these tokens entities, and no others, in place; role (N, roles), left (N, 2, more than any `before`)."""
    entity, nothing = ROLES.index("entity"), ROLES.index("none")
    role[:, entity] = 0
    # A token whose only likely role was entity becomes "none".
    role[:, nothing] += 1e-6
    role /= role.sum(-1, keepdims=True)
    for head, before in heads:
        role[head - before : head + 1] = 0
        role[head - before : head, nothing] = 1
    # In a second pass, because one given phrase may lie inside another.
    for head, before in heads:
        role[head] = 0
        role[head, entity] = 1
        left[head, 0] = 0
        left[head, 0, before] = 1


def _sentences(graphs: Sequence[TokenGraph], width: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The tokens of all sentences, numbered through graphs of `width` tokens; their sentences; how many each has."""
    token, piece = [], []
    counts: list[int] = []
    for i, graph in enumerate(graphs):
        token.append(np.arange(len(graph)) + i * width)
        piece.append(np.searchsorted(graph.sentences, np.arange(len(graph)), side="right") - 1 + sum(counts))
        counts.append(len(graph.sentences))
    return np.concatenate(token), np.concatenate(piece), counts
