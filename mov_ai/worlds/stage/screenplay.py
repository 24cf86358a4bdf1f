"""What a scene graph asks of the stage: who performs, what is done when, who stands where, what the camera does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mov_ai.graph import Interval
from mov_ai.graph.time import FULL
from mov_ai.worlds.stage.meanings import Comparison, Framing
from mov_ai.worlds.stage.things import Thing

#: What is done while whoever does it stays where it is.
STILL = ("stay", "appear", "vanish", "grow", "shrink", "lean")
#: What is done to a thing that lies in a hand, before or after.
HANDLED = ("hold", "carry", "throw", "catch", "kick", "lift", "lower", "put", "give", "release", "drop")
#: What several do among themselves, each on a way of its own: apart, together, past each other, round each other.
AMONG = ("scatter", "gather", "swap", "ring")
#: What it is among several to do something to each other.
EACH_OTHER = {
    "pass": "swap", "chase": "ring", "follow": "ring", "circle": "ring", "meet": "gather", "approach": "gather",
    "flee": "scatter", "depart": "scatter", "leave": "scatter", "to": "gather", "from": "scatter", "around": "ring",
    "past": "swap",
}  # fmt: skip
#: Pairs of actions in which one goes along with the other: who leads is the patient of these, the agent of all others.
LED_BY_PATIENT = ("chase", "follow", "ride")


@dataclass
class Performer:
    """One entity of the graph; its instances act together.

    Attributes:
        id: of its node.
        count: how many, at least 1.
        scale: how large it is said to be, beside an ordinary one.
        present: while it is there.
        changes: (interval, whether it grows) of each time that it grows or shrinks.
        posture: height and width as parts of those of one that stands.
        apart: who must find room between its instances.
        one_by_one: whether its instances come and go one after another.
    """

    id: str
    thing: Thing
    count: int = 1
    scale: float = 1.0
    present: Interval = FULL
    changes: list[tuple[Interval, bool]] = field(default_factory=list)
    posture: tuple[float, float] = (1.0, 1.0)
    apart: str | None = None
    one_by_one: bool = False


@dataclass(frozen=True)
class Deed:
    """One event.

    Attributes:
        action: a name of `verbs` in `meanings.yaml`, or of `AMONG`.
        ways: (relation, id of a performer or region) of its places.
        place: on the screen, where it ends, or is if nothing moves.
        direction, manner: names of `directions` and `manners`.
        verb: as in the graph.
        zigzags: whether it goes to and fro on its way.
    """

    id: str
    action: str
    agents: tuple[str, ...]
    patients: tuple[str, ...]
    receivers: tuple[str, ...]
    ways: tuple[tuple[str, str], ...]
    place: str | None
    direction: str | None
    manner: str | None
    interval: Interval
    verb: str = ""
    zigzags: bool = False


@dataclass(frozen=True)
class Bond:
    """How one performer stands to another; `apart`: what must find room between them."""

    source: str
    relation: str
    target: str
    interval: Interval = FULL
    apart: str | None = None


@dataclass
class Screenplay:
    """All of it, by the ids of the graph's entities.

    Attributes:
        regions: large places behind the performers; numbers: how many there are of each.
        places: (performer, place on the screen, while when).
        larger: (performer, how much larger, than whom).
    """

    performers: dict[str, Performer] = field(default_factory=dict)
    regions: dict[str, Thing] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=list)
    places: list[tuple[str, str, Interval]] = field(default_factory=list)
    larger: list[tuple[str, Comparison, str]] = field(default_factory=list)
    camera: list[tuple[str, Interval]] = field(default_factory=list)
    framing: Framing | None = None


def depends_on(play: Screenplay, performer: str) -> list[str]:
    """The performers whose ways must be known before this one's."""
    found: list[str] = [b.target for b in play.bonds if b.source == performer and b.relation != "wear"]
    found += [b.source for b in play.bonds if b.target == performer and b.relation == "wear"]
    for deed in play.deeds:
        found += _needed(deed, performer)
    return list(dict.fromkeys(other for other in found if other in play.performers and other != performer))


def _needed(deed: Deed, performer: str) -> Iterable[str]:
    if performer in deed.agents:
        yield from (target for _, target in deed.ways)
        if deed.action in (*LED_BY_PATIENT, "pass", "approach", "depart", "circle", "flee"):
            yield from deed.patients
        yield from deed.agents[: deed.agents.index(performer)]
    elif performer in deed.patients:
        if deed.action in (*HANDLED, "wear", "push", "pull", "meet"):
            yield from deed.agents
        if deed.action in HANDLED:
            yield from deed.receivers
            yield from (target for _, target in deed.ways)
        if deed.action in LED_BY_PATIENT:
            yield from (target for _, target in deed.ways)
