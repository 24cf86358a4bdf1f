"""What WordNet 3.0 says of a word, from the file that ships: senses, how they stand to one another, definitions."""

from __future__ import annotations

import zlib
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
_ARRAYS: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(("lexname", "below", "link_counts", "link_kind", "gloss_counts"), ("<u1", False)),
    **dict.fromkeys(("gloss_spread", "sense_counts", "sense_used", "form_part"), ("<u1", False)),
    **dict.fromkeys(("link_target", "gloss_key", "sense_synset", "form_base"), ("<u4", False)),
    **dict.fromkeys(("parent", "word_key", "form_key"), ("<u4", True)),
    "gloss_word": ("<u2", False),
}


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file of the arrays of `Meanings`, each deflated byte by byte place."""
    import safetensors.numpy

    stored = {}
    for name, (kind, differences) in _ARRAYS.items():
        values = np.asarray(arrays[name]).astype(np.int64)
        if differences:
            # Differences may be below zero where a root stands among children: modulo 2^32 they come back exactly.
            values = np.diff(values, prepend=0) & 0xFFFFFFFF
        planes = values.astype(kind)[:, None].view(np.uint8).T
        stored[name] = np.frombuffer(zlib.compress(planes.tobytes(), 9), dtype=np.uint8)
    return safetensors.numpy.save(stored)


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
        self._arrays = arrays
        self._sense_ends = np.cumsum(arrays["sense_counts"], dtype=np.int64)
        self._link_ends = np.cumsum(arrays["link_counts"], dtype=np.int64)
        self._gloss_ends = np.cumsum(arrays["gloss_counts"], dtype=np.int64)

    def senses(self, key: int) -> list[tuple[int, float]]:
        """(synset, count in tagged text) of a word by its `word_key`; the most used come first in each part of speech.

        Words are in lower case, several words joined by "_".
        """
        row = _row(self._arrays["word_key"], key)
        if row is None:
            return []
        start, end = _span(self._sense_ends, row)
        used = np.exp2(self._arrays["sense_used"][start:end] / 8) - 1
        return list(zip(self._arrays["sense_synset"][start:end].tolist(), used.tolist(), strict=True))

    def part(self, synset: int) -> str:
        """The part of speech of a synset, one of `PARTS`."""
        lexname = self.lexname[synset]
        return "a" if lexname in (0, 1, 44) else "r" if lexname == 2 else "n" if lexname <= 28 else "v"

    def links(self, synset: int) -> list[tuple[str, int]]:
        """(kind, synset) of what stands to a synset otherwise than as its parent; kinds are `LINKS`."""
        start, end = _span(self._link_ends, synset)
        kinds = self._arrays["link_kind"][start:end].tolist()
        return [
            (LINKS[kind], target)
            for kind, target in zip(kinds, self._arrays["link_target"][start:end].tolist(), strict=True)
        ]

    def definition(self, synset: int) -> list[tuple[int, float]]:
        """(`word_key`, log2 of how many definitions have it) of the first telling words of a definition."""
        start, end = _span(self._gloss_ends, synset)
        rows = self._arrays["gloss_word"][start:end]
        spread = self._arrays["gloss_spread"][rows] / 8
        return list(zip(self._arrays["gloss_key"][rows].tolist(), spread.tolist(), strict=True))

    def base_forms(self, word: str, part: str) -> list[int]:
        """`word_key` of each word that an irregular form comes from, for one part of speech."""
        keys = self._arrays["form_key"]
        start = int(np.searchsorted(keys, word_key(word)))
        end = int(np.searchsorted(keys, word_key(word), side="right"))
        parts = self._arrays["form_part"][start:end].tolist()
        bases = self._arrays["form_base"][start:end].tolist()
        return [base for base, of in zip(bases, parts, strict=True) if PARTS[of] == part]


def _row(keys: np.ndarray, key: int) -> int | None:
    row = int(np.searchsorted(keys, key))
    return row if row < len(keys) and keys[row] == key else None


def _span(ends: np.ndarray, row: int) -> tuple[int, int]:
    return (int(ends[row - 1]) if row else 0), int(ends[row])


def read_meanings(path: Path) -> Meanings:
    """Read the file that `mov_ai.training.labels` writes.

    Raises:
        UsageError: if the file is not there or is none.
    """
    import safetensors
    import safetensors.numpy

    arrays = {}
    try:
        stored = safetensors.numpy.load_file(path)
        for name, (kind, differences) in _ARRAYS.items():
            size = np.dtype(kind).itemsize
            planes = np.frombuffer(zlib.decompress(stored[name].tobytes()), dtype=np.uint8)
            values = np.ascontiguousarray(planes.reshape(size, -1).T).view(kind)[:, 0]
            arrays[name] = np.cumsum(values, dtype=np.uint32) if differences else values
    except (OSError, KeyError, ValueError, zlib.error, safetensors.SafetensorError) as error:
        raise UsageError(
            f"{path}: no word meanings there ({error}); make them with `python -m mov_ai.training.labels`"
        ) from None
    return Meanings(arrays)


@cache
def load_meanings() -> Meanings:
    """The embedded meanings, read once."""
    return read_meanings(EMBEDDED_MEANINGS)
