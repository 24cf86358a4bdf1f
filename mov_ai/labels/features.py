"""From a label in a role to weighted features: what it means, which words it has, how it is spelt."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from dataclasses import dataclass

from mov_ai.labels.meanings import Meanings
from mov_ai.labels.relations import relation_group
from mov_ai.labels.word_forms import stems, word_key

ROLES = ("entity", "event", "attribute", "relation", "direction", "setting", "light", "camera", "style", "word")
#: Role -> parts of speech, likeliest first.
_PARTS = {
    **{"entity": "nvar", "event": "vnar", "attribute": "anvr", "relation": "ranv", "direction": "ranv"},
    **{"setting": "navr", "light": "anrv", "camera": "nvar", "style": "anvr"},
}
#: Role -> lexicographers' files that a picture is likelier to mean: for an attribute nouns of attributes and substances
#: (navy the colour, not the fleet), for an event verbs of change, contact, creation, motion.
_SEEN = {
    "entity": (5, 6, 8, 13, 17, 18, 20, 25, 27),
    "event": (29, 30, 34, 35, 36, 38),
    "attribute": (0, 7, 25, 27),
    "setting": (6, 14, 15, 17),
    "light": (7, 19),
}
#: Kinds of features; the number tells those of one kind from those of another.
SYNSET, OPPOSITE, WORD, SPELLING, RELATION = range(5)
_EMPTY = frozenset(["a", "an", "the", "of", "to", "in", "on", "at", "with", "and", "by", "for"])
_MOST_SENSES = 8


@dataclass(frozen=True)
class Weights:
    """How much each kind of feature counts; chosen on the development half of `data/labels/triplets.jsonl`.

    Attributes:
        sense_decay: weight of a word's next sense relative to the one before, where no counts tell.
        count_power: a sense's share of the word's uses counts by this power.
        other_part: weight of senses in a part of speech that the role does not prefer.
        seen: factor for senses that a picture is likelier to show.
        hypernym, similar, pertains: weight of a parent relative to its child, by the kind of step.
        rarity: a synset counts by its information content to this power.
        attribute, derived, also, entails: weight of what a sense is linked to.
        opposite: weight of the axis on which a sense and its antonym have different signs.
        gloss: weight of the words of a definition, relative to the word itself.
        meaning, words, spelling: how much the three blocks count; each has unit length before.
        other_word: weight of words beside the head of a phrase.
    """

    sense_decay: float = 0.6
    count_power: float = 0.7
    other_part: float = 0.15
    seen: float = 2.0
    hypernym: float = 0.75
    similar: float = 0.5
    pertains: float = 0.7
    rarity: float = 1.0
    attribute: float = 0.3
    derived: float = 0.3
    also: float = 0.3
    entails: float = 0.3
    opposite: float = 0.6
    gloss: float = 0.7
    meaning: float = 1.0
    words: float = 0.6
    spelling: float = 0.2
    other_word: float = 0.5


def clean(text: str) -> str:
    """A label in the form that decides its vector: NFC, no case, single spaces."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())


def label_features(role: str, text: str, meanings: Meanings, weights: Weights) -> dict[int, float]:
    """Features of a label, their weights as one vector of unit length.

    Args:
        role: one of `ROLES`.
        text: not empty after `clean`.
    """
    text = clean(text)
    meaning: dict[int, float] = {}
    words: dict[int, float] = {}
    for word, weight in _parts_of(role, text, meanings, weights):
        _add(meaning, _unit(_meaning(role, word, meanings, weights)), weight)
        _add(words, _unit(_words(role, word, meanings, weights)), weight)
    group = relation_group(text) if role in ("relation", "direction", "word", "light") else None
    if group is not None:
        name, opposite = group
        own = {_feature(RELATION, word_key(name)): 1.0}
        if opposite:
            axis = min(name, opposite)
            own[_feature(OPPOSITE, word_key(axis))] = weights.opposite if name == axis else -weights.opposite
        meaning = _unit(meaning)
        _add(meaning, own, 2.0)
    features: dict[int, float] = {}
    _add(features, _unit(meaning), weights.meaning)
    _add(features, _unit(words), weights.words)
    _add(features, _unit(_spelling(text)), weights.spelling)
    return _unit(features)


def _feature(kind: int, number: int) -> int:
    return kind << 32 | number


def _add(target: dict[int, float], source: dict[int, float], weight: float) -> None:
    for key, value in source.items():
        target[key] = target.get(key, 0.0) + weight * value


def _unit(features: dict[int, float]) -> dict[int, float]:
    length = math.sqrt(sum(value * value for value in features.values()))
    return {key: value / length for key, value in features.items()} if length > 0 else {}


