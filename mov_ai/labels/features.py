"""From a label in a role to weighted features: what it means, which words it has, how it is spelt."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from mov_ai.labels.meanings import PARTS, Meanings
from mov_ai.labels.relations import relation_group
from mov_ai.labels.word_forms import base_words, word_key

ROLES = ("entity", "event", "attribute", "relation", "direction", "setting", "light", "camera", "style", "word")
#: Role -> parts of speech, likeliest first.
_PARTS = {
    **{"entity": "nvar", "event": "vnar", "attribute": "anvr", "relation": "ranv", "direction": "ranv"},
    **{"setting": "navr", "light": "anrv", "camera": "nvar", "style": "anvr"},
}
#: Role -> lexicographers' files that a picture is likelier to mean: for an attribute nouns of attributes and substances
#: (navy the colour, not the fleet), for an event verbs of change, contact, creation, motion.
_VISIBLE_FILES = {
    "entity": (5, 6, 13, 17, 18, 20, 25, 27),
    "event": (29, 30, 34, 35, 36, 38),
    "attribute": (0, 7, 25, 27),
    "setting": (6, 14, 15, 17),
    "light": (7, 19),
}
#: Kinds of features; the number tells those of one kind from those of another.
SYNSET, OPPOSITE, WORD, SPELLING, RELATION = range(5)
#: Words of a phrase that mean nothing by themselves.
_FUNCTION_WORDS = frozenset(["a", "an", "the", "of", "to", "in", "on", "at", "with", "and", "by", "for"])
_MOST_SENSES = 8
#: Of longer labels, so many words and characters are read.
_MOST_WORDS, _MOST_CHARACTERS = 16, 200
#: Senses and steps of less weight than this, relative to the first, are left out.
_LEAST_WEIGHT = 0.1
#: Roles whose labels may be a phrase of `mov_ai.labels.relations`.
_RELATION_ROLES = ("relation", "direction", "light", "word")


@dataclass(frozen=True)
class Weights:
    """How much each kind of feature counts; chosen on the development half of `data/labels/triplets.jsonl`.

    Attributes:
        sense_decay: weight of a word's next sense relative to the one before, where no counts tell.
        count_power: a sense's share of the word's uses counts by this power.
        part_power: a part of speech counts by its uses to this power.
        other_part: weight of senses in a part of speech that the role does not prefer.
        seen: factor for senses that a picture is likelier to show.
        hypernym, similar, pertains: weight of a parent relative to its child, by the kind of step.
        rarity: a synset counts by its information content to this power.
        attribute, derived, also, entails: weight of what a sense is linked to.
        opposite: weight of the axis on which a sense and its antonym have different signs.
        gloss: weight of the words of a definition, relative to the word itself.
        defining: weight of what the words of a definition mean, by their most used sense.
        words, spelling: how much these blocks count beside the meaning; each has unit length before.
        other_word: weight of words beside the head of a phrase.
    """

    sense_decay: float = 0.85
    count_power: float = 0.5
    part_power: float = 0.2
    other_part: float = 0.7
    seen: float = 5.0
    hypernym: float = 0.6
    similar: float = 0.5
    pertains: float = 0.7
    rarity: float = 0.4
    attribute: float = 0.3
    derived: float = 0.7
    also: float = 0.2
    entails: float = 1.5
    opposite: float = 1.0
    gloss: float = 1.2
    defining: float = 0.5
    words: float = 0.4
    spelling: float = 0.08
    other_word: float = 0.5


def clean(text: str) -> str:
    """A label in the form that decides its vector: NFC, no case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


