"""What WordNet 3.0 says of a word, from the file that ships: senses, how they stand to one another, definitions."""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.labels.word_forms import word_key

EMBEDDED_MEANINGS = Path(__file__).resolve().parents[1] / "assets" / "labels" / "meanings.safetensors"
#: How one synset may stand to another; the first three make the tree, in which adjectives that are like one hang below
#: it and adverbs below the adjective they come from.
LINKS = ("hypernym", "similar", "pertains", "attribute", "derived", "also", "entails", "antonym")
#: Letters of the parts of speech: noun, verb, adjective, adverb.
PARTS = "nvar"
#: Array -> its type in memory, and whether it is stored as differences of neighbours.
ARRAYS: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(("lexname", "below", "link_counts", "link_kind", "gloss_counts"), ("<u1", False)),
    **dict.fromkeys(("gloss_spread", "sense_counts", "sense_used", "form_part"), ("<u1", False)),
    **dict.fromkeys(("link_target", "gloss_key", "sense_synset", "form_base"), ("<u4", False)),
    **dict.fromkeys(("parent", "word_key", "form_key"), ("<u4", True)),
    "gloss_word": ("<u2", False),
}


class Meanings:
    """Words, their senses and what is known of each; read with `read_meanings`.

    Synsets are numbered so that a parent comes before its children; -1 is no synset.

    Attributes:
        parent: synset -> the one above it; itself for a root.
        below: synset -> log2 of how many synsets lie below it, itself among them.
        lexname: synset -> number of its lexicographers' file (5 animals, 6 artefacts, 38 verbs of motion ...).
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.parent: list[int] = arrays["parent"].tolist()
        self.lexname: list[int] = arrays["lexname"].tolist()
        self.below: list[float] = (arrays["below"] / 8).tolist()
        # Views give plain numbers, which single look-ups need, without a copy of the whole as a list.
        self._columns = {name: array.data for name, array in arrays.items()}
        self._ends = {
            name: np.cumsum(arrays[f"{name}_counts"], dtype=np.int64).data for name in ("sense", "link", "gloss")
        }

    def senses(self, key: int) -> list[tuple[int, float]]:
        """(synset, count in tagged text) of a word by its `word_key`; the most used come first in each part of speech.

        Words are in lower case, several words joined by "_".
        """
        keys = self._columns["word_key"]
        row = bisect_left(keys, key)
        if row == len(keys) or keys[row] != key:
            return []
        used = (2 ** (level / 8) - 1 for level in self._cut("sense", "sense_used", row))
        return list(zip(self._cut("sense", "sense_synset", row), used, strict=True))

    def part(self, synset: int) -> str:
        """The part of speech of a synset, one of `PARTS`."""
        lexname = self.lexname[synset]
        return "a" if lexname in (0, 1, 44) else "r" if lexname == 2 else "n" if lexname <= 28 else "v"

    def links(self, synset: int) -> list[tuple[str, int]]:
        """(kind, synset) of what stands to a synset otherwise than as its parent; kinds are `LINKS`."""
        kinds = (LINKS[kind] for kind in self._cut("link", "link_kind", synset))
        return list(zip(kinds, self._cut("link", "link_target", synset), strict=True))

    def definition(self, synset: int) -> list[tuple[int, float]]:
        """(`word_key`, log2 of how many definitions have it) of the first telling words of a definition."""
        keys, spread = self._columns["gloss_key"], self._columns["gloss_spread"]
        return [(keys[row], spread[row] / 8) for row in self._cut("gloss", "gloss_word", synset)]

    def base_forms(self, word: str, part: str) -> list[int]:
        """`word_key` of each word that an irregular form comes from, for one part of speech."""
        keys, key = self._columns["form_key"], word_key(word)
        rows = range(bisect_left(keys, key), bisect_right(keys, key))
        parts, bases = self._columns["form_part"], self._columns["form_base"]
        return [bases[row] for row in rows if PARTS[parts[row]] == part]

    def _cut(self, of: str, column: str, row: int) -> list[int]:
        """The entries of a row in one of the columns that hold several a row."""
        ends = self._ends[of]
        return self._columns[column][ends[row - 1] if row else 0 : ends[row]].tolist()


def read_meanings(path: Path) -> Meanings:
    """Read the file that `recipes/label_meanings.sh` writes. Raises UsageError if it is not there or is none."""
    import safetensors
    import safetensors.numpy

    arrays = {}
    try:
        stored = safetensors.numpy.load_file(path)
        for name, (kind, differences) in ARRAYS.items():
            size = np.dtype(kind).itemsize
            planes = np.frombuffer(zlib.decompress(stored[name].tobytes()), dtype=np.uint8)
            values = np.ascontiguousarray(planes.reshape(size, -1).T).view(kind)[:, 0]
            arrays[name] = (
                np.cumsum(values, dtype=np.uint32) if differences else values.astype(values.dtype.newbyteorder("="))
            )
    except (OSError, KeyError, ValueError, zlib.error, safetensors.SafetensorError) as error:
        raise UsageError(
            f"{path}: no word meanings there ({error}); reinstall mov_ai, or make them with recipes/label_meanings.sh"
        ) from None
    return Meanings(arrays)


@cache
def load_meanings() -> Meanings:
    """The embedded meanings, read once."""
    return read_meanings(EMBEDDED_MEANINGS)
