"""Word vectors: what a word means, for words that the parser's captions never showed it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.labels.word_forms import stems, word_key

EMBEDDED_LEXICON = Path(__file__).resolve().parents[1] / "assets" / "lexicon" / "vectors.safetensors"
#: Rows of the embedded lexicon, row 0 among them; a constant, for sizes of features are known before any file is read.
ROWS = 81_426
DIM = 40


class Lexicon:
    """Vectors of words, found by a hash of the word.

    Args:
        keys: (rows - 1,), `word_key` of each word but that of row 0.
        vectors: float32 (rows, dim); row 0 is all zeros and stands for words that are not here.
    """

    def __init__(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self._rows = {key: row for row, key in enumerate(keys.tolist(), start=1)}

    def __contains__(self, word: str) -> bool:
        return word_key(word) in self._rows

    def row(self, forms: Iterable[str]) -> int:
        """The row of the first of these forms that is here; 0 if none is."""
        return next((row for form in forms if (row := self._rows.get(word_key(form), 0))), 0)

    def knows(self, word: str) -> bool:
        """Whether a word, or what it may be a form of, is here; lower case."""
        return word in self or any(stem in self for stem in stems(word))


def read_lexicon(path: Path) -> Lexicon:
    """Read a lexicon from the file that `recipes/word_vectors.sh` writes.

    Raises UsageError if the file is not there or is none.
    """
    import safetensors
    import safetensors.numpy

    try:
        stored = safetensors.numpy.load_file(path)
        vectors = stored["vectors"].astype(np.float32) * stored["scale"]
        keys = stored["keys"]
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise UsageError(
            f"{path}: no word vectors there ({error}); reinstall mov_ai, or make them with recipes/word_vectors.sh"
        ) from None
    return Lexicon(keys, np.concatenate([np.zeros_like(vectors[:1]), vectors]))


@cache
def load_lexicon() -> Lexicon:
    """The embedded lexicon, read once (about 30 ms)."""
    return read_lexicon(EMBEDDED_LEXICON)
