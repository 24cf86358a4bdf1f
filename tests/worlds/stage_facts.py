"""What a layout must show of its graph: rules that read boxes only, and share no code with the stage.

Each rule is told in plain geometry. `facts` gives (what is asked for, whether the boxes show it) of everything in a
graph that boxes can show.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from mov_ai.graph import Edge, Interval, Layout, Node, SceneGraph
from tests.worlds import stage_company

X, Y, W, H, DEPTH, SEEN = range(6)
#: Verb -> what it is; others are moves if they have a direction or a way.
VERBS = {
    **dict.fromkeys(("chase", "pursue", "follow", "trail"), "follow"),
    **dict.fromkeys(("hold", "clutch"), "hold"),
    **dict.fromkeys(("push",), "push"),
    **dict.fromkeys(("pull", "drag", "tow"), "pull"),
    **dict.fromkeys(("appear", "show"), "appear"),
    **dict.fromkeys(("vanish", "disappear"), "vanish"),
    **dict.fromkeys(("enter", "come"), "enter"),
    **dict.fromkeys(("leave", "exit"), "leave"),
    **dict.fromkeys(("grow", "expand"), "grow"),
    **dict.fromkeys(("flee", "escape"), "flee"),
    **dict.fromkeys(("pass", "overtake"), "past"),
    **dict.fromkeys(("approach", "near"), "to"),
    **dict.fromkeys(("throw", "toss"), "throw"),
    **dict.fromkeys(("lift", "raise", "pick"), "lift"),
    **dict.fromkeys(("drop",), "drop"),
    **dict.fromkeys(("put", "set", "place"), "put"),
    **dict.fromkeys(("give", "hand"), "give"),
    **dict.fromkeys(("rise", "ascend", "soar"), "up"),
    **dict.fromkeys(("fall", "descend", "sink"), "down"),
    **{
        verb: verb for verb in ("carry", "wear", "ride", "meet", "circle", "catch", "kick", "shrink", "release", "jump")
    },
    **{verb: verb for verb in ("zigzag", "lean")},
    "leap": "jump",
}
STAYS = {
    *("stand", "sit", "wait", "rest", "read", "sleep", "sing", "wave", "smile", "laugh", "kneel", "yawn"),
    *("lie", "eat", "drink", "graze", "perch", "park", "stay", "hover", "watch", "stop", "become", "get"),
}
WAYS = {
    "past": "past", "behind": "behind", "in front of": "front", "into": "in", "in": "in", "inside": "in",
    "out of": "out", "onto": "on", "on": "on", "on top of": "on", "off": "off", "over": "over", "under": "under",
    "along": "along", "across": "across", "through": "across", "to": "to", "toward": "to", "from": "from",
    "away from": "from", "around": "around", "between": "between", "from left of": "from left",
    "to right of": "to right", "from right of": "from right", "to left of": "to left", "next to": "beside",
    "beside": "beside", "near": "beside", "close to": "beside", "against": "against", "left of": "left",
    "right of": "right", "above": "above", "below": "below",
}  # fmt: skip
REGIONS = {
    *("park", "field", "meadow", "lawn", "garden", "beach", "desert", "yard", "backyard", "farm", "playground"),
    *("square", "courtyard", "stage", "savanna", "prairie", "grass", "snow", "sand", "ice", "stadium", "road"),
    *("street", "path", "trail", "sidewalk", "highway", "runway", "racetrack", "alley", "sea", "ocean", "lake"),
    *("lane", "river", "pond", "harbor", "bay", "lagoon", "water", "canal", "pool", "sky", "room", "kitchen"),
    *("bedroom", "bathroom", "office", "classroom", "hallway", "library", "museum", "gym", "warehouse"),
    *("workshop", "restaurant", "ballroom", "supermarket", "mountain", "hill", "forest", "city", "village"),
    *("cliff", "jungle", "volcano", "skyline", "waterfall", "parking lot", "football field", "starry sky"),
    *("night sky", "living room"),
}


class Boxes:
    """The boxes of a layout by entity: (n, F, 6)."""

    def __init__(self, graph: SceneGraph, layout: Layout) -> None:
        self.graph, self.frames = graph, layout.frames
        self.time = (np.arange(layout.frames) + 0.5) / layout.frames
        self.of: dict[str, np.ndarray] = {}
        for node in graph.of_type("entity"):
            tracks = sorted((t for t in layout.tracks if t.entity == node.id), key=lambda t: t.instance)
            if tracks:
                self.of[node.id] = np.stack([track.boxes for track in tracks]).astype(float)

    def during(self, interval: Interval) -> np.ndarray:
        """Frames of an interval, at least one."""
        frames = np.flatnonzero((self.time >= interval[0]) & (self.time <= interval[1]))
        return frames if len(frames) else np.array([int(interval[0] * self.frames)])


def left(box: np.ndarray) -> np.ndarray:
    return box[..., X] - box[..., W] / 2


def right(box: np.ndarray) -> np.ndarray:
    return box[..., X] + box[..., W] / 2


def top(box: np.ndarray) -> np.ndarray:
    return box[..., Y] - box[..., H] / 2


def bottom(box: np.ndarray) -> np.ndarray:
    return box[..., Y] + box[..., H] / 2


def gap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between two boxes: the larger of the distances across and up; below 0 where they overlap."""
    across = np.maximum(left(a), left(b)) - np.minimum(right(a), right(b))
    up = np.maximum(top(a), top(b)) - np.minimum(bottom(a), bottom(b))
    return np.maximum(across, up)


