"""How large the performers of a scene are in the frame, and how those of a group stand to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mov_ai.worlds.stage.meanings import Range
from mov_ai.worlds.stage.screenplay import HANDLED, STILL, Performer, Screenplay
from mov_ai.worlds.stage.view import View

#: How large the largest thing is in the frame: one that goes somewhere, one that stands while others go, and others.
_GOING, _PASSED, _STANDING, _PLACED = (0.17, 0.36), (0.34, 0.58), (0.24, 0.58), (0.15, 0.29)
#: The same of one that has something in hand, which must be seen.
_HANDLING = (0.28, 0.5)
#: Things that are smaller than this in the frame are shown as large, others keep their proportions.
_SMALLEST, _SMALLEST_HELD = (0.045, 0.065), (0.028, 0.04)
#: Thin things are shown as thick as this at least.
_THINNEST = 0.016
#: Sum of the widths of all that stand beside each other, at most.
_WIDEST = 0.8
#: Of a ground crew, so many stand in one row; more are seen from above.
ONE_ROW = 5
#: Height of what is under a thing, as a part of the thing's.
_UNDER = (0.45, 0.8)
#: Relations and actions by which one is borne by another.
_BORNE = ("on", "in", "wear")


@dataclass(frozen=True)
class Body:
    """How large a performer is in the frame, in the middle of the stage.

    Attributes:
        w, h: of one instance.
        slots: (n, 2) how far to the right and how far up or back each instance is from the middle of the first row.
        width, height: of all together.
    """

    w: float
    h: float
    slots: np.ndarray
    width: float
    height: float


def bearers(play: Screenplay) -> dict[str, str]:
    """Performer -> who bears it: what it is on or in, whoever holds, wears or rides it."""
    borne: dict[str, str] = {}
    for bond in play.bonds:
        if bond.relation in _BORNE and bond.target in play.performers:
            child, host = (bond.target, bond.source) if bond.relation == "wear" else (bond.source, bond.target)
            borne.setdefault(child, host)
    for deed in play.deeds:
        if deed.action in ("wear", *HANDLED):
            for patient in deed.patients:
                borne.setdefault(patient, deed.agents[0])
        elif deed.action == "ride" and deed.patients:
            for agent in deed.agents:
                borne.setdefault(agent, deed.patients[0])
    for child in list(borne):
        # A circle bears nobody: it is cut where it is first met.
        above, bearer = {child}, borne.get(child)
        while bearer is not None and bearer not in above:
            above.add(bearer)
            bearer = borne.get(bearer)
        if bearer is not None:
            borne.pop(child, None)
    return borne


def going(play: Screenplay) -> set[str]:
    """All that go anywhere, by themselves or with others."""
    found = set()
    for deed in play.deeds:
        if deed.action not in (*STILL, "hold", "wear"):
            found |= {*deed.agents, *deed.patients} if deed.action not in HANDLED else {*deed.patients}
    return found


def measure(
    play: Screenplay, view: View, borne: dict[str, str], squeeze: float, rng: np.random.Generator
) -> tuple[dict[str, Body], View]:
    """The body of each performer, and the view at the scale that shows them well.

    Args:
        squeeze: factor for what would be a good size, at most 1.
    """
    metres = _metres(play, rng)
    free = [key for key in play.performers if key not in borne]
    counts = {key: play.performers[key].count for key in free}
    largest = max(free, key=lambda key: max(metres[key]))
    # A group is judged by its members: their number is looked at below.
    size = _size_of(play, free, largest, rng) * squeeze
    judged = free[0] if play.framing and play.framing.size[0] > 0.3 else largest
    scale = size / max(metres[judged][0], 0.8 * metres[judged][1])
    bodies: dict[str, Body] = {}
    for _ in range(2):
        for key, performer in play.performers.items():
            bodies[key] = _body(play, performer, metres, scale, borne.get(key), rng)
        wide = sum(bodies[key].width for key in free) + 0.06 * (len(free) - 1)
        tall = max(bodies[key].height for key in free)
        limit = 1.0 if play.framing and len(free) == 1 else _WIDEST
        shrink = min(1.0, limit / wide, 0.86 / tall)
        if shrink > 0.98 or (play.framing and sum(counts.values()) == 1 and wide < 0.98 and tall < 0.94):
            break
        scale *= shrink
    return bodies, replace(view, scale=scale)


def _metres(play: Screenplay, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Height and width of each performer in metres."""
    luck: dict[str, float] = {}
    metres = {}
    for key, performer in play.performers.items():
        thing = performer.thing
        # "A small box and a large box" are boxes of one size but for what is said of them.
        u = luck.setdefault(thing.noun, float(rng.random()))
        tall, wide = (_between(limits, u) * performer.scale for limits in (thing.height, thing.width))
        if _is_seen_from_the_front(play, key) and thing.gait in ("walk", "drive") and wide > tall:
            wide = max(0.5 * wide, 0.6 * tall)
        metres[key] = (tall * performer.posture[0], wide * performer.posture[1])
    for key, roof in _sheltered(play):
        # What is, or goes, under a thing fits there.
        fit = min(1.0, _between(_UNDER, float(rng.random())) * metres[roof][0] / metres[key][0])
        fit = min(fit, 0.95 * metres[roof][1] / metres[key][1])
        metres[key] = (metres[key][0] * fit, metres[key][1] * fit)
    for key, comparison, other in play.larger:
        if key in metres and other in metres:
            theirs, own = metres[other], metres[key]
            factor = _between(comparison.times, float(rng.random())) * theirs[0] / own[0]
            if not comparison.of_height:
                factor *= (theirs[1] * own[0] / (theirs[0] * own[1])) ** 0.5
            metres[key] = (own[0] * factor, own[1] * factor)
    return metres


