"""How a thing goes by itself: to a side, up, nearer, around, to and fro, in a zigzag, slowly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import stage_meanings
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading
from mov_ai.worlds.stage.screenplay import Deed

#: Least way to a side or upright, "all across", of a jump, aside of a zigzag; in parts of the frame.
MOVED, _ALL_ACROSS, _JUMPED, _ASIDE = 0.08, 0.16, 0.035, 0.022
#: Least growth of log nearness on a way toward the camera.
NEARED = np.log(1.18)
#: Share of a full turn that a circle takes at least.
_TURN = 0.65
#: Parts of the frame in the whole video: at most if slow, at least if quick.
_SLOW, _QUICK = 0.5, 0.36

#: What takes a margin of each instance, (n,), from boxes and the frames of an event.
Travel = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def travelled(boxes: Boxes, shot: Shot, when: Interval) -> Travel:
    """How far each instance comes to the right, downwards, in log nearness and in log size, (n,) each."""
    first, last, times = shot.ends(when)
    return (
        (boxes.x[:, last] - boxes.x[:, first]) * times,
        (boxes.y[:, last] - boxes.y[:, first]) * times,
        (boxes.near[:, last] - boxes.near[:, first]) * times,
        (boxes.size[:, last] - boxes.size[:, first]) * times,
    )


def sideways(boxes: Boxes, shot: Shot, when: Interval, sign: float, least: float = MOVED) -> np.ndarray:
    """To the right (1) or the left (-1): far enough, and farther than up or down."""
    x, y, _, _ = travelled(boxes, shot, when)
    return np.minimum(sign * x / least - 1, (sign * x - np.abs(y)) / least + 0.75)


def upright(boxes: Boxes, shot: Shot, when: Interval, sign: float) -> np.ndarray:
    """Down (1) or up (-1)."""
    x, y, _, _ = travelled(boxes, shot, when)
    first, last, times = shot.ends(when)
    # What grows or shrinks on its way has its foot and its head go unequally far.
    y = np.minimum(sign * y, sign * (boxes.bottom[:, last] - boxes.bottom[:, first]) * times)
    return np.minimum(y / MOVED - 1, (y - np.abs(x)) / MOVED + 0.75)


def inwards(boxes: Boxes, shot: Shot, when: Interval, sign: float) -> np.ndarray:
    """Toward the camera (1) or away (-1): nearer, and as much larger."""
    _, _, near, size = travelled(boxes, shot, when)
    return np.minimum(sign * near, sign * size) / NEARED - 1


def moved(boxes: Boxes, shot: Shot, when: Interval, least: float = MOVED) -> np.ndarray:
    """Anywhere: by the widest that it is off its first spot."""
    frames = shot.at(when)
    x, y, near = (v[:, frames] - v[:, frames[:1]] for v in (boxes.x, boxes.y, boxes.near))
    far = np.maximum(np.hypot(x, y) / least, np.abs(near) / NEARED * (least / MOVED))
    return np.asarray(far.max(1) - 1)


def turned(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Full turns, (...,), of a path (..., k) around (0, 0)."""
    angle = np.unwrap(np.arctan2(y, x), axis=-1)
    return np.asarray(np.abs(angle[..., -1] - angle[..., 0]) / (2 * np.pi))


def around(boxes: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """In a circle, in the frame or on the ground."""
    frames = shot.at(when)
    x = _centred(boxes.x[:, frames])
    wide = np.ptp(x, axis=1)
    best = np.full(len(x), -1.0)
    # Between the middles of frames lies a frame's time less than the whole turn.
    times = len(frames) / max(1, len(frames) - 1)
    for other, scale in ((boxes.y, 1.0), (boxes.bottom, 1.0), (boxes.near, 0.3)):
        y = _centred(other[:, frames]) * scale
        round_enough = np.minimum(wide, np.ptp(y, axis=1) * 4) / 0.08 - 1
        best = np.maximum(best, np.minimum(turned(x, y) * times / _TURN - 1, round_enough))
    return best


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - (values.max(1, keepdims=True) + values.min(1, keepdims=True)) / 2)