def sideways_gap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(left(a), left(b)) - np.minimum(right(a), right(b))


def covered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of the smaller box that lies in the other."""
    across = np.clip(np.minimum(right(a), right(b)) - np.maximum(left(a), left(b)), 0, None)
    up = np.clip(np.minimum(bottom(a), bottom(b)) - np.maximum(top(a), top(b)), 0, None)
    return across * up / np.minimum(a[..., W] * a[..., H], b[..., W] * b[..., H])


def inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether the middle of a lies in b."""
    aside = (left(b) - 0.01 <= a[..., X]) & (a[..., X] <= right(b) + 0.01)
    return aside & (top(b) - 0.01 <= a[..., Y]) & (a[..., Y] <= bottom(b) + 0.01)


def at_place(boxes: np.ndarray, place: str) -> np.ndarray:
    words = {"upper": "top", "lower": "bottom", "middle": "center"}
    names = [words.get(word, word) for word in place.split() if word not in ("half", "third", "part")]
    x, y = boxes[..., X].mean(0), boxes[..., Y].mean(0)
    holds = np.ones(boxes.shape[1], bool)
    for name in names:
        holds &= {
            "left": x < 0.45,
            "right": x > 0.55,
            "top": y < 0.46,
            "bottom": y > 0.54,
            "center": (abs(x - 0.5) < 0.16) & ((abs(y - 0.5) < 0.16) | (len(names) > 1)),
            "background": boxes[..., DEPTH].min(0) > 8,
            "distance": boxes[..., DEPTH].min(0) > 8,
            "foreground": boxes[..., DEPTH].max(0) < 6.4,
        }[name]
    return holds


def facts(graph: SceneGraph, layout: Layout) -> list[tuple[str, bool]]:
    """(what is said, whether it is shown)."""
    return [(name, bool(holds)) for name, holds in _facts(graph, Boxes(graph, layout))]