def _sheltered(play: Screenplay) -> list[tuple[str, str]]:
    """Pairs of performers of which the first is, or goes, under the second, which stands on the ground."""
    pairs = [(bond.source, bond.target) for bond in play.bonds if bond.relation in ("under", "below")]
    for deed in play.deeds:
        roofs = [target for relation, target in deed.ways if relation in ("under", "below")]
        pairs += [(agent, roof) for roof in roofs for agent in deed.agents]
    known = [(key, roof) for key, roof in pairs if key != roof and {key, roof} <= set(play.performers)]
    return [(key, roof) for key, roof in known if play.performers[roof].thing.found == "ground"]


def _is_seen_from_the_front(play: Screenplay, key: str) -> bool:
    ways = [deed.direction for deed in play.deeds if key in deed.agents and deed.action == "go"]
    return bool(ways) and all(way in ("toward", "away") for way in ways)


def _size_of(play: Screenplay, free: list[str], largest: str, rng: np.random.Generator) -> float:
    if play.framing:
        return _between(play.framing.size, float(rng.random()))
    moving = going(play)
    placed = {key for key, _, _ in play.places} | {agent for d in play.deeds if d.place for agent in d.agents}
    if placed & set(free) or any(performer.changes for performer in play.performers.values()):
        limits: Range = _PLACED
    elif any(deed.action in HANDLED for deed in play.deeds):
        limits = _HANDLING
    elif largest in moving:
        limits = _GOING
    else:
        limits = _PASSED if moving & set(free) else _STANDING
    return _between(limits, float(rng.random()))


def _body(
    play: Screenplay,
    performer: Performer,
    metres: dict[str, tuple[float, float]],
    scale: float,
    bearer: str | None,
    rng: np.random.Generator,
) -> Body:
    tall, wide = (scale * size for size in metres[performer.id])
    least = float(rng.uniform(*(_SMALLEST_HELD if bearer else _SMALLEST)))
    if bearer and performer.thing.group == "garment":
        # Clothes fit whoever wears them.
        fit = min(max(metres[bearer][0] / play.performers[bearer].posture[0] / 1.72, 0.3), 1.15)
        tall, wide = tall * fit, wide * fit
    boost = max(1.0, least / max(tall, wide))
    tall, wide = tall * boost, wide * boost
    if bearer and not _is_rider(play, performer.id):
        # What lies on a thing, or in it, is not wider than it.
        bed = scale * metres[bearer][1]
        if play.performers[bearer].thing.gait == "still":
            tall, wide = (side * min(1.0, 0.96 * bed / (1.1 * wide * performer.count)) for side in (tall, wide))
    tall, wide = max(tall, _THINNEST), max(wide, _THINNEST)
    # Room for who is, or goes, between them.
    between = metres.get(performer.apart or "", (0.0, 0.0))
    room = max(scale * between[1], _THINNEST) + 0.06 if performer.apart else 0.0
    slots, width, height = _slots(performer, wide, tall, room, rng)
    return Body(wide, tall, slots, width, height)


def _is_rider(play: Screenplay, key: str) -> bool:
    return any(deed.action == "ride" and key in deed.agents for deed in play.deeds)


def _slots(
    performer: Performer, w: float, h: float, room: float, rng: np.random.Generator
) -> tuple[np.ndarray, float, float]:
    """Room for all of a group: rows that do not overlap. `room`: between two that stand beside each other."""
    n = performer.count
    if n == 1:
        return np.zeros((1, 2)), w, h
    on_ground = performer.thing.found in ("ground", "held")
    most = ONE_ROW if on_ground else 4
    rows = -(-n // most) if n > most or not rng.random() < 0.35 else min(2, n)
    if (on_ground and n <= most) or room:
        rows = 1
    columns = -(-n // rows)
    across, up = max(w * float(rng.uniform(1.2, 1.6)), w + room), h * float(rng.uniform(1.12, 1.35))
    row, column = np.divmod(np.arange(n), columns)
    in_row = np.minimum(columns, n - row * columns)
    slots = np.stack([(column - (in_row - 1) / 2) * across, row * up], 1)
    slots += (rng.random((n, 2)) - 0.5) * [across - w * 1.04, (up - h * 1.03) if rows > 1 else 0.25 * h]
    width = float(np.ptp(slots[:, 0])) + w
    slots[:, 1] -= slots[:, 1].min()
    return slots, width, float(slots[:, 1].max()) + h


def _between(limits: Range, u: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * u
