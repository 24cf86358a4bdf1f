"""What a layout must show of several that act among themselves, or by turns: rules that read boxes only."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mov_ai.graph import Node, SceneGraph

X, Y, W, H, DEPTH, SEEN = range(6)
SCATTER = ("scatter", "disperse", "spread")
SWAP = ("swap", "switch", "trade", "cross")
GATHER = ("gather", "assemble", "huddle")
TURNS = ("one after another", "one after the other", "one by one")
#: Verbs of each other, and relations to each other, -> what is shown.
MUTUAL = {
    "pass": "swap", "chase": "ring", "pursue": "ring", "circle": "ring", "meet": "gather", "to": "gather",
    "toward": "gather", "away from": "scatter",
}  # fmt: skip


def roles(graph: SceneGraph, event: Node, kind: str) -> list[str]:
    return [edge.target for edge in graph.edges_from(event.id, kind)]


def among(graph: SceneGraph, event: Node) -> str | None:
    """What the agents of an event do among themselves: scatter, gather, swap or ring; None for nothing."""
    agents, patients = roles(graph, event, "agent"), roles(graph, event, "patient")
    several = sum(graph.node(agent).count for agent in agents) > 1
    if several and (event.label in SCATTER or event.direction == "apart"):
        return "scatter"
    around = [edge for edge in graph.edges_from(event.id, "location") if edge.label == "around"]
    if several and (event.label in GATHER or (event.label == "come" and around)):
        return "gather"
    where = graph.edges_from(event.id, "location")
    if several and event.label in SWAP and not (patients or where or event.direction):
        return "swap"
    if set(agents) & set(patients):
        return MUTUAL.get(event.label)
    for edge in graph.edges_from(event.id, "location"):
        if edge.target in agents:
            return MUTUAL.get(str(edge.label))
    other = counterpart(graph, event)
    if other is None:
        return None
    labels = [str(edge.label) for edge in graph.edges_from(event.id, "location")]
    return MUTUAL.get(event.label) or MUTUAL.get(labels[0] if labels else "")


def counterpart(graph: SceneGraph, event: Node) -> Node | None:
    """The event in which another does the same to the agent of this one."""

    def ends(node: Node) -> tuple[set[str], set[str]]:
        to = {e.target for e in graph.edges_from(node.id, "location") if e.label in ("to", "toward")}
        return set(roles(graph, node, "agent")), set(roles(graph, node, "patient")) | to

    agents, others = ends(event)
    for node in graph.of_type("event"):
        is_like = node is not event and node.label == event.label and node.interval == event.interval
        if is_like and len(others) == 1 and ends(node) == (others, agents):
            return node
    return None


def members(graph: SceneGraph, event: Node) -> list[str]:
    """All entities of an event that acts among its agents."""
    other = counterpart(graph, event)
    return [*roles(graph, event, "agent"), *(roles(graph, other, "agent") if other else [])]


def goes_through(graph: SceneGraph, agent: str) -> bool:
    """Whether it comes in on one side and goes on, out of the frame, in two events of one verb and way."""
    events = [graph.node(e.source) for e in graph.edges_to(agent, "agent")]
    return any(
        a.label == b.label and a.direction == b.direction and a.direction in ("left", "right")
        and a.interval[0] == 0 and a.interval[1] == b.interval[0] and b.interval[1] == 1
        for a in events for b in events
    )  # fmt: skip


def _spread(own: np.ndarray) -> np.ndarray:
    """(F,) mean distance from the common middle."""
    at = own[..., :2]
    return np.asarray(np.linalg.norm(at - at.mean(0), axis=-1).mean(0))


def shows(kind: str, own: np.ndarray) -> bool:
    """Whether boxes (n, F, 6) of the members, from first to last frame of an event, show what they do."""
    if kind in ("scatter", "gather"):
        spread = _spread(own)
        return bool((spread[-1] - spread[0]) * (1 if kind == "scatter" else -1) > 0.05)
    if kind == "swap":
        aside = own[:, :, X] - own[:, :, X].mean(0)
        return bool((aside[:, 0] * aside[:, -1] < 0).all() and abs(aside[:, 0]).min() > 0.05)
    # Round each other: from where one is, the other is seen to all sides; or one after the other on one way.
    ways = own[:, -1, :2] - own[:, 0, :2]
    around = all(
        (a[:, X] - b[:, X]).min() < -0.05 and (a[:, X] - b[:, X]).max() > 0.05 for a, b in combinations(own, 2)
    )
    return bool(around or (np.linalg.norm(ways, axis=1) > 0.1).all())


def bobs(own: np.ndarray) -> np.ndarray:
    """(n,) whether each goes up and comes down again at least once."""
    highest = own[..., Y].argmin(1)
    result = []
    for one, top in zip(own[..., Y], highest, strict=True):
        result.append(np.ptp(one) > 0.05 and (np.diff(np.sign(np.diff(one))) != 0).sum() >= 1 and top >= 0)
    return np.array(result)


def by_turns(seen: np.ndarray, appears: bool) -> bool:
    """Whether instances (n, F) come, or go, one after another."""
    times = sorted(int(one.argmax() if appears else (~one).argmax()) for one in seen)
    holds = all((np.diff(one.astype(int)) != 0).sum() <= 1 for one in seen)
    spread = len(set(times)) >= min(len(times), 4)
    return holds and spread and bool((seen[:, -1] if appears else seen[:, 0]).all())
