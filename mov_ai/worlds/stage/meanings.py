"""What words of a graph mean on the stage: `meanings.yaml`, looked up by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

from mov_ai.captions.lexicon import Lexicon, Words
from mov_ai.shipped_files import from_yaml

Range = tuple[float, float]
_T = TypeVar("_T")


class Place(Lexicon):
    """Where on the screen the middle of a box is, as parts of the frame, and how near it is; None is anywhere."""

    words: Words
    x: Range | None = None
    y: Range | None = None
    near: Range | None = None


class Manner(Lexicon):
    """How far something goes in the whole video, as parts of the frame's width."""

    words: Words
    far: Range


class Framing(Lexicon):
    """How high the main thing is in the frame, and where the horizon is from the top, as parts of the frame."""

    words: Words
    size: Range
    horizon: Range | None = None


class Comparison(Lexicon):
    """How many times as large a thing is as another, by its height or by the root of its area."""

    times: Range
    of_height: bool = False


class _File(Lexicon):
    """`meanings.yaml`; what a field holds is said there."""

    verbs: dict[str, Words]
    postures: dict[str, Range]
    relations: dict[str, Words]
    places: dict[str, Place]
    directions: dict[str, Words]
    turns: Words
    comings: Words
    swaps: Words
    manners: dict[str, Manner]
    camera: dict[str, Words]
    framings: dict[str, Framing]
    sizes: dict[str, float]
    comparisons: dict[str, Comparison]
    changes: dict[str, Words]
    seats: dict[str, float]
    worn: dict[float, Words]


@dataclass(frozen=True)
class Meanings:
    """Word -> what it means; places, manners and framings by the names that words mean."""

    verbs: Mapping[str, str]
    postures: Mapping[str, Range]
    relations: Mapping[str, str]
    place_names: Mapping[str, str]
    places: Mapping[str, Place]
    directions: Mapping[str, str]
    turns: Words
    comings: Words
    swaps: Words
    manner_names: Mapping[str, str]
    manners: Mapping[str, Manner]
    camera: Mapping[str, str]
    framing_names: Mapping[str, str]
    framings: Mapping[str, Framing]
    sizes: Mapping[str, float]
    comparisons: Mapping[str, Comparison]
    changes: Mapping[str, str]
    seats: Mapping[str, float]
    worn: Mapping[str, float]


@cache
def stage_meanings() -> Meanings:
    """The file, read once. A word that two meanings claim is a fault of the file: ValueError."""
    raw = _File.model_validate(from_yaml((files(__package__) / "meanings.yaml").read_text("utf-8")))
    return Meanings(
        verbs=_by_word(raw.verbs),
        postures=raw.postures,
        relations=_by_word(raw.relations),
        place_names=_by_word({name: place.words for name, place in raw.places.items()}),
        places=raw.places,
        directions=_by_word(raw.directions),
        turns=raw.turns,
        comings=raw.comings,
        swaps=raw.swaps,
        manner_names=_by_word({name: manner.words for name, manner in raw.manners.items()}),
        manners=raw.manners,
        camera=_by_word(raw.camera),
        framing_names=_by_word({name: framing.words for name, framing in raw.framings.items()}),
        framings=raw.framings,
        sizes=raw.sizes,
        comparisons=raw.comparisons,
        changes=_by_word(raw.changes),
        seats=raw.seats,
        worn=_by_word(raw.worn),
    )


def _by_word(table: Mapping[_T, Words]) -> dict[str, _T]:
    meanings: dict[str, _T] = {}
    for name, words in table.items():
        for word in words:
            if word in meanings:
                raise ValueError(f"meanings.yaml: {word!r} is both {meanings[word]!r} and {name!r}")
            meanings[word] = name
    return meanings
