"""The word meanings that labels are encoded with, from WordNet 3.0: `recipes/label_meanings.sh [--out FOLDER]`.

The file holds what `mov_ai.labels.meanings` reads: which synonym sets ("synsets") a word belongs to in order of use,
how synsets stand to one another, and the first words of each definition. The format of WordNet's own files is
described in its manual page wndb(5WN).
"""

from __future__ import annotations

import argparse
import re
import sys
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import safetensors.numpy

from mov_ai.data.downloads import data_folder
from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import write_bytes
from mov_ai.labels.meanings import ARRAYS, EMBEDDED_MEANINGS, LINKS, PARTS
from mov_ai.labels.word_forms import base_words, word_key

_PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
#: A synset's pointer symbol -> its kind of link; "@" and "&" come first because they make the tree.
_POINTERS = {
    **{"@": "hypernym", "@i": "hypernym", "&": "similar", "\\": "pertains", "=": "attribute", "+": "derived"},
    **{"^": "also", "$": "also", "*": "entails", ">": "entails", "!": "antonym"},
}
#: Words of a definition that are kept, the first ones.
_GLOSS_WORDS = 6
#: A word in more definitions than this says nothing.
_COMMON = 4_000
_STOP = frozenset((
    "a", "an", "the", "of", "or", "and", "to", "in", "on", "at", "by", "for", "from", "with", "without", "as", "is",
    "are", "be", "been", "being", "that", "which", "who", "whom", "whose", "this", "these", "those", "it", "its",
    "they", "them", "their", "he", "his", "she", "her", "one", "s", "used", "using", "having", "has", "have", "not",
    "no", "than", "into", "etc", "e", "g", "esp", "especially", "usually", "often", "very", "any", "some", "other",
    "something", "someone", "somebody", "such", "when", "where", "while", "make", "made", "can", "may", "up", "out",
    "so", "all", "also", "more", "most", "during", "between", "through", "about",
))  # fmt: skip

#: Part of speech and offset: what names a synset in WordNet's files.
_Key = tuple[str, int]


@dataclass
class _Synset:
    """One synonym set as the files give it; `is_head` of adjectives that others are like."""

    key: _Key
    lexname: int
    definition: str
    is_head: bool
    pointers: list[tuple[str, _Key]] = field(default_factory=list)


