"""How large ordinary things are, where they are found, and how they move: `things.yaml`, and words that it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mov_ai.captions.lexicon import Lexicon
from mov_ai.graph.inflection import pluralize
from mov_ai.shipped_files import from_yaml


class ThingClass(Lexicon):
    """One class of `things.yaml`; what the fields hold is said there."""

    found: str
    gait: str
    looks: str
    region: str | None = None
    nouns: dict[str, tuple[float, float, float, float]]


@dataclass(frozen=True)
class Thing:
    """What is known of a noun.

    Attributes:
        noun: it, or the one that stands in for it.
        group: its class in `things.yaml`.
        height, width: (least, most) in metres, as seen from the side.
        found: "ground", "air", "water" or "held".
        gait: how it moves by itself: "walk", "fly", "swim", "drive", "sail", "roll", "drift" or "still".
        region: "land", "strip", "water", "sky", "room" or "backdrop" if it is a large place, never an actor.
    """

    noun: str
    group: str
    height: tuple[float, float]
    width: tuple[float, float]
    found: str
    gait: str
    region: str | None = None


@cache
def thing_classes() -> Mapping[str, ThingClass]:
    """The classes of `things.yaml`, read once."""
    raw = from_yaml((files(__package__) / "things.yaml").read_text("utf-8"))
    return {name: ThingClass.model_validate(value) for name, value in raw.items()}


@cache
def known_things() -> Mapping[str, Thing]:
    """Noun -> what `things.yaml` says of it."""
    return {
        noun: Thing(noun, group, (low, high), (narrow, wide), about.found, about.gait, about.region)
        for group, about in thing_classes().items()
        for noun, (low, high, narrow, wide) in about.nouns.items()
    }


@cache
def thing_of(noun: str) -> Thing:
    """What is known of a noun; of one that `things.yaml` lacks, what is known of the nearest one.

    Nearest is, in this order: the noun in the singular, the head of a compound ("garden chair"), the noun whose label
    vector is likest.
    """
    words = noun.lower().split()
    things, singular = known_things(), {pluralize(name): name for name in known_things()}
    for first in range(len(words)):
        name = " ".join(words[first:])
        if (name := singular.get(name, name)) in things:
            return things[name]
    return things[_likest(" ".join(words))]


def sizes_of(noun: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """(least, most) height and (least, most) width of a noun in metres, see `thing_of`."""
    thing = thing_of(noun)
    return thing.height, thing.width


def _likest(word: str) -> str:
    """The known noun with the likest label vector."""
    from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder

    nouns = list(known_things())
    encoder = load_label_encoder(LabelEncoderConfig())
    likeness = encoder([("entity", noun) for noun in nouns]) @ encoder([("entity", word)])[0]
    return nouns[int(likeness.argmax())]