def _parts_of(role: str, text: str, meanings: Meanings, weights: Weights) -> list[tuple[str, float]]:
    """The words that carry a label's meaning, with their weights: a phrase that WordNet has whole, or head and rest."""
    tokens = [token for token in re.split(r"[\s_\-/,.;:]+", text) if token]
    if len(tokens) <= 1:
        return [(text, 1.0)]
    rest = [token for token in tokens if token not in _EMPTY] or tokens
    for joined in ("_".join(tokens), "-".join(tokens), "_".join(rest)):
        if _senses(role, joined, meanings):
            return [(joined, 1.0), *((token, 0.3 * weights.other_word) for token in rest)]
    head = 0 if role == "event" else len(rest) - 1
    return [(token, 1.0 if i == head else weights.other_word) for i, token in enumerate(rest)]


def _base(word: str, part: str, meanings: Meanings) -> list[tuple[int, float]]:
    """Senses of a word, or of what it is a form of, in one part of speech."""
    for key in (word_key(word), *meanings.base_forms(word, part), *(word_key(stem) for stem in stems(word))):
        senses = [sense for sense in meanings.senses(key) if meanings.part(sense[0]) == part]
        if senses:
            return senses[:_MOST_SENSES]
    return []


def _senses(role: str, word: str, meanings: Meanings) -> list[list[tuple[int, float]]]:
    """Senses by part of speech, in the role's order; parts without any are left out."""
    return [senses for part in _PARTS.get(role, "nvar") if (senses := _base(word, part, meanings))]


def _weighted_senses(role: str, word: str, meanings: Meanings, weights: Weights) -> dict[int, float]:
    found = {}
    seen = _SEEN.get(role, ())
    for place, senses in enumerate(_senses(role, word, meanings)):
        by_part = 1.0 if place == 0 or role == "word" else weights.other_part
        total = sum(count + weights.sense_decay**rank for rank, (_, count) in enumerate(senses))
        for rank, (synset, count) in enumerate(senses):
            share = ((count + weights.sense_decay**rank) / total) ** weights.count_power
            boost = weights.seen if meanings.lexname[synset] in seen else 1.0
            found[synset] = share * boost * by_part
    return found


def _meaning(role: str, word: str, meanings: Meanings, weights: Weights) -> dict[int, float]:
    """Synsets of a word, what lies above them, what they are linked to, and their side of an opposition."""
    features: dict[int, float] = {}
    total = math.log2(len(meanings.parent))
    steps = {"n": weights.hypernym, "v": weights.hypernym, "a": weights.similar, "r": weights.pertains}

    def climb(synset: int, weight: float) -> None:
        own, axes = weight, weight
        while True:
            rarity = ((total - meanings.below[synset]) / total) ** weights.rarity
            key = _feature(SYNSET, synset)
            features[key] = features.get(key, 0.0) + own * rarity
            for kind, target in meanings.links(synset):
                if kind == "antonym":
                    axis = _feature(OPPOSITE, min(synset, target))
                    side = axes * weights.opposite * (1 if synset < target else -1)
                    features[axis] = features.get(axis, 0.0) + side
            parent = meanings.parent[synset]
            if parent == synset or own < 0.01 * weight:
                return
            step = steps[meanings.part(synset)]
            own, axes, synset = own * step, axes * step, parent

    by_link = {
        **{"attribute": weights.attribute, "derived": weights.derived, "also": weights.also},
        **{"entails": weights.entails, "hypernym": weights.hypernym, "similar": weights.similar},
        "pertains": weights.pertains,
    }
    for synset, weight in _weighted_senses(role, word, meanings, weights).items():
        climb(synset, weight)
        links = [(kind, target) for kind, target in meanings.links(synset) if kind != "antonym"]
        for kind, target in links:
            climb(target, weight * by_link[kind] / math.sqrt(len(links)))
    return features


def _words(role: str, word: str, meanings: Meanings, weights: Weights) -> dict[int, float]:
    """The word itself and the words that define it, in one space: "emerald: a green ..." so meets "green"."""
    total = math.log2(len(meanings.parent))
    gloss: dict[int, float] = {}
    for synset, weight in _weighted_senses(role, word, meanings, weights).items():
        for key, spread in meanings.definition(synset):
            feature = _feature(WORD, key)
            gloss[feature] = gloss.get(feature, 0.0) + weight * (total - spread) / total
    features = {_feature(WORD, word_key(word)): 1.0}
    _add(features, _unit(gloss), weights.gloss)
    return features


def _spelling(text: str) -> dict[int, float]:
    """Hashed runs of two to four characters, and the whole."""
    padded = f"<{text}>"
    runs = [padded[i : i + size] for size in (2, 3, 4) for i in range(len(padded) - size + 1)]
    features: dict[int, float] = {}
    for run in (*runs, padded, padded):
        key = _feature(SPELLING, zlib.crc32(run.encode("utf-8", "surrogatepass")))
        features[key] = features.get(key, 0.0) + 1.0
    return features
