"""What a caption tells of: who takes part, and what happens."""

from __future__ import annotations

from dataclasses import dataclass, field

from mov_ai.captions.text import Key
from mov_ai.graph import CameraMove
from mov_ai.graph.time import FULL, Interval


@dataclass
class Actor:
    """Someone or something.

    Attributes:
        noun: in the singular.
        group: class of verbs and looks: "human", or the class of the noun.
        pronoun: key of `english.PRONOUNS`.
        count: how many; `number` is the word for it, "" for a bare plural.
        looks: (kind, word) that are said with the first mention.
        owner: number of the actor whose it is, if it is said so ("her hand").
        lacks: number of the actor that it is said to be without.
        spot: (preposition, number of an actor) where it is said to be, with its first mention.
        values: kind -> the values it has had: the first is None where it is not said.
    """

    noun: str
    group: str = "object"
    pronoun: str = "thing"
    count: int = 1
    number: str = ""
    looks: list[tuple[str, str]] = field(default_factory=list)
    owner: int | None = None
    lacks: int | None = None
    spot: tuple[str, int] | None = None
    values: dict[str, list[str | None]] = field(default_factory=dict)

    @property
    def changing(self) -> bool:
        """Whether something about it changes."""
        return any(len(values) > 1 for values in self.values.values())


@dataclass
class Event:
    """One thing that happens; numbers stand for actors.

    Attributes:
        agents: who does it; empty for a passive that does not say so.
        lemma, particle: of the verb; the particle may be any words that follow it.
        patients: to whom it is done.
        passive: whether the patients are the subject.
        interval: when, on [0, 1].
        place: (preposition, actor), (word, None) for a direction without a place, or None.
        tool: what it is done with.
        manner_first, times_first: whether they stand before the verb.
        changes: (actor, kind, which of its values begins) of everything that it changes.
        change_wording: "bare" (turns red), "to" or "from" (changes from blue to red).
        negated: how it is said not to happen: "", "not", "never" or "no longer".
        aside: (actor, what that actor does meanwhile), told with the actor's noun: "a dog that carries a bone".
    """

    agents: list[int]
    lemma: str = ""
    particle: str = ""
    patients: list[int] = field(default_factory=list)
    passive: bool = False
    interval: Interval = FULL
    place: tuple[str, int | None] | None = None
    tool: int | None = None
    direction: str | None = None
    manner: str | None = None
    manner_first: bool = False
    times: str | None = None
    times_first: bool = False
    changes: list[tuple[int, str, int]] = field(default_factory=list)
    change_wording: str = "bare"
    negated: str = ""
    aside: tuple[int, Event] | None = None

    @property
    def subjects(self) -> list[int]:
        """The actors that the verb agrees with."""
        return self.patients if self.passive else self.agents

    @property
    def patient(self) -> int | None:
        """The only one to whom it is done."""
        return self.patients[0] if self.patients else None


@dataclass
class Facts:
    """What a text tells that its actors and events do not hold.

    Attributes:
        camera, style: of the scene.
        denied: nodes that are said not to be.
        labels: of nodes whose words in the text are not their label.
        times: of attributes, and of entities that are there for a part of the video only.
        links: (source, type, label, target, interval) of edges; ("scene",) is the scene.
    """

    camera: list[CameraMove] = field(default_factory=list)
    style: list[str] = field(default_factory=list)
    denied: set[Key] = field(default_factory=set)
    labels: dict[Key, str] = field(default_factory=dict)
    times: dict[Key, Interval] = field(default_factory=dict)
    links: list[tuple[Key, str, str | None, Key, Interval]] = field(default_factory=list)
