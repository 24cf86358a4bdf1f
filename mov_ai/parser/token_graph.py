"""The token graph: a parsed text as the nodes and typed edges that the parser's network reads."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token
    from torch_geometric.data import Data

#: Feature -> number of ids. Words are hashed, so that any word has an id; 0 is kept for a word that is hidden.
FEATURES: dict[str, int] = {
    "form": 6000,
    "lemma": 4000,
    "prefix": 1500,
    "suffix": 2000,
    "shape": 300,
    "pos": 40,
    "tag": 120,
    "dep": 120,
    "place": 40,
}
#: Features that give a word away; hidden together in training.
WORD_FEATURES = ("form", "lemma", "prefix", "suffix")
#: Dependency labels are hashed too: pipelines differ in their sets. Each has one relation per direction.
_DEP_RELATIONS = 48
_SEQUENCE = ("self", "next", "previous", "after next", "before previous", "same lemma later", "same lemma earlier")
RELATIONS = len(_SEQUENCE) + 2 * _DEP_RELATIONS
#: A word that occurs all over a text is linked to this many occurrences before it only.
_SAME_LEMMA_LINKS = 2


@dataclass(frozen=True)
class TokenGraph:
    """The tokens of a text and the links between them; N tokens, E edges.

    Attributes:
        features: int64 (N, len(FEATURES)), ids below the sizes in `FEATURES`.
        edges: int64 (2, E): source and target token.
        relation: int64 (E,), below `RELATIONS`.
        spans: int64 (N, 2), character range of each token.
        words, lemmas, tags: of each token; words in lower case, tags Penn Treebank's.
    """

    features: np.ndarray
    edges: np.ndarray
    relation: np.ndarray
    spans: np.ndarray
    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    tags: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.features)

    def to_pyg(self) -> Data:
        """The graph as torch-geometric's: `x` (N, features), `edge_index` (2, E), `edge_type` (E,)."""
        import torch
        from torch_geometric.data import Data

        tensors = [torch.from_numpy(array.copy()) for array in (self.features, self.edges, self.relation)]
        return Data(x=tensors[0], edge_index=tensors[1], edge_type=tensors[2], num_nodes=len(self))


def token_graph(doc: Doc) -> TokenGraph:
    """Read a spaCy document with tags, lemmas and dependencies; blanks are left out."""
    tokens = [token for token in doc if not token.is_space]
    index = {token.i: position for position, token in enumerate(tokens)}
    sources: list[int] = []
    targets: list[int] = []
    relations: list[int] = []

    def link(source: int, target: int, relation: int) -> None:
        sources.append(source)
        targets.append(target)
        relations.append(relation)

    earlier: dict[str, list[int]] = {}
    for i, token in enumerate(tokens):
        link(i, i, _SEQUENCE.index("self"))
        for step, (ahead, back) in ((1, ("next", "previous")), (2, ("after next", "before previous"))):
            if i >= step:
                link(i - step, i, _SEQUENCE.index(ahead))
                link(i, i - step, _SEQUENCE.index(back))
        head = index.get(token.head.i)
        if head is not None and head != i:
            label = _hash(token.dep_.split(":")[0], _DEP_RELATIONS)
            link(head, i, len(_SEQUENCE) + label)
            link(i, head, len(_SEQUENCE) + _DEP_RELATIONS + label)
        if token.is_alpha and not token.is_stop:
            same = earlier.setdefault(_lemma(token), [])
            for j in same[-_SAME_LEMMA_LINKS:]:
                link(j, i, _SEQUENCE.index("same lemma later"))
                link(i, j, _SEQUENCE.index("same lemma earlier"))
            same.append(i)
    return TokenGraph(
        features=np.array([_features(t, i) for i, t in enumerate(tokens)], dtype=np.int64).reshape(-1, len(FEATURES)),
        edges=np.array([sources, targets], dtype=np.int64).reshape(2, -1),
        relation=np.array(relations, dtype=np.int64),
        spans=np.array([(t.idx, t.idx + len(t.text)) for t in tokens], dtype=np.int64).reshape(-1, 2),
        words=tuple(t.lower_ for t in tokens),
        lemmas=tuple(_lemma(t) for t in tokens),
        tags=tuple(t.tag_ for t in tokens),
    )


def join(graphs: Sequence[TokenGraph]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Many graphs as one without links between them.

    Returns:
        features (sum of N, F), edges (2, sum of E), relation (sum of E,), and the first token of each graph plus the
        end: starts (graphs + 1,).
    """
    starts = np.cumsum([0, *(len(graph) for graph in graphs)])
    features = np.concatenate([graph.features for graph in graphs])
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, starts, strict=False)], axis=1)
    return features, edges, np.concatenate([graph.relation for graph in graphs]), starts


def _lemma(token: Token) -> str:
    return (token.lemma_ or token.text).lower()


def _hash(value: str, size: int) -> int:
    # Python's own hash of a string differs from run to run.
    return zlib.crc32(value.encode("utf-8", "replace")) % size


def _features(token: Token, position: int) -> list[int]:
    word = token.lower_
    values = {
        "form": word,
        "lemma": _lemma(token),
        "prefix": word[:3],
        "suffix": word[-3:],
        "shape": token.shape_,
        "pos": token.pos_,
        "tag": token.tag_,
        "dep": token.dep_,
    }
    ids = [1 + _hash(value, FEATURES[name] - 1) for name, value in values.items()]
    # Places far into a text share ids, so that long texts look like what training showed.
    return [*ids, 1 + min(position, 8 + position // 4, FEATURES["place"] - 2)]