def _facts(graph: SceneGraph, boxes: Boxes) -> Iterator[tuple[str, bool]]:
    nodes = {node.id: node for node in graph.nodes}
    scene = graph.of_type("scene")[0]
    yield from _soundness(graph, boxes)
    for edge in graph.edges:
        if edge.source not in nodes or nodes[edge.source].type != "entity" or nodes[edge.source].label in REGIONS:
            continue
        if edge.type == "location" and edge.target == scene.id:
            frames = boxes.during(edge.interval)
            held = at_place(boxes.of[edge.source], str(edge.label))[frames]
            moves = any(_moves(nodes[e.source]) for e in graph.edges_to(edge.source, "agent"))
            steps = [e.interval for e in graph.edges_from(edge.source, "location") if e.target == scene.id]
            if len(steps) > 1 and not moves:
                # On its way from place to place, it is there in the middle of each step, and at both ends of the video.
                held = held[
                    [0 if not edge.interval[0] else len(held) // 2, -1 if edge.interval[1] == 1 else len(held) // 2]
                ]
                yield f"{edge.source} at {edge.label} then", held.all()
                continue
            # "From the left to the right": who goes all the while is on the left at first.
            goes = [nodes[e.source] for e in graph.edges_to(edge.source, "agent") if _moves(nodes[e.source])]
            start = edge.interval[0]
            goes_on = any(event.interval[0] <= start < event.interval[1] for event in goes)
            is_start = goes_on or (moves and edge.interval == (0, 1))
            yield f"{edge.source} at {edge.label}", held[0] if is_start else held.all()
        elif edge.type in ("spatial", "relation") and edge.target in boxes.of:
            yield f"{edge.source} {edge.label} {edge.target}", _relation(graph, boxes, edge)
    for event in graph.of_type("event"):
        if not event.negated:
            yield from _event(graph, boxes, event)
    for move in scene.camera:
        yield f"camera {move.label}", _camera(graph, boxes, move.label, move.interval)
    yield from _sizes(graph, boxes)


def _moves(event: Node) -> bool:
    return event.label not in STAYS and VERBS.get(event.label) not in (
        "appear",
        "vanish",
        "grow",
        "shrink",
        "hold",
        "wear",
    )


# -- what always holds -------------------------------------------------------------------------------------------------


def _soundness(graph: SceneGraph, boxes: Boxes) -> Iterator[tuple[str, bool]]:
    crossing = {
        edge.target
        for event in graph.of_type("event")
        if VERBS.get(event.label) in ("enter", "leave")
        for edge in graph.edges_from(event.id, "agent")
    }
    crossing |= {node.id for node in graph.of_type("entity") if stage_company.goes_through(graph, node.id)}
    #: Groups in which each goes its own way, and those that pass before each other.
    loose = {a: stage_company.among(graph, e) for e in graph.of_type("event") for a in stage_company.members(graph, e)}
    filmed = bool(graph.of_type("scene")[0].camera)
    for edge in graph.edges:
        if edge.type != "contains" or edge.target not in boxes.of:
            continue
        own, node = boxes.of[edge.target], graph.node(edge.target)
        there = (boxes.time >= edge.interval[0]) & (boxes.time <= edge.interval[1])
        yield f"{node.label} absent outside {edge.interval}", not (own[:, ~there, SEEN] > 0).any()
        yield f"{node.label}: all of them", len(own) == node.count
        yield f"{node.label} of some size", (own[..., W:DEPTH] >= 0.01).all()
        if node.label in REGIONS:
            yield (
                f"{node.label} is behind",
                all((own[..., DEPTH] > b[..., DEPTH].max()).all() for b in _actors(graph, boxes)),
            )
            yield f"{node.label} is large", (own[..., W] * own[..., H]).min() > 0.04
            continue
        seen = own[..., SEEN] > 0
        if edge.target not in crossing:
            borne_by_crossing = any(e.target in crossing for e in graph.edges_from(edge.target))
            if not borne_by_crossing:
                yield f"{node.label} in the frame", (own[..., SEEN][seen] > (0.75 if filmed else 0.98)).all()
        step = np.hypot(np.diff(own[..., X], axis=1), np.diff(own[..., Y], axis=1))
        yield f"{node.label} does not jump", (step < 0.27).all()
        if node.count > 1:
            pairs = [covered(a, b).max() for a, b in combinations(own, 2)]
            if loose.get(edge.target) in ("swap", "ring"):
                continue
            yield f"{node.label}: room for all", max(pairs) < 0.06
            if loose.get(edge.target):
                continue
            spread = own[..., :2] - own[:1, :, :2]
            scale = own[..., H].mean(0)[None, :, None]
            drift = np.ptp(spread / scale, axis=1) * own[..., H].mean()
            yield f"{node.label} keep together", drift.max() < 0.05
    related = {frozenset((e.source, e.target)) for e in graph.edges}
    for event in graph.of_type("event"):
        parties = [e.target for e in graph.edges_from(event.id)]
        related |= {frozenset(pair) for pair in combinations(parties, 2)}
    nearby = {
        frozenset((a, c)) for p, q in product(related, repeat=2) for b in p & q for a in p for c in q if b in boxes.of
    }
    actors = [node.id for node in graph.of_type("entity") if node.label not in REGIONS and node.id in boxes.of]
    for a, b in combinations(actors, 2):
        if frozenset((a, b)) not in related | nearby:
            both = [covered(p, q)[(p[:, SEEN] > 0) & (q[:, SEEN] > 0)] for p, q in product(boxes.of[a], boxes.of[b])]
            yield f"{a} and {b} apart", max((values.max() for values in both if len(values)), default=0.0) < 0.13


def _actors(graph: SceneGraph, boxes: Boxes) -> list[np.ndarray]:
    return [own for key, own in boxes.of.items() if graph.node(key).label not in REGIONS]


# -- relations ---------------------------------------------------------------------------------------------------------


def _relation(graph: SceneGraph, boxes: Boxes, edge: Edge) -> bool:
    a, b = boxes.of[edge.source], boxes.of[edge.target]
    frames = boxes.during(edge.interval)
    label = str(edge.label)
    if label.endswith((" than", " as")) or label.startswith(("as ", "half ", "twice ")):
        return _comparison(a[:, frames], b[:, frames], label)
    kind = WAYS.get(label, "")
    if graph.node(edge.target).label in REGIONS:
        if kind in ("in", "on"):
            return bool(_in_region(a, b)[:, frames].all())
        return True
    both = (a[:, None, frames], b[None, :, frames])
    others = [e.target for e in graph.edges_from(edge.source) if e.label == "between"]
    if kind in ("in", "beside") and label in ("in", "with") and covered(*both).min() > 0.5:
        return True
    if kind == "between":
        return _between(a[:, frames], [boxes.of[other][:, frames] for other in others])
    if kind == "beside" and len(a) > 1:
        # One of a group is by it.
        return bool(_stands(kind, *both).any(0).any(0).all())
    # Of several on several, each is by one.
    return bool(
        _stands(kind, *both).any(1).all() if kind in ("on", "in", "beside", "against") else _stands(kind, *both).all()
    )


def _stands(kind: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether a stands so to b, box by box."""
    aside = np.minimum(right(a), right(b)) - np.maximum(left(a), left(b)) > 0
    always = np.ones(np.broadcast_shapes(a.shape, b.shape)[:-1], bool)
    return {
        "left": a[..., X] < b[..., X] - 0.01,
        "right": a[..., X] > b[..., X] + 0.01,
        "behind": a[..., DEPTH] > b[..., DEPTH] * 1.03,
        "front": a[..., DEPTH] < b[..., DEPTH] * 0.97,
        "beside": sideways_gap(a, b) < 0.14,
        "above": (bottom(a) < top(b) + 0.02) & aside,
        "below": top(a) > bottom(b) - 0.02,
        "under": aside & (top(a) > top(b) - 0.02),
        "on": (left(a) > left(b) - 0.6 * a[..., W])
        & (right(a) < right(b) + 0.6 * a[..., W])
        & (bottom(a) > top(b) - 0.02)
        & (bottom(a) < bottom(b) - 0.2 * b[..., H] + 0.02),
        "in": (a[..., X] > left(b) - 0.02)
        & (a[..., X] < right(b) + 0.02)
        & (bottom(a) > top(b))
        & (bottom(a) < bottom(b) + 0.02),
        "against": sideways_gap(a, b) < 0.01,
    }.get(kind, always)


def _between(a: np.ndarray, ends: list[np.ndarray]) -> bool:
    # Between two of a group is between those at its ends.
    ends = list(ends[0][:, None]) if len(ends) == 1 else ends
    x = np.sort(np.stack([end[..., X].mean(0) for end in ends]), axis=0)
    own = a[..., X].mean(0)
    return bool(((own > x[0]) & (own < x[-1])).all())


def _in_region(a: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Feet on it, or the box in it."""
    feet = (bottom(a) > top(region) - 0.02) & (bottom(a) < bottom(region) + 0.03)
    return feet & (a[..., X] > left(region) - 0.05) & (a[..., X] < right(region) + 0.05)


def _comparison(a: np.ndarray, b: np.ndarray, label: str) -> bool:
    size = (
        (lambda box: box[..., H])
        if "tall" in label or "short" in label
        else (lambda box: np.sqrt(box[..., W] * box[..., H]))
    )
    ratio = size(a).mean(0) / size(b).mean(0)
    if label.startswith("twice"):
        return bool((abs(ratio - 2) < 0.4).all())
    if label.startswith("half"):
        return bool((abs(ratio - 0.5) < 0.12).all())
    if label.startswith("as"):
        return bool((abs(ratio - 1) < 0.15).all())
    return bool((ratio > 1.08).all() if label.split()[0] in ("bigger", "larger", "taller") else (ratio < 0.93).all())


def _sizes(graph: SceneGraph, boxes: Boxes) -> Iterator[tuple[str, bool]]:
    order = {
        "tiny": 0,
        "miniature": 0,
        "small": 1,
        "little": 1,
        "big": 3,
        "large": 3,
        "huge": 4,
        "giant": 4,
        "enormous": 4,
    }
    said = []
    for node in graph.of_type("entity"):
        own = boxes.of.get(node.id)
        sized = [value for value, _ in graph.attributes(node.id) if value.label in order]
        for value, edge in graph.attributes(node.id):
            if len(sized) == 1 and value.label in order and edge.interval == (0, 1) and own is not None:
                said.append(
                    (node, order[value.label], np.sqrt(own[..., W] * own[..., H]).mean() * own[..., DEPTH].mean())
                )
            if value.label in ("bigger", "larger", "taller", "smaller", "shorter") and own is not None:
                change = own[:, -1, H] / own[:, 0, H]
                yield (
                    f"{node.label} gets {value.label}",
                    (change > 1.25).all() if value.label[0] in "blt" else (change < 0.8).all(),
                )
    for (a, i, large), (b, j, small) in product(said, repeat=2):
        if a.label == b.label and i > j:
            yield f"{a.label} by size", large > small * 1.05


# -- events ------------------------------------------------------------------------------------------------------------


def _event(graph: SceneGraph, boxes: Boxes, event: Node) -> Iterator[tuple[str, bool]]:
    def role(kind: str) -> list[str]:
        return [e.target for e in graph.edges_from(event.id, kind) if e.target in boxes.of]

    agents, patients, receivers = role("agent"), role("patient"), role("receiver")
    if not agents:
        return
    kind = VERBS.get(event.label, "")
    kind = "drop" if kind == "put" and event.direction == "down" else kind
    frames = boxes.during(event.interval)
    name = f"{event.label} {event.direction or ''}".strip()
    first = agents[0]
    after = boxes.during((event.interval[1] - 1e-6, 1.0)) if event.interval[1] < 1 else frames[-1:]
    movers = list(agents)
    if together := stage_company.among(graph, event):
        own = np.concatenate([boxes.of[key] for key in stage_company.members(graph, event)])[:, frames]
        met = kind == "meet" and event.interval[0] > 0
        yield (
            f"{name} among themselves",
            bool(gap(own[0], own[-1])[-1] < 0.12) if met else stage_company.shows(together, own),
        )
        return
    if kind == "meet" and not patients:
        agents, patients = agents[:1], agents[1:]
    if patients:
        if kind in ("follow", "ride"):
            movers += patients
        result = _deed(graph, boxes, kind, event, agents, patients, receivers, frames)
        if result is not None:
            yield name, result
        if kind in ("push", "pull"):
            movers += patients
        if kind in ("throw", "kick", "catch", "lift", "drop", "release", "put", "give"):
            movers = patients if event.direction in ("left", "right") or kind in ("lift", "drop", "release") else []
    for agent in agents:
        own = boxes.of[agent]
        before = own[:, boxes.time < event.interval[0]]
        if kind in ("appear", "vanish") and event.manner in stage_company.TURNS:
            yield f"{name} by turns", stage_company.by_turns(own[..., SEEN] > 0, kind == "appear")
        elif kind == "appear":
            change = event.interval[0] or event.interval[1] / 2
            seen = own[..., SEEN] > 0
            again = [node.interval[0] for node in graph.of_type("event") if VERBS.get(node.label) == "vanish"]
            later = (boxes.time > change) & (boxes.time < max(again, default=1.0))
            yield name, not seen[:, boxes.time < change].any() and seen[:, later].all()
        elif kind == "vanish":
            change = event.interval[0] or event.interval[1] / 2
            seen = own[..., SEEN] > 0
            comes = any(VERBS.get(graph.node(e.source).label) == "appear" for e in graph.edges_to(agent, "agent"))
            yield name, not seen[:, boxes.time > change].any() and (seen[:, 0].all() or comes)
        elif kind == "enter":
            leaves = any(VERBS.get(node.label) == "leave" for node in graph.of_type("event"))
            yield name, (own[:, frames[0], SEEN] < 0.75).all() and (leaves or (own[:, after[-1], SEEN] > 0.9).all())
        elif kind == "leave":
            yield name, (own[:, -1, SEEN] < 0.3).all() and (before[:, -1:, SEEN] > 0.9).all()
        elif kind in ("grow", "shrink"):
            change = own[:, frames[-1], H] / own[:, frames[0], H]
            yield name, (change > 1.25).all() if kind == "grow" else (change < 0.8).all()
        elif event.label in STAYS and not graph.of_type("scene")[0].camera:
            lone = len([e for e in graph.edges if e.target == agent and e.type in ("agent", "patient")]) == 1
            if lone and not any(graph.node(e.source).label in STAYS for e in graph.edges_to(agent, "location")):
                drift = np.ptp(own[..., :2], axis=1).max()
                borne = [e.target for e in graph.edges_from(agent) if e.type in ("spatial", "relation")]
                borne += [e.target for e in graph.edges_from(event.id, "location")]
                if not any(_is_moved(graph, other) for other in borne) and not _is_sized(graph, agent):
                    yield f"{name} stays", drift < 0.02
    slight = kind in ("jump", "drop", "lift") or any(e.label == "off" for e in graph.edges_from(event.id, "location"))
    for mover in dict.fromkeys(movers):
        if (
            event.direction
            and kind not in ("to", "circle", "flee", "enter", "leave")
            and not (kind == "jump" and event.direction == "up" and not graph.edges_from(event.id, "location"))
            and not (event.direction == "away" and _leads_from(graph, event))
            and not (kind == "follow" and mover in agents)
        ):
            yield f"{name} of {mover}", _direction(boxes.of[mover][:, frames], event.direction, slight)
    if not event.direction and kind in ("up", "down"):
        yield name, _direction(boxes.of[first][:, frames], kind, False)
    if kind == "jump":
        yield name, float(np.ptp(bottom(boxes.of[first][:, frames]), axis=1).min()) > 0.025
    if kind == "zigzag":
        yield name, _turns(boxes.of[first][:, frames]) >= 2
    if (
        event.manner
        and _moves(event)
        and not patients
        and event.direction not in ("toward", "away", "around", "back and forth")
    ):
        way = np.hypot(*(np.ptp(boxes.of[first][:, frames, axis], axis=1).mean() for axis in (X, Y)))
        if event.manner in ("quickly", "rapidly", "swiftly") and not graph.edges_from(event.id, "location"):
            yield f"{name} {event.manner}", way > 0.36
        elif event.manner in ("slowly", "calmly", "gently", "leisurely") and not graph.edges_from(event.id, "location"):
            yield f"{name} {event.manner}", way < 0.34
    yield from _ways(graph, boxes, event, agents, patients, frames)
    # Nothing goes before its time.
    lone = len([e for e in graph.edges if e.target == first and e.type in ("agent", "patient")]) == 1
    if (
        lone
        and event.interval[0] > 0
        and _moves(event)
        and kind not in ("enter", "meet")
        and not graph.of_type("scene")[0].camera
    ):
        still = boxes.of[first][:, boxes.time < event.interval[0]]
        if not any(_is_moved(graph, e.target) for e in graph.edges_from(first)):
            yield f"{name} not before", float(np.ptp(still[..., :2], axis=1).max(initial=0)) < 0.03


def _leads_from(graph: SceneGraph, event: Node) -> bool:
    """Whether "away" is away from another thing, wherever that is."""
    return any(e.label in ("away from", "from") for e in graph.edges_from(event.id, "location"))


def _is_moved(graph: SceneGraph, key: str) -> bool:
    return any(_moves(graph.node(e.source)) for e in graph.edges_to(key) if e.type in ("agent", "patient"))


def _is_sized(graph: SceneGraph, key: str) -> bool:
    return any(edge.interval != (0, 1) for _, edge in graph.attributes(key))


def _direction(own: np.ndarray, direction: str, slight: bool) -> bool:
    x, y = own[..., X], own[..., Y]
    dx, dy = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
    area = own[:, -1, W] * own[:, -1, H] / (own[:, 0, W] * own[:, 0, H])
    length = np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)).sum(1)
    share = own.shape[1] / 16
    least = 0.05 if share < 0.6 else 0.09
    return bool(
        {
            "left": dx < -least,
            "right": dx > least,
            "up": dy < -least / (3 if slight else 1),
            "down": dy > least / (3 if slight else 1),
            "toward": area > 1.4,
            "away": area < 0.75,
            "around": (length > 0.2) & (np.hypot(dx, dy) < 0.35 * length),
            "back and forth": (np.ptp(x, axis=1) > 0.1) & (np.diff(np.sign(np.diff(x, axis=1)), axis=1) != 0).any(1),
            "zigzag": np.array([_turns(own) >= 2]),
            "across": abs(dx) > 0.3,
            "up and down": stage_company.bobs(own),
        }.get(direction, np.array([direction in ("apart", "together")])).all()
    )