def _read_synsets(folder: Path) -> dict[_Key, _Synset]:
    synsets: dict[_Key, _Synset] = {}
    for part, name in _PARTS.items():
        for line in (folder / f"data.{name}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):
                continue
            data, _, gloss = line.partition(" | ")
            fields = data.split()
            words = int(fields[3], 16)
            start = 4 + 2 * words
            key = (part, int(fields[0]))
            synset = synsets[key] = _Synset(key, int(fields[1]), re.split(r';\s*"', gloss)[0], fields[2] == "a")
            for i in range(int(fields[start])):
                symbol, offset, target, _ = fields[start + 1 + 4 * i : start + 5 + 4 * i]
                if symbol in _POINTERS:
                    synset.pointers.append((_POINTERS[symbol], (target.replace("s", "a"), int(offset))))
    return synsets


def _read_senses(folder: Path) -> dict[str, list[tuple[_Key, int]]]:
    """Word, several joined by "_" -> its synsets with their counts in tagged text, most used first in each part."""
    counts: dict[tuple[str, str, int], int] = {}
    for line in (folder / "cntlist.rev").read_text(encoding="latin-1").splitlines():
        sense, rank, count = line.split()
        word, _, rest = sense.partition("%")
        # 1 noun, 2 verb, 3 adjective, 4 adverb, 5 adjective that is like another.
        counts[word, "nvara"[int(rest[0]) - 1], int(rank)] = int(count)
    senses: dict[str, list[tuple[_Key, int]]] = {}
    for part, name in _PARTS.items():
        for line in (folder / f"index.{name}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            offsets = fields[-int(fields[2]) :]
            for number, offset in enumerate(offsets, start=1):
                entry = ((part, int(offset)), counts.get((fields[0], part, number), 0))
                senses.setdefault(fields[0], []).append(entry)
    return senses


def _ordered(synsets: dict[_Key, _Synset]) -> tuple[list[_Synset], np.ndarray]:
    """Synsets with every parent before its children, level by level, and the place of each one's parent (roots: own).

    So ordered the parents' places only grow, which packs well.
    """
    parents: dict[_Key, _Key | None] = {}
    for key, synset in synsets.items():
        kinds = LINKS[:3] if any(kind in LINKS[:2] for kind, _ in synset.pointers) else LINKS[2:3]
        # The head of a group of adjectives points at each of its group, and is a root.
        if not synset.is_head:
            parents[key] = next((target for kind, target in synset.pointers if kind in kinds), None)
        else:
            parents[key] = None
    for key in synsets:
        passed, above = {key}, parents[key]
        while above is not None and above not in passed:
            passed.add(above)
            above = parents[above]
        if above is not None:
            # WordNet has a few circles; the first of each is its root.
            parents[key] = None
    children: dict[_Key | None, list[_Key]] = {}
    for key in sorted(synsets, key=lambda key: (PARTS.index(key[0]), key[1])):
        children.setdefault(parents[key], []).append(key)
    order = list(children[None])
    for key in order:
        order.extend(children.get(key, ()))
    places = {key: i for i, key in enumerate(order)}
    above_each = np.array([i if (above := parents[key]) is None else places[above] for i, key in enumerate(order)])
    return [synsets[key] for key in order], above_each


def _definition_words(order: list[_Synset], uses: Mapping[str, int]) -> list[list[str]]:
    """The first words of each definition that carry meaning, as WordNet lists them.

    Args:
        order: synsets.
        uses: every word that WordNet lists -> its count in tagged text.
    """

    @cache
    def base(word: str) -> str:
        # The most used form counts: "colors" has an entry of its own, but means "color".
        regular = next((stem for stem in base_words(word) if stem in uses), "")
        forms = [form for form in (word, regular) if form in uses]
        return max(forms, key=lambda form: uses[form]) if forms else ""

    words = []
    for synset in order:
        text = re.sub(r"\([^)]*\)", " ", synset.definition.lower())
        found = [base(word) for word in re.findall(r"[a-z]+", text) if word not in _STOP]
        words.append(list(dict.fromkeys(word for word in found if len(word) > 1 and word not in _STOP)))
    spread = Counter(word for entry in words for word in entry)
    return [[word for word in entry if 1 < spread[word] <= _COMMON][:_GLOSS_WORDS] for entry in words]


def meanings(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of `mov_ai.labels.meanings.Meanings`, from WordNet's files.

    Args:
        folder: has `data.*`, `index.*`, `cntlist.rev` and `*.exc`.

    Raises:
        UsageError: if a file cannot be read.
    """
    try:
        synsets, senses = _read_synsets(folder), _read_senses(folder)
        forms = {
            part: [line.split() for line in (folder / f"{name}.exc").read_text(encoding="latin-1").splitlines()]
            for part, name in _PARTS.items()
        }
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(
            f"{folder}: no WordNet 3.0 database there ({error}); expected data.*, index.*, *.exc"
        ) from None
    order, parents = _ordered(synsets)
    places = {synset.key: i for i, synset in enumerate(order)}
    below = np.ones(len(order), dtype=np.int64)
    for i in range(len(order) - 1, -1, -1):
        if parents[i] != i:
            below[parents[i]] += below[i]
    links = sorted(
        {
            (i, LINKS.index(kind), places[target])
            for i, synset in enumerate(order)
            for kind, target in synset.pointers
            if places[target] not in (i, parents[i]) and not (kind == "similar" and parents[places[target]] == i)
        }
    )
    glosses = _definition_words(order, {word: sum(count for _, count in of) for word, of in senses.items()})
    spread = Counter(word for entry in glosses for word in entry)
    gloss_words = sorted(spread)
    gloss_rows = {word: i for i, word in enumerate(gloss_words)}
    # Two words of one key, of which there are a handful, are one word.
    by_key: dict[int, list[tuple[_Key, int]]] = {}
    for word, entries in senses.items():
        by_key.setdefault(word_key(word), []).extend(entries)
    keys = sorted(by_key)
    entries = [entry for key in keys for entry in by_key[key]]
    irregular = sorted(
        {
            (word_key(form), PARTS.index(part), word_key(base))
            for part, lines in forms.items()
            for form, *bases in lines
            for base in bases
            if form != base and word_key(base) in by_key
        }
    )
    return {
        "parent": parents,
        "lexname": np.array([synset.lexname for synset in order]),
        "below": np.round(8 * np.log2(below)),
        "link_counts": np.bincount([link[0] for link in links], minlength=len(order)),
        "link_kind": np.array([link[1] for link in links]),
        "link_target": np.array([link[2] for link in links]),
        "gloss_counts": np.array([len(words) for words in glosses]),
        "gloss_word": np.array([gloss_rows[word] for words in glosses for word in words]),
        "gloss_key": np.array([word_key(word) for word in gloss_words]),
        "gloss_spread": np.round(8 * np.log2([spread[word] for word in gloss_words])),
        "word_key": np.array(keys),
        "sense_counts": np.array([len(by_key[key]) for key in keys]),
        "sense_synset": np.array([places[key] for key, _ in entries]),
        "sense_used": np.round(8 * np.log2([1 + count for _, count in entries])),
        "form_key": np.array([form for form, _, _ in irregular]),
        "form_part": np.array([part for _, part, _ in irregular]),
        "form_base": np.array([base for _, _, base in irregular]),
    }


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file of the arrays of `Meanings`, each deflated byte by byte place."""
    stored = {}
    for name, (kind, differences) in ARRAYS.items():
        values = np.asarray(arrays[name]).astype(np.int64)
        if differences:
            # Differences may be below zero where a root stands among children: modulo 2^32 they come back exactly.
            values = np.diff(values, prepend=0) & 0xFFFFFFFF
        planes = values.astype(kind)[:, None].view(np.uint8).T
        stored[name] = np.frombuffer(zlib.compress(planes.tobytes(), 9), dtype=np.uint8)
    return safetensors.numpy.save(stored)


def write_meanings(path: Path) -> tuple[int, int]:
    """Write the file that `mov_ai.labels.meanings` reads, from WordNet 3.0 (`mov_ai.data.downloads`).

    Returns:
        How many words and synsets it holds.

    Raises:
        MovAIError: if WordNet is not there, or the file cannot be written.
    """
    arrays = meanings(data_folder("wordnet3"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, pack(arrays))
    return len(arrays["word_key"]), len(arrays["parent"])


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools.builders.meanings", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder of the file; default: the one that ships")
    folder = parser.parse_args(arguments).out or EMBEDDED_MEANINGS.parent

    def work() -> None:
        path = folder / EMBEDDED_MEANINGS.name
        words, synsets = write_meanings(path)
        sys.stdout.write(f"{words} words, {synsets} synsets, {path.stat().st_size / 1e6:.2f} MB: {path}\n")

    return run_script(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
