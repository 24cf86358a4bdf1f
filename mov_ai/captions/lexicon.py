"""The words of the captions, read from the data files in `lexicons/`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mov_ai.shipped_files import from_yaml

Words = tuple[str, ...]
WordsByClass = dict[str, Words]
#: Family -> name of a pattern -> how often, and its template: see `realiser.Realiser.arrange`.
Patterns = dict[str, dict[str, tuple[float, str]]]


class Lexicon(BaseModel):
    """A data file of words; what a field holds is said in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(Lexicon):
    """A verb with an object.

    Attributes:
        lemma: of the verb.
        particle: of a phrasal verb ("picks up the ball", "picks it up").
        direction: what the particle says of movement.
    """

    lemma: str
    particle: str = ""
    direction: str | None = None


def _action(text: str) -> Action:
    lemma, _, particle = text.partition(" ")
    literal = lemma in ("lift", "pull", "push", "throw", "carry", "toss") and particle in ("up", "down", "away")
    return Action(lemma=lemma, particle=particle, direction=particle if literal else None)


#: Who -> what -> verbs.
Actions = dict[str, dict[str, tuple[Annotated[Action, BeforeValidator(_action)], ...]]]


class StoryWords(Lexicon):
    """`stories.yaml`: people, animals, vehicles, things, places, and what happens to them."""

    nouns: WordsByClass
    cast: dict[str, float]
    human: Words
    beast: Words
    thing: Words
    mass: Words
    modifiers: Words
    own: WordsByClass
    numbers: dict[int, Words]
    places: WordsByClass
    paths: tuple[tuple[str, str, str | None], ...]
    spots: tuple[tuple[str, str], ...]
    shown_spots: Words
    directed: tuple[tuple[str, str], ...]
    moves: WordsByClass
    acts: WordsByClass
    namesakes: WordsByClass
    weather: WordsByClass
    anything: Words
    actions: Actions
    namesake_actions: Actions
    tools: WordsByClass
    received: Words
    adjectives: WordsByClass
    moods: Words
    looks: WordsByClass
    changing: dict[str, dict[str, float]]
    opposites: dict[str, tuple[tuple[str, str], ...]]
    sizes: tuple[tuple[str, str], ...]
    comparatives: dict[str, str]
    change_verbs: dict[str, dict[str, float]]
    manners: Words
    times: Words
    openings: Words
    beginnings: tuple[tuple[str, str, str, str], ...]
    patterns: Patterns


class PromptWords(Lexicon):
    """`prompts.yaml`: prompts as people write them, kind by kind."""

    held_out: frozenset[str]
    development: frozenset[str]
    shares: dict[str, float]
    templates: dict[str, str]
    fronts: str
    backs: str
    nouns: WordsByClass
    names: WordsByClass
    stories: WordsByClass
    alike: dict[str, str]
    mass: Words
    plural_only: Words
    modifiers: Words
    looks: WordsByClass
    adjectives: WordsByClass
    changes: dict[str, tuple[tuple[str, str], ...]]
    acts: WordsByClass
    does: dict[str, WordsByClass]
    numbers: dict[int, Words]
    wordings: WordsByClass
    ways: WordsByClass
    lists: WordsByClass
    texts: Words
    small_words: Words
    typos: WordsByClass


class OtherWords(Lexicon):
    """`other_words.yaml`: words that take the place of a world's own."""

    nouns: Words
    compounds: Words
    adjectives: WordsByClass
    numbers: dict[str, int]
    places: Words
    onsets: Words
    codas: Words


class AttributeWords(Lexicon):
    """`attributes.yaml`: words that name an attribute, by kind."""

    adjectives: WordsByClass


class RelationWords(Lexicon):
    """`relations.yaml`: relations between things, and their wordings."""

    common: WordsByClass
    more: WordsByClass


class VerbWords(Lexicon):
    """`verbs.yaml`: which way verbs go by themselves, and with a word behind them."""

    directions: WordsByClass
    particles: WordsByClass


class VerbBlock(Lexicon):
    """Verbs, each of which goes with each tail; the direction that the tail says; whether they are passive."""

    verbs: Words
    tails: Words = ("",)
    direction: str | None = None
    passive: bool = False


class MeetingBlock(Lexicon):
    """How a meeting of two things is worded.

    Attributes:
        weight: how often.
        verbs: of its subject.
        tails: what follows the verb: "B" is the other thing, "it" the subject, {side} and {other} where to and where
            from, {where} "behind" or "in front of".
        direction: what the tails say of it.
        passive: whether the one to whom it is done is the subject.
        role: of the other thing: patient, location (as the tail's first words say), or none: it is only related.
        relation: of the subject to the other thing, or "B on it" for the other way round.
    """

    weight: float
    verbs: Words
    tails: Words
    direction: str | None = None
    passive: bool = False
    role: Literal["patient", "location", "none"] = "patient"
    relation: str | None = None


class TabletopWords(Lexicon):
    """`tabletop.yaml`: how the embedded world's motions, meetings, views and counts are worded."""

    motions: dict[str, tuple[tuple[VerbBlock, ...], ...]]
    meetings: dict[str, tuple[MeetingBlock, ...]]
    #: How one thing on top of another is worded; moves of the camera; changes of the light.
    on_top: Words
    camera: WordsByClass
    light_changes: WordsByClass
    gradual_manners: Words
    sudden_manners: Words
    counts: dict[int, Words]
    patterns: Patterns


_L = TypeVar("_L", bound=Lexicon)


@cache
def load(name: str, kind: type[_L]) -> _L:
    """Read and check `lexicons/NAME.yaml`."""
    return kind.model_validate(from_yaml((files(__package__) / "lexicons" / f"{name}.yaml").read_text("utf-8")))
