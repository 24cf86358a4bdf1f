"""The parser's word vectors, from WordNet's synonym sets: `recipes/word_vectors.sh [--out FILE]`.

The parser learns words from some tens of thousands of captions, and one caption in ten of a test has a word that they
hold at most twice. WordNet knows most of them. Its sets of synonyms are numbered by their place in the lexicographers'
files, where sets of one kind stand together (animals, then artefacts, food, persons ...; within animals, dogs beside
foxes), so two words mean like things if the numbers of their sets are near each other. A sparse table of words by
ranges of numbers, from single sets to large ranges, is cut down by singular values to a dense vector per word
(latent semantic analysis: Deerwester et al. 1990).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mov_ai.errors import run_script
from mov_ai.graph.files import write_bytes
from mov_ai.labels.word_forms import word_key
from mov_ai.parser.lexicon import DIM, EMBEDDED_LEXICON
from studies.parser.wordnet import load_wordnet

#: Width of a range of set numbers -> weight of its columns; a set's number grows by about 180.
_RANGES = {1: 1.0, 2_500: 0.8, 12_500: 0.8, 60_000: 1.0, 300_000: 1.0}
#: A column counts the less the more words it has, by this power.
_RARITY = 0.25
#: Columns of fewer words than this count no more than one of as many.
_FEWEST = 3


def word_vectors(synsets: Mapping[str, frozenset[str]], dim: int = DIM) -> np.ndarray:
    """Vectors of unit length, of which near ones mean like things.

    Args:
        synsets: word -> numbers of the sets that it belongs to, as decimal strings; at least one each.
        dim: below the number of words.

    Returns:
        float32 (words, dim), in the order of `synsets`.
    """
    from scipy import sparse
    from scipy.sparse.linalg import svds

    blocks = []
    for width, weight in _RANGES.items():
        columns: dict[int, int] = {}
        rows, places, values = [], [], []
        for row, sets in enumerate(synsets.values()):
            for number in sorted(map(int, sets)):
                rows.append(row)
                places.append(columns.setdefault(number // width, len(columns)))
                values.append(len(sets) ** -0.5)
        table = sparse.csr_matrix((values, (rows, places)), shape=(len(synsets), len(columns)))
        words = np.asarray((table > 0).sum(axis=0)).ravel()
        blocks.append(table @ sparse.diags(weight * np.maximum(words, _FEWEST) ** -_RARITY))
    table = sparse.hstack(blocks).tocsr()
    # The first vector of the iteration is given, so that the result is the same every time.
    left, singular, _ = svds(table, k=dim, v0=np.ones(min(table.shape)))
    order = np.argsort(-singular)
    vectors = left[:, order] * singular[order] ** 0.5
    vectors *= np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(dim)] < 0, -1.0, 1.0)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-9)).astype(np.float32)


def write_lexicon(synsets: Mapping[str, frozenset[str]], path: Path, dim: int = DIM) -> int:
    """Write the vectors of all words in 8 bits; returns how many there are.

    Two words of one key, of which there are few, share the vector of the first.
    """
    import safetensors.numpy

    vectors = word_vectors(synsets, dim)
    keys, first = np.unique(np.array([word_key(word) for word in synsets]), return_index=True)
    scale = np.abs(vectors).max(axis=0) / 127
    stored = {
        "keys": keys.astype(np.int32),
        "vectors": np.round(vectors[first] / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, safetensors.numpy.save(stored))
    return len(keys)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools.builders.word_vectors", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=EMBEDDED_LEXICON, help="file of the vectors")
    path = parser.parse_args(arguments).out

    def work() -> None:
        count = write_lexicon(load_wordnet().single_words(), path)
        sys.stdout.write(f"{count} words, {path.stat().st_size / 1e6:.1f} MB: {path}\n")

    return run_script(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