class LabelFeatures:
    """From labels to features; what lies above a synset is worked out once."""

    def __init__(self, meanings: Meanings, weights: Weights | None = None) -> None:
        self.meanings = meanings
        self.weights = weights or Weights()
        self._bits = math.log2(len(meanings.parent))
        self._above_known: dict[int, dict[int, float]] = {}
        self._defining_known: dict[int, dict[int, float]] = {}
        w = self.weights
        self._step = {"n": w.hypernym, "v": w.hypernym, "a": w.similar, "r": w.pertains}
        self._link = {
            **{"hypernym": w.hypernym, "similar": w.similar, "pertains": w.pertains, "attribute": w.attribute},
            **{"derived": w.derived, "also": w.also, "entails": w.entails},
        }

    def __call__(self, role: str, text: str) -> dict[int, float]:
        """Features of a label, not empty after `clean`, in one of `ROLES`; their weights have unit length."""
        text = clean(text)
        meaning: dict[int, float] = {}
        words: dict[int, float] = {}
        for word, weight in self._parts_of(role, text):
            senses = self._weighted_senses(role, word)
            _add(meaning, _unit(self._meaning(senses)), weight)
            _add(words, _unit(self._words(word, senses)), weight)
        group = relation_group(text) if role in _RELATION_ROLES else None
        if group is not None:
            name, opposite = group
            own = {_feature(RELATION, word_key(name)): 1.0}
            if opposite:
                axis = min(name, opposite)
                own[_feature(OPPOSITE, word_key(axis))] = self.weights.opposite * (1 if name == axis else -1)
            meaning = _unit(meaning)
            _add(meaning, own, 2.0)
        features: dict[int, float] = {}
        _add(features, _unit(meaning), 1.0)
        _add(features, _unit(words), self.weights.words)
        _add(features, _unit(_spelling(text)), self.weights.spelling)
        return _unit(features)

    def _parts_of(self, role: str, text: str) -> list[tuple[str, float]]:
        """The words that carry a label's meaning, with their weights: a phrase that WordNet has, or head and rest."""
        tokens = [token for token in re.split(r"[\s_\-/,.;:]+", text) if token]
        if len(tokens) <= 1:
            return [(text, 1.0)]
        rest = ([token for token in tokens if token not in _FUNCTION_WORDS] or tokens)[-_MOST_WORDS:]
        beside = self.weights.other_word
        for joined in ("_".join(tokens), "-".join(tokens), "_".join(rest)) if len(tokens) <= _MOST_WORDS else ():
            if self._senses(role, joined):
                return [(joined, 1.0), *((token, 0.3 * beside) for token in rest)]
        head = 0 if role == "event" else len(rest) - 1
        return [(token, 1.0 if i == head else beside) for i, token in enumerate(rest)]

    def _senses(self, role: str, word: str) -> list[list[tuple[int, float]]]:
        """Senses of a word, or of what it is a form of, by part of speech in the role's order; empty ones left out."""
        by_part = []
        for part in _PARTS.get(role, PARTS):
            bases = self.meanings.base_forms(word, part)
            for key in (word_key(word), *bases, *(word_key(stem) for stem in base_words(word))):
                senses = [sense for sense in self.meanings.senses(key) if self.meanings.part(sense[0]) == part]
                if senses:
                    by_part.append(senses[:_MOST_SENSES])
                    break
        return by_part

    def _weighted_senses(self, role: str, word: str) -> dict[int, float]:
        """Synsets of a word: weighted by use within their part of speech, by the role, by the part's own use."""
        w = self.weights
        weighted = {}
        picture_files = _VISIBLE_FILES.get(role, ())
        for place, senses in enumerate(self._senses(role, word)):
            uses = [count + w.sense_decay**rank for rank, (_, count) in enumerate(senses)]
            total = sum(uses)
            by_part = total**w.part_power * (1.0 if place == 0 or role == "word" else w.other_part)
            for (synset, _), use in zip(senses, uses, strict=True):
                boost = w.seen if self.meanings.lexname[synset] in picture_files else 1.0
                weighted[synset] = (use / total) ** w.count_power * boost * by_part
        least = _LEAST_WEIGHT * max(weighted.values(), default=0.0)
        return {synset: weight for synset, weight in weighted.items() if weight > least}

    def _above(self, synset: int) -> dict[int, float]:
        """A synset, what lies above it, and on which side of their opposites these are."""
        if synset in self._above_known:
            return self._above_known[synset]
        features = self._above_known[synset] = {}
        weight = 1.0
        while weight > _LEAST_WEIGHT:
            rarity = (1 - self.meanings.below[synset] / self._bits) ** self.weights.rarity
            _add(features, {_feature(SYNSET, synset): rarity}, weight)
            for kind, target in self.meanings.links(synset):
                if kind == "antonym":
                    side = self.weights.opposite * (1 if synset < target else -1)
                    _add(features, {_feature(OPPOSITE, min(synset, target)): side}, weight)
            parent = self.meanings.parent[synset]
            if parent == synset:
                break
            weight *= self._step[self.meanings.part(synset)]
            synset = parent
        return features

    def _meaning(self, senses: Mapping[int, float]) -> dict[int, float]:
        """What senses mean: themselves, what lies above them, what they are linked to, what defines them."""
        features: dict[int, float] = {}
        for synset, weight in senses.items():
            _add(features, self._above(synset), weight)
            links = [(kind, target) for kind, target in self.meanings.links(synset) if kind != "antonym"]
            for kind, target in links:
                _add(features, self._above(target), weight * self._link[kind] / math.sqrt(len(links)))
            if self.weights.defining:
                for key, spread in self.meanings.definition(synset):
                    _add(features, self._defining(key), weight * self.weights.defining * (1 - spread / self._bits))
        return features

    def _defining(self, key: int) -> dict[int, float]:
        """What a word of a definition means, by its most used sense."""
        if key not in self._defining_known:
            senses = self.meanings.senses(key)
            best = max(senses, key=lambda sense: sense[1], default=None)
            self._defining_known[key] = {} if best is None else _unit(self._above(best[0]))
        return self._defining_known[key]

    def _words(self, word: str, senses: Mapping[int, float]) -> dict[int, float]:
        """The word itself and those that define it, in one space: "emerald: a green ..." so meets "green"."""
        gloss: dict[int, float] = {}
        for synset, weight in senses.items():
            for key, spread in self.meanings.definition(synset):
                _add(gloss, {_feature(WORD, key): 1 - spread / self._bits}, weight)
        features = {_feature(WORD, word_key(word)): 1.0}
        _add(features, _unit(gloss), self.weights.gloss)
        return features


def _feature(kind: int, number: int) -> int:
    return kind << 32 | number


def _add(target: dict[int, float], source: dict[int, float], weight: float) -> None:
    for key, value in source.items():
        target[key] = target.get(key, 0.0) + weight * value


def _unit(features: dict[int, float]) -> dict[int, float]:
    length = math.sqrt(sum(value * value for value in features.values()))
    return {key: value / length for key, value in features.items()} if length > 0 else {}


def _spelling(text: str) -> dict[int, float]:
    """Hashed runs of two to four characters, and the whole, which tells apart labels that begin alike."""
    padded = f"<{text}>"
    first = padded[:_MOST_CHARACTERS]
    runs = [first[i : i + size] for size in (2, 3, 4) for i in range(len(first) - size + 1)]
    features: dict[int, float] = {}
    for run in (*runs, padded, padded):
        key = _feature(SPELLING, zlib.crc32(run.encode("utf-8", "surrogatepass")))
        features[key] = features.get(key, 0.0) + 1.0
    return features