def _turns(own: np.ndarray) -> int:
    """How often it turns aside on its way, up or down, or to the left or right."""
    turns = []
    for axis in (X, Y):
        steps = np.diff(own[..., axis].mean(0))
        signs = np.sign(steps[abs(steps) > 1e-3])
        turns.append(int((np.diff(signs) != 0).sum()))
    return max(turns)


def _deed(
    graph: SceneGraph,
    boxes: Boxes,
    kind: str,
    event: Node,
    agents: list[str],
    patients: list[str],
    receivers: list[str],
    frames: np.ndarray,
) -> bool | None:
    """What is done to another thing; None if boxes cannot show it."""
    a, b = boxes.of[agents[0]][:1, frames], boxes.of[patients[0]][:1, frames]
    n = len(boxes.of[patients[0]])
    if kind in ("hold", "carry", "wear", "ride"):
        if n > 1:
            return None
        host, child = (b, a) if kind == "ride" else (a, b)
        late = slice(len(frames) // 2 if event.interval[0] > 0 else 0, None)
        offset = (child[..., :2] - host[..., :2])[:, late] / host[:, late, H : H + 1]
        steady = np.ptp(offset, axis=1).max() * host[..., H].mean() < 0.02
        touching = (gap(host, child)[:, late] < 0.005).all()
        return bool(steady and touching)
    if kind in ("push", "pull"):
        way = np.sign(a[0, -1, X] - a[0, 0, X])
        ahead = (b[..., X] - a[..., X]) * way
        return bool((ahead * (1 if kind == "push" else -1) > 0).all() and (sideways_gap(a, b) < 0.03).all())
    if kind == "follow":
        move = b[0, -1, :2] - b[0, 0, :2]
        behind = ((b[..., :2] - a[..., :2]) * move).sum(-1)
        deeper = np.ptp(b[..., DEPTH]) > 1.5
        same = float(((a[0, -1, :2] - a[0, 0, :2]) * move).sum()) > 0
        return bool(same and (deeper or (behind > 0).all()))
    if kind == "past":
        return _passes(a, b)
    if kind == "to":
        return _nears(a, b)
    if kind == "meet":
        return bool(gap(a, b)[0, -1] < 0.09 and gap(a, b)[0, -1] <= gap(a, b)[0, 0] + 0.06)
    if kind == "circle":
        return _rounds(a, b)
    hand = gap(a, b)[0]
    end = boxes.of[receivers[0]][:1, frames] if receivers else None
    if kind in ("throw", "give") and end is not None:
        return bool(hand[0] < 0.06 and gap(end, b)[0, -1] < 0.02)
    if kind == "throw":
        return bool(hand[0] < 0.08 and np.hypot(*(b[0, -1, :2] - b[0, 0, :2])) > 0.14)
    if kind == "catch":
        return bool(hand[-1] < 0.01 and (hand[0] > 0.1 or event.interval[0] > 0))
    if kind == "kick":
        return bool(hand[0] < 0.06 and hand[-1] > 0.12)
    if kind == "lift":
        return bool(bottom(b)[0, -1] < bottom(b)[0, 0] - 0.02)
    if kind == "release":
        return bool(bottom(b)[0, -1] < bottom(b)[0, 0] - 0.1)
    if kind == "drop":
        return bool(bottom(b)[0, -1] > bottom(b)[0, 0] + 0.015)
    return None


def _passes(a: np.ndarray, b: np.ndarray) -> bool:
    aside = (a[..., X] - b[..., X]).mean(0)
    return bool(aside[0] * aside[-1] < 0)


def _nears(a: np.ndarray, b: np.ndarray) -> bool:
    near = gap(a, b).max(0)
    return bool(near[-1] < 0.1 and near[-1] < near[0] - 0.05)


def _rounds(a: np.ndarray, b: np.ndarray) -> bool:
    aside = (a[..., X] - b[..., X]).mean(0)
    deep = (a[..., DEPTH] - b[..., DEPTH]).mean(0)
    return bool(aside.min() < 0 < aside.max() and deep.min() < 0 < deep.max())


def _ways(
    graph: SceneGraph, boxes: Boxes, event: Node, agents: list[str], patients: list[str], frames: np.ndarray
) -> Iterator[tuple[str, bool]]:
    scene = graph.of_type("scene")[0].id
    stays = event.label in STAYS or VERBS.get(event.label) in ("appear", "vanish", "lean", "grow", "shrink")
    goes = agents if VERBS.get(event.label) not in ("throw", "put", "drop", "lift", "ride") else patients
    for edge in graph.edges_from(event.id, "location"):
        for agent in goes:
            own = boxes.of[agent]
            name = f"{event.label} {edge.label} {edge.target}"
            if edge.target == scene:
                held = at_place(own, str(edge.label))[frames]
                # Who enters from a corner is there at first.
                yield name, held.all() if stays else held[0] if VERBS.get(event.label) == "enter" else held[-1]
            elif edge.target in boxes.of:
                other, kind = boxes.of[edge.target], WAYS.get(str(edge.label), "")
                if graph.node(edge.target).label in REGIONS:
                    yield name, _by_region(own, other, kind, frames, stays, graph.node(edge.target).label)
                elif stays:
                    both = (own[:, None, frames], other[None, :, frames])
                    if kind == "between":
                        continue
                    seen = own[:, None, frames, SEEN] > 0
                    yield name, bool((_stands(kind, *both) | ~seen).any(1).all() or agent != goes[0])
                elif kind == "between":
                    ends = [e.target for e in graph.edges_from(event.id, "location") if e.label == edge.label]
                    yield name, _between(own[:, frames[-1:]], [boxes.of[end][:, frames[-1:]] for end in ends])
                elif agent == goes[0] or VERBS.get(event.label) != "put":
                    yield name, _goes(own[:, frames], other[:, frames], kind)


def _by_region(own: np.ndarray, region: np.ndarray, kind: str, frames: np.ndarray, stays: bool, label: str) -> bool:
    if kind in ("over", "above", "to", "from", "past"):
        return True
    if not _in_region(own, region)[:, frames].all() and label not in ("mountain", "hill"):
        return False
    if stays or kind not in ("across", "along"):
        return True
    moved = np.hypot(*(own[:, frames[-1], axis] - own[:, frames[0], axis] for axis in (X, Y)))
    nearer = own[:, frames[-1], H] / own[:, frames[0], H]
    return bool(((moved > 0.12) | (nearer > 1.3) | (nearer < 0.77)).all())


def _goes(a: np.ndarray, b: np.ndarray, kind: str) -> bool:
    """Whether a goes so by b."""
    one, end, start = b[:1], (a[:, -1:], b[:1, -1:]), (a[:, :1], b[:1, :1])
    if kind in ("past", "across"):
        return _passes(a, one)
    if kind in ("behind", "front"):
        # It stays there, or has gone on to the other side.
        there = sideways_gap(a, one) < 0
        stays = there[:, -1].all() or (there.any(1).all() and _passes(a, one))
        return bool(_stands(kind, *end).all() and stays)
    if kind == "to":
        return all(_nears(a[i : i + 1], one) for i in range(len(a))) if len(a) == 1 else bool(gap(*end).min() < 0.12)
    if kind == "from":
        return bool((gap(a, one)[:, -1] > gap(a, one)[:, 0] + 0.08).all())
    if kind == "in":
        return bool(inside(*end).all() and not inside(*start).any())
    if kind == "out":
        return bool(inside(*start).all() and not inside(*end).any())
    if kind in ("on", "off"):
        there, away = (end, start) if kind == "on" else (start, end)
        return bool(_stands("on", *there).all() and not _stands("on", *away).any())
    if kind == "over":
        above = (bottom(a) < top(one) + 0.02) & (sideways_gap(a, one) < 0)
        return bool(above.any(1).all()) and _passes(a, one)
    if kind == "under":
        return bool(_stands("under", *end).all())
    if kind == "along":
        aside = np.ptp(a[..., X], axis=1)
        return bool(
            (aside > 0.07).all() and (a[..., X] > left(one) - 0.02).all() and (a[..., X] < right(one) + 0.02).all()
        )
    if kind == "around":
        return _rounds(a, one)
    if kind in ("from left", "from right"):
        return bool((_stands(kind.split()[1], *start)).all())
    if kind in ("to left", "to right"):
        return bool((_stands(kind.split()[1], *end)).all())
    if kind == "beside":
        return bool(sideways_gap(*end).max() < 0.16)
    return True


# -- the camera --------------------------------------------------------------------------------------------------------


def _camera(graph: SceneGraph, boxes: Boxes, label: str, interval: Interval) -> bool:
    frames = boxes.during(interval)
    words = label.split()
    still = {k: v for k, v in boxes.of.items() if not _is_moved(graph, k)}
    actors = {k: v for k, v in still.items() if graph.node(k).label not in REGIONS}
    first, last = frames[0], frames[-1]

    def shift(axis: int, these: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([v[:, last, axis] - v[:, first, axis] for v in these.values()] or [np.zeros(0)])

    grown = np.concatenate([v[:, last, H] / v[:, first, H] for v in actors.values()] or [np.zeros(0)])
    if words[0] in ("pan", "truck"):
        moved = shift(X, still if words[0] == "pan" else actors)
        return bool((moved > 0.03).all() if words[1] == "left" else (moved < -0.03).all())
    if words[0] in ("tilt", "pedestal"):
        moved = shift(Y, still if words[0] == "tilt" else actors)
        return bool((moved > 0.02).all() if words[1] == "up" else (moved < -0.02).all())
    if label in ("zoom in", "dolly in", "push in"):
        return bool((grown > 1.1).all())
    if label in ("zoom out", "dolly out", "pull back"):
        return bool((grown < 0.92).all())
    main = next(iter(boxes.of.values()))
    ways = [own for k, own in boxes.of.items() if graph.node(k).label not in REGIONS]
    main = ways[0] if ways else main
    if "close" in label:
        return bool(main[..., W:DEPTH].max() > 0.5)
    if label in ("wide shot", "long shot", "establishing shot", "extreme long shot"):
        return bool(main[..., W:DEPTH].max() < 0.26)
    if words[0] == "orbit":
        return _orbits(list(actors.values()), first, last, words[1])
    return True


def _orbits(actors: list[np.ndarray], first: int, last: int, way: str) -> bool:
    """A camera that goes to the left sees what is near go to the right of what is far."""
    sign = 1 if way == "left" else -1
    for a, b in combinations([own[0] for own in actors], 2):
        near, far = (a, b) if a[:, DEPTH].mean() < b[:, DEPTH].mean() else (b, a)
        if far[:, DEPTH].mean() > near[:, DEPTH].mean() * 1.1:
            moved = (near[last, X] - near[first, X]) - (far[last, X] - far[first, X])
            if moved * sign < 0.005:
                return False
    return True