def to_and_fro(boxes: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """Away to a side, or up, and back."""
    frames = shot.at(when)
    best = np.full(len(boxes.x), -1.0)
    for values in (boxes.x, boxes.y):
        off = np.abs(values[:, frames] - values[:, frames[:1]])
        far = off.max(1)
        after = np.arange(len(frames)) >= off.argmax(1)[:, None]
        back = far - np.where(after, off, np.inf).min(1)
        # The ends fall between frames.
        best = np.maximum(best, np.minimum(far, back * 1.3) / MOVED - 1)
    return best


def zigzags(boxes: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """At least two turns aside of a straight way."""
    frames = shot.at(when)
    best = np.full(len(boxes.x), -1.0)
    for values in (boxes.x, boxes.y, boxes.bottom):
        path = values[:, frames]
        straight = path[:, :1] + (path[:, -1:] - path[:, :1]) * np.linspace(0, 1, len(frames))
        for instance, aside in enumerate(path - straight):
            best[instance] = max(best[instance], _second_swing(aside) / _ASIDE - 1)
    return best


def _second_swing(aside: np.ndarray) -> float:
    """The least of the three largest swings in turn: how far a path goes to one side, to the other, and back."""
    turns = [float(aside[0])]
    for value in aside[1:].tolist():
        if len(turns) > 1 and (value - turns[-1]) * (turns[-1] - turns[-2]) >= 0:
            turns[-1] = value
        else:
            turns.append(value)
    swings = sorted((abs(b - a) for a, b in pairwise(turns)), reverse=True)
    return swings[2] if len(swings) > 2 else 0.0


def jumps(boxes: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """Up and down again."""
    foot = boxes.bottom[:, shot.at(when)]
    top = foot.argmin(1)
    steps = np.arange(foot.shape[1])
    before = np.where(steps <= top[:, None], foot, -np.inf).max(1)
    after = np.where(steps >= top[:, None], foot, -np.inf).max(1)
    return np.asarray((np.minimum(before, after) - foot.min(1)) / _JUMPED - 1)


def speed(boxes: Boxes, shot: Shot, when: Interval) -> np.ndarray:
    """Parts of the frame in the whole video, (n,)."""
    frames = shot.at(when)
    steps = np.hypot(np.diff(boxes.x[:, frames]), np.diff(boxes.y[:, frames])).sum(1)
    return np.asarray(steps / max(1, len(frames) - 1) * shot.frames)


def way_rule(direction: str, key: str, when: Interval) -> Rule:
    """The rule of going in a direction of `meanings.yaml`."""

    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        boxes = shot.steady[key]
        if direction in ("left", "right"):
            margins = sideways(boxes, shot, when, 1.0 if direction == "right" else -1.0)
        elif direction in ("up", "down"):
            margins = upright(boxes, shot, when, 1.0 if direction == "down" else -1.0)
        elif direction in ("toward", "away"):
            margins = inwards(boxes, shot, when, 1.0 if direction == "toward" else -1.0)
        elif direction == "around":
            margins = around(boxes, shot, when)
        elif direction == "back and forth":
            margins = to_and_fro(boxes, shot, when)
        elif direction == "zigzag":
            margins = zigzags(boxes, shot, when)
        elif direction == "across":
            x, y, _, _ = travelled(boxes, shot, when)
            margins = np.maximum(np.abs(x), np.abs(y)) / _ALL_ACROSS - 1
        elif direction == "jump":
            margins = jumps(boxes, shot, when)
        else:
            margins = moved(boxes, shot, when)
        return float(margins.min())

    return rule


def _pace(manner: str, key: str, when: Interval) -> Rule:
    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        fast = speed(shot.steady[key], shot, when).mean()
        return float(1 - fast / _SLOW if manner == "slow" else fast / _QUICK - 1)

    return rule


#: Actions that are a direction by themselves.
_BY_ITSELF = {"rise": "up", "fall": "down", "zigzag": "zigzag", "jump": "jump", "circle": "around"}
#: Actions in which a direction is that of who goes.
GOING = ("go", "rise", "fall", "jump", "zigzag", "circle")


def facts(reading: Reading, deed: Deed) -> list[Fact]:
    """What an event of going says of the way itself."""
    found: list[Fact] = []
    if deed.action not in (
        *GOING,
        "flee",
        "approach",
        "depart",
        "carry",
        "ride",
        "chase",
        "follow",
        "push",
        "pull",
        "pass",
    ):
        return found
    ways = _directions(reading, deed)
    goers = deed.agents if deed.action in GOING or not deed.patients else (*deed.agents, *deed.patients)
    for key in dict.fromkeys(goers):
        if not reading.shown(key):
            continue
        when = reading.part(key, deed.interval)
        hopeful = reading.lost_in_motion(when)
        grounded = reading.play.performers[key].thing.gait in ("walk", "drive", "roll", "sail")
        for way in ways:
            rule = way_rule(way, key, when)
            # Who walks up to something, or up a road, does not rise.
            doubtful = hopeful or (grounded and deed.action == "go" and way in ("up", "down"))
            found.append(Fact("events", deed.id, key, reading.doing(deed, key), way, rule, doubtful))
        if deed.manner and deed.action == "go" and not deed.ways:
            # How fast something comes nearer is not seen in the frame; on the way to a place the place decides.
            told = deed.place is not None or set(ways) & {"toward", "away"}
            pace = None if told else _pace(deed.manner, key, when)
            found.append(Fact("events", deed.id, key, reading.doing(deed, key), deed.manner, pace, hopeful))
    return found


def _directions(reading: Reading, deed: Deed) -> list[str]:
    """The directions that an event has; "moves" if it goes and says no more."""
    direction = deed.direction
    to_others = deed.action in ("approach", "depart", "flee", "circle") and bool(deed.patients or deed.ways)
    if to_others and direction in ("toward", "away", "around"):
        direction = None
    by_others = any(not reading.is_region(target) for _, target in deed.ways)
    if by_others and direction in ("past", "across", "around", "toward", "away"):
        direction = None
    if direction == "around" and reading.nodes[deed.id].label not in stage_meanings().verbs:
        # Who turns around, or spins around, stays where it is.
        return []
    if direction == "past":
        direction = "across"
    if direction == "down" and any(relation == "off" for relation, _ in deed.ways):
        direction = None
    own = _BY_ITSELF.get(deed.action)
    if own == "around" and (deed.patients or deed.ways):
        own = None
    if own == "jump" and (deed.ways or direction not in (None, "up")):
        own = None
    found = [way for way in (own, direction) if way]
    if (own in ("jump", "up") and direction == "up") or (own == "down" and direction == "down"):
        found = [own]
    regions_only = all(reading.is_region(target) for _, target in deed.ways)
    if not found and deed.action in GOING and regions_only:
        crossing = any(relation == "across" for relation, _ in deed.ways)
        found = ["across" if crossing else "moves"]
    return list(dict.fromkeys(found))
