"""The token graph: a parsed text as the nodes and typed edges that the parser's network reads."""

from __future__ import annotations

import bisect
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mov_ai.labels.word_forms import stems
from mov_ai.parser.lexicon import ROWS, load_lexicon
from mov_ai.parser.spelling import Corrected

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token
#: Feature -> number of ids. Words are hashed, so that any word has an id; 0 is kept for a word that is hidden. Two
#: hashes of the same word: two words that share both are rare.
FEATURES: dict[str, int] = {
    "form": 8192,
    "form again": 8192,
    "lemma": 6144,
    "prefix": 2048,
    "long prefix": 3072,
    "suffix": 2048,
    "short suffix": 1024,
    "shape": 300,
    "pos": 40,
    "tag": 120,
    "dep": 120,
    # The row of the lexicon, which is not learnt.
    "meaning": ROWS,
}
#: Features that tell one word from all others; 0 for words that training shows too seldom to learn anything of them.
FORM_FEATURES = ("form", "form again", "lemma")
#: Features from which the word could be guessed; hidden together in training.
WORD_FEATURES = (*FORM_FEATURES, "prefix", "long prefix", "suffix", "short suffix", "shape", "meaning")
#: Dependency labels are hashed too: pipelines differ in their sets. Each has one relation per direction.
_DEP_RELATIONS = 48
#: Relation 0 is that of tokens which only share a text.
_LEMMA_RELATIONS = ("same lemma later", "same lemma earlier")
RELATIONS = 1 + len(_LEMMA_RELATIONS) + 2 * _DEP_RELATIONS
#: A word that occurs all over a text is linked to this many occurrences before it only.
_SAME_LEMMA_LINKS = 2


@dataclass(frozen=True)
class TokenGraph:
    """The tokens of a text and the typed links between them; N tokens, E edges.

    Attributes:
        features: int64 (N, len(FEATURES)), ids below the sizes in `FEATURES`.
        edges: int64 (2, E): source and target token.
        relation: int64 (E,), below `RELATIONS`.
        spans: int64 (N, 2), character range of each token.
        words, lemmas, tags, pos: of each token; words in lower case, tags Penn Treebank's, pos Universal
            Dependencies'.
        sentences: the first token of each sentence, ascending.
    """

    features: np.ndarray
    edges: np.ndarray
    relation: np.ndarray
    spans: np.ndarray
    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    tags: tuple[str, ...]
    pos: tuple[str, ...]
    sentences: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.features)

    def sentence_of(self, token: int) -> int:
        """The number of the sentence that a token is in."""
        return bisect.bisect_right(self.sentences, token) - 1


def token_graph(doc: Doc, known: Container[str] | None = None, corrected: Corrected | None = None) -> TokenGraph:
    """Read a spaCy document with tags, lemmas and dependencies; blanks are left out.

    Args:
        known: the words whose own embeddings are of use, in lower case; of others only spelling, tag and meaning are
            seen. All words if None.
        corrected: the text that the document was made of, if it is another than the one that spans are to point to.
    """
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
        head = index.get(token.head.i)
        if head is not None and head != i:
            label = 1 + len(_LEMMA_RELATIONS) + _hash(token.dep_.split(":")[0], _DEP_RELATIONS)
            link(head, i, label)
            link(i, head, label + _DEP_RELATIONS)
        if token.is_alpha and not token.is_stop:
            same = earlier.setdefault(_lemma(token), [])
            for j in same[-_SAME_LEMMA_LINKS:]:
                link(j, i, 1 + _LEMMA_RELATIONS.index("same lemma later"))
                link(i, j, 1 + _LEMMA_RELATIONS.index("same lemma earlier"))
            same.append(i)
    spans = [(token.idx, token.idx + len(token.text)) for token in tokens]
    if corrected is not None and corrected.replaced:
        spans = [corrected.original(start, end) for start, end in spans]
    return TokenGraph(
        features=np.array([_features(t, known) for t in tokens], dtype=np.int64).reshape(-1, len(FEATURES)),
        edges=np.array([sources, targets], dtype=np.int64).reshape(2, -1),
        relation=np.array(relations, dtype=np.int64),
        spans=np.array(spans, dtype=np.int64).reshape(-1, 2),
        words=tuple(t.lower_ for t in tokens),
        lemmas=tuple(_lemma(t) for t in tokens),
        tags=tuple(t.tag_ for t in tokens),
        pos=tuple(t.pos_ for t in tokens),
        sentences=_sentences(doc, tokens),
    )


def token_graphs(texts: Sequence[Corrected], spacy: Language, known: Container[str] | None = None) -> list[TokenGraph]:
    """Read many texts in one pass of a spaCy pipeline; `known` as for `token_graph`."""
    docs = spacy.pipe([text.text for text in texts])
    return [token_graph(doc, known, text) for doc, text in zip(docs, texts, strict=True)]


def _sentences(doc: Doc, tokens: Sequence[Token]) -> tuple[int, ...]:
    """Where sentences begin, as positions among the tokens that are kept."""
    # `doc.sents`, `has_annotation` and going through the tokens once more take as long as all else here.
    begun = sorted({0, *np.flatnonzero(doc.to_array("SENT_START") == 1).tolist()})
    positions = [token.i for token in tokens]
    starts = dict.fromkeys(bisect.bisect_left(positions, start) for start in begun)
    return tuple(start for start in starts if start < len(positions))


def pad(graphs: Sequence[TokenGraph]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Many graphs side by side; B graphs, at most N tokens in each. (PyG's `to_dense_batch` and `to_dense_adj`.)

    Returns:
        features int64 (B, N, F), 0 where there is no token; relation int64 (B, N, N), of the edge to the token of the
        row from the token of the column; mask bool (B, N), where there is a token.
    """
    longest = max(1, *(len(graph) for graph in graphs))
    features = np.zeros((len(graphs), longest, len(FEATURES)), dtype=np.int64)
    relation = np.zeros((len(graphs), longest, longest), dtype=np.int64)
    mask = np.zeros((len(graphs), longest), dtype=bool)
    for i, graph in enumerate(graphs):
        features[i, : len(graph)] = graph.features
        relation[i, graph.edges[1], graph.edges[0]] = graph.relation
        mask[i, : len(graph)] = True
    return features, relation, mask


def _lemma(token: Token) -> str:
    return (token.lemma_ or token.text).lower()


def _hash(value: str, size: int) -> int:
    # Python's own hash of a string differs from run to run.
    return zlib.crc32(value.encode("utf-8", "replace")) % size


def _features(token: Token, known: Container[str] | None) -> list[int]:
    word, lemma = token.lower_, _lemma(token)
    values = {
        "form": word,
        # The second hash must not collide where the first does.
        "form again": f"2{word}",
        "lemma": lemma,
        "prefix": word[:3],
        "long prefix": word[:4],
        "suffix": word[-3:],
        "short suffix": word[-2:],
        "shape": token.shape_.lower(),
        "pos": token.pos_,
        "tag": token.tag_,
        "dep": token.dep_,
    }
    seldom = known is not None and token.is_alpha and word not in known
    ids = [
        0 if seldom and name in FORM_FEATURES else 1 + _hash(value, FEATURES[name] - 1)
        for name, value in values.items()
    ]
    return [*ids, load_lexicon().row((lemma, word, *stems(word)))]
