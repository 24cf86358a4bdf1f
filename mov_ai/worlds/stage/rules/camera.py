"""What the camera does to all boxes, how close it is, and the large places behind."""

from __future__ import annotations

import numpy as np

from mov_ai.graph import Interval
from mov_ai.worlds.stage.meanings import Framing
from mov_ai.worlds.stage.rules import standing
from mov_ai.worlds.stage.rules.boxes import Boxes, Shot
from mov_ai.worlds.stage.rules.fact import Fact, Rule
from mov_ai.worlds.stage.rules.reading import Reading

#: Least way of everything in a pan, a tilt; least growth of all in log size in a zoom or a ride.
_PANNED, _TILTED, _ZOOMED, _RODE, _TRUCKED = 0.06, 0.05, np.log(1.12), np.log(1.07), 0.05
#: Least way of near things past far ones, or growth, when the camera goes around.
_ORBITED = 0.02
#: Least width of a region, and by how much it may be nearer than what is before it.
_WIDE, _BEHIND = 0.7, np.log(1.05)


def facts(reading: Reading) -> list[Fact]:
    """One for each move and the framing, if anything is to be seen by them, and one for each region."""
    play = reading.play
    found = []
    seen = [key for key in play.performers if reading.shown(key)]
    for name, interval in play.camera:
        still = [key for key in seen if not reading.goes_in(key, interval) and not play.performers[key].changes]
        judged = still or reading.anchors or seen
        if not judged:
            continue
        text = f"camera: {name} in [{interval[0]:.3g}, {interval[1]:.3g}]"
        scene = next(node.id for node in reading.graph.nodes if node.type == "scene")
        found.append(Fact("camera", scene, scene, text, name, _move(name, judged, interval), hopeful=not still))
    if play.framing is not None and seen:
        scene = next(node.id for node in reading.graph.nodes if node.type == "scene")
        labels = " ".join(str(word) for word in reading.nodes[scene].words("camera"))
        found.append(Fact("camera", scene, scene, f"camera: {labels}", "framing", _framed(seen, play.framing)))
    for key in play.regions:
        if reading.shown(key):
            text = f"{reading.names[key]} large behind all"
            found.append(Fact("camera", key, key, text, "region", _behind(key, seen)))
    return found


def _move(name: str, keys: list[str], when: Interval) -> Rule:
    kind, way = name.split()
    sign = 1.0 if way in ("left", "up", "in") else -1.0

    def one(boxes: Boxes, first: int, last: int, times: float) -> np.ndarray:
        x, y = ((v[:, last] - v[:, first]) * times for v in (boxes.x, boxes.y))
        size = (boxes.size[:, last] - boxes.size[:, first]) * times
        if kind == "pan":
            return np.asarray(sign * x / _PANNED - 1)
        if kind == "truck":
            return np.asarray(sign * x / _TRUCKED - 1)
        if kind in ("tilt", "pedestal"):
            return np.asarray(sign * y / _TILTED - 1)
        return np.asarray(sign * size / (_ZOOMED if kind == "zoom" else _RODE) - 1)

    def rule(shot: Shot) -> float | None:
        if shot.frames < 2:
            return None
        first, last, times = shot.ends(when)
        if kind == "orbit":
            return _orbit(shot, keys, first, last)
        return float(min(one(shot.boxes[key], first, last, times).min() for key in keys))

    return rule


def _orbit(shot: Shot, keys: list[str], first: int, last: int) -> float | None:
    """Things of unlike depth or place pass each other; of one thing in the middle there is nothing to be seen."""
    x = np.concatenate([shot.boxes[key].x for key in keys])
    size = np.concatenate([shot.boxes[key].size for key in keys])
    if len(x) < 2:
        return None
    change = (x - x.mean(0))[:, last] - (x - x.mean(0))[:, first]
    grown = (size - size.mean(0))[:, last] - (size - size.mean(0))[:, first]
    margin = float(max(np.abs(change).max(), 0.3 * np.abs(grown).max())) / _ORBITED - 1
    return margin if margin >= 0 or np.ptp(x[:, first]) > 0.3 else None


def _framed(keys: list[str], framing: Framing) -> Rule:
    """How high the largest thing is, at first."""
    low, high = framing.size

    def rule(shot: Shot) -> float:
        boxes = [shot.boxes[key].hull if low > 0.3 else shot.boxes[key] for key in keys]
        frames = slice(0, max(1, shot.frames // 2))
        size = max(float(np.maximum(b.h, b.w)[:, frames].mean(1).max()) for b in boxes)
        if high > 0.8:
            return size / 0.52 - 1
        if high < 0.25:
            return 1 - size / 0.36
        return float(min(size / 0.2 - 1, 3 * (1 - size / 0.75)))

    return rule


def _behind(key: str, performers: list[str]) -> Rule:
    """Wide, and farther than all that are before it."""

    def rule(shot: Shot) -> float:
        region = shot.boxes[key].hull
        wide = standing.mostly(region.w / _WIDE - 1)
        nearest = [shot.boxes[other].near.min() for other in performers]
        deep = (min(nearest) - region.near.mean()) / _BEHIND + 1 if nearest else 1.0
        return float(min(3 * wide, deep))

    return rule
