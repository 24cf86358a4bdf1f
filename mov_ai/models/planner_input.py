"""What the planner sees: a scene graph's labels, times and relations as tensors, and box tracks as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.graph import BOX_FIELDS, Edge, Interval, Layout, Node, SceneGraph
from mov_ai.graph.instances import MAX_COUNT, drawn_entities
from mov_ai.graph.layout_limits import share_inside
from mov_ai.graph.time import FULL, frame_times
from mov_ai.graph.ways import direction_in_picture, place_of_way
from mov_ai.labels.encoder import LabelEncoder
from mov_ai.models.conditioning import TensorBatch, join_padded

CHANNELS = len(BOX_FIELDS)
#: Kinds of attributes that change no box.
APPEARANCE_KINDS = ("color", "material", "texture", "text")
#: What an entity is to an event, in the order in which two that take part are linked.
PARTS = ("agent", "patient", "instrument", "location", "receiver")
#: What a happening is to its instance: nothing, what it is like, its part in an event, its place on the screen, while
#: when it is there, or what the camera does, which concerns everything.
ROLES = ("", "attribute", *PARTS, "place", "presence", "camera")
#: Why two instances are linked: by an edge, or by the parts that they take in one event.
LINK_KINDS = ("", "relation", "location", "coref", *(f"{a} {b}" for i, a in enumerate(PARTS) for b in PARTS[i:]))
#: Rough centre and spread of (x, y, log w, log h, log depth, visibility as -1 or 1); the data's own are measured.
CENTRE, SPREAD = (0.5, 0.55, -1.5, -1.4, 1.9, 0.0), (0.2, 0.15, 0.3, 0.3, 0.2, 1.0)
#: How much lower is as much as farther to the right.
_COLUMN = 0.35
_LIMITS = ((-2.0, 3.0), (-2.0, 3.0), (0.004, 4.0), (0.004, 4.0), (0.05, 100.0), (0.0, 1.0))


@dataclass
class PlannerInput(TensorBatch):
    """What the planner sees of B graphs with K instances, M happenings an instance, R links; W is labels' width.

    A happening is whatever is said of an instance's boxes: an event that it takes part in, an attribute, a place on the
    screen, while when it is there, a move of the camera. A link joins two instances: a relation, or an event of both.

    Attributes:
        entity: (B, K, W) float, the instance's label.
        count: (B, K) of the instance's entity, at most `MAX_COUNT`.
        rank: (B, K, 2), which of its like it is, from 1, counted from the left and from the right in the first frame;
            0 where it is the only one, or boxes of its like are given.
        label, direction, manner: (B, K, M, W) float, of each happening; zeros where there is none or none is said.
        place: (B, K, M, W) float, where on the screen or in what relation to its place an event is; zeros if not said.
        role: (B, K, M), index into `ROLES`, 0 where there is no happening.
        interval: (B, K, M, 2) float.
        link, verb: (B, R, W) float, labels of the relation and of the event that a link is about; zeros for none.
        link_kind: (B, R), index into `LINK_KINDS`. link_ends: (B, R, 2), instances. link_interval: (B, R, 2) float.
        siblings: (B, K, K) float, 1 for two instances of one entity.
        values: (B, K, frames, CHANNELS) float, given boxes as `to_track`; 0 where not given.
        given: (B, K, frames) bool.
        mask: (B, K) bool, whether there is such an instance.
    """

    entity: Tensor
    count: Tensor
    rank: Tensor
    label: Tensor
    direction: Tensor
    manner: Tensor
    place: Tensor
    role: Tensor
    interval: Tensor
    link: Tensor
    verb: Tensor
    link_kind: Tensor
    link_ends: Tensor
    link_interval: Tensor
    siblings: Tensor
    values: Tensor
    given: Tensor
    mask: Tensor

    def repeat(self, times: int) -> PlannerInput:
        """The batch `times` over."""
        return PlannerInput(**{n: t.repeat(times, *[1] * (t.ndim - 1)) for n, t in self.tensors().items()})


@dataclass(frozen=True)
class Happening:
    """One thing that is said of an entity's boxes; labels as (role of the label encoder, text) or None."""

    role: str
    interval: Interval
    label: tuple[str, str] | None = None
    direction: str | None = None
    manner: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Link:
    """What joins two entities; see `PlannerInput`."""

    kind: str
    source: str
    target: str
    interval: Interval
    label: str | None = None
    verb: str | None = None


def happenings(graph: SceneGraph) -> dict[str, list[Happening]]:
    """Entity -> all that concerns its boxes; no looks, nothing negated."""
    nodes = {node.id: node for node in graph.nodes}
    moves = [
        Happening("camera", move.interval, ("camera", move.label))
        for node in graph.of_type("scene")
        for move in node.camera
    ]
    found: dict[str, list[Happening]] = {node.id: [] for node in graph.of_type("entity")}
    for edge in graph.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if edge.type in PARTS and source.type == "event" and target.type == "entity" and not source.negated:
            places = _screen_places(graph, nodes, source) if edge.type != "location" else []
            before, place = places[:-1], places[-1] if places else None
            if edge.type == "location":
                place = place_of_way(source, edge)
            direction, label = direction_in_picture(graph, source), ("event", source.label)
            found[edge.target].append(Happening(edge.type, source.interval, label, direction, source.manner, place))
            start, end = source.interval
            # "From the left to the top": on the left at first.
            for i, early in enumerate(before):
                cuts = [start + (end - start) * j / (len(before) + 1) for j in (i, i + 1)]
                found[edge.target].append(Happening("place", (cuts[0], cuts[1]), place=early))
        elif edge.type == "has_attribute" and not target.negated and target.kind not in APPEARANCE_KINDS:
            found[edge.source].append(Happening("attribute", edge.interval, ("attribute", target.label)))
        elif edge.type == "location" and source.type == "entity" and target.type == "scene" and edge.label:
            found[edge.source].append(Happening("place", edge.interval, place=edge.label))
        elif edge.type == "contains" and target.type == "entity" and edge.interval != FULL:
            found[edge.target].append(Happening("presence", edge.interval))
    return {entity: [*entries, *moves] for entity, entries in found.items()}


def _screen_places(graph: SceneGraph, nodes: dict[str, Node], event: Node) -> list[str]:
    """Where on the screen an event is, or where it begins, goes by, and ends."""
    edges = graph.edges_from(event.id, "location")
    return [edge.label for edge in edges if edge.label and nodes[edge.target].type == "scene"]


def links(graph: SceneGraph) -> list[Link]:
    """All that joins two entities that are drawn: edges between them, and events that both take part in."""
    nodes = {node.id: node for node in graph.nodes}
    found = []
    for edge in graph.edges:
        if edge.source == edge.target or nodes[edge.source].type != "entity" or nodes[edge.target].type != "entity":
            continue
        kind = "relation" if edge.type in ("spatial", "relation") else edge.type
        if kind in LINK_KINDS:
            found.append(Link(kind, edge.source, edge.target, edge.interval, edge.label))
    for event in graph.of_type("event"):
        if not event.negated:
            found += _event_links(event, [e for e in graph.edges if e.source == event.id and e.type in PARTS])
    return found


def _event_links(event: Node, parts: Sequence[Edge]) -> list[Link]:
    ordered = sorted(parts, key=lambda edge: PARTS.index(edge.type))
    return [
        Link(f"{a.type} {b.type}", a.target, b.target, event.interval, b.label, event.label)
        for i, a in enumerate(ordered)
        for b in ordered[i + 1 :]
        if a.target != b.target
    ]


def read_graph(graph: SceneGraph, encoder: LabelEncoder, known: Layout | None = None, frames: int = 16) -> PlannerInput:
    """What the planner sees of one graph: a batch of one, instances in the order of `drawn_entities`.

    Args:
        graph: a valid scene graph that draws at least one entity.
        known: tracks with boxes that are given, rows of NaN where not; of `frames` frames.
        frames: see `PlannerConfig.frames`.

    Raises UsageError if `known` has a track of something that the graph does not draw.
    """
    drawn = drawn_entities(graph)
    nodes = {node.id: node for node in graph.nodes}
    entities = [entity for entity, _ in drawn]
    siblings = [[float(a == b and i != j) for j, b in enumerate(entities)] for i, a in enumerate(entities)]
    values, is_known = _read_known(drawn, known, frames)
    return PlannerInput(
        entity=encoder([("entity", nodes[entity].label) for entity in entities])[None],
        count=torch.tensor([[min(nodes[entity].count, MAX_COUNT) for entity in entities]]),
        rank=torch.from_numpy(_ranks(drawn, np.asarray(is_known.any(-1))))[None],
        **_read_happenings(happenings(graph), entities, encoder),
        **_read_links(links(graph), entities, encoder),
        siblings=torch.tensor([siblings]),
        values=torch.from_numpy(values)[None],
        given=torch.from_numpy(is_known)[None],
        mask=torch.ones(1, len(drawn), dtype=torch.bool),
    )


def _read_happenings(
    happens: dict[str, list[Happening]], entities: Sequence[str], encoder: LabelEncoder
) -> dict[str, Tensor]:
    """The tensors of `PlannerInput` that are about happenings."""
    count, most = len(entities), max(1, *(len(happens[entity]) for entity in entities))
    vectors = {name: torch.zeros(count, most, encoder.width) for name in ("label", "direction", "manner", "place")}
    role, interval = torch.zeros(count, most, dtype=torch.long), torch.zeros(count, most, 2)
    rows: dict[str, int] = {}
    for k, entity in enumerate(entities):
        if entity in rows:
            for tensor in (*vectors.values(), role, interval):
                tensor[k] = tensor[rows[entity]]
            continue
        rows[entity] = k
        for m, happening in enumerate(happens[entity]):
            labels = {
                "label": happening.label,
                "direction": happening.direction and ("direction", happening.direction),
                "manner": happening.manner and ("direction", happening.manner),
                "place": happening.place and ("relation", happening.place),
            }
            for name, label in labels.items():
                if label:
                    vectors[name][k, m] = encoder([label])[0]
            role[k, m], interval[k, m] = ROLES.index(happening.role), torch.tensor(happening.interval)
    return {name: tensor[None] for name, tensor in (*vectors.items(), ("role", role), ("interval", interval))}


def _read_links(found: Sequence[Link], entities: Sequence[str], encoder: LabelEncoder) -> dict[str, Tensor]:
    """The tensors of `PlannerInput` that are about links, one for each pair of instances."""
    members: dict[str, list[int]] = {}
    for k, entity in enumerate(entities):
        members.setdefault(entity, []).append(k)
    joined = [
        (link, i, j) for link in found for i in members.get(link.source, []) for j in members.get(link.target, [])
    ]
    label, verb = (torch.zeros(len(joined), encoder.width) for _ in range(2))
    for row, (link, _, _) in enumerate(joined):
        if link.label:
            label[row] = encoder([("relation", link.label)])[0]
        if link.verb:
            verb[row] = encoder([("event", link.verb)])[0]
    return {
        "link": label[None],
        "verb": verb[None],
        "link_kind": torch.tensor([LINK_KINDS.index(link.kind) for link, _, _ in joined], dtype=torch.long)[None],
        "link_ends": torch.tensor([[i, j] for _, i, j in joined], dtype=torch.long).view(1, -1, 2),
        "link_interval": torch.tensor([link.interval for link, _, _ in joined], dtype=torch.float32).view(1, -1, 2),
    }


def _ranks(drawn: Sequence[tuple[str, int]], has_boxes: np.ndarray) -> np.ndarray:
    """`PlannerInput.rank` (K, 2) of instances, which are numbered from the left; (K,) bool: whether boxes are given."""
    bound = {entity for (entity, _), given in zip(drawn, has_boxes, strict=True) if given}
    counts = Counter(entity for entity, _ in drawn)
    ranks = np.zeros((len(drawn), 2), dtype=np.int64)
    for k, (entity, instance) in enumerate(drawn):
        if counts[entity] > 1 and entity not in bound:
            ranks[k] = instance + 1, counts[entity] - instance
    return ranks.clip(0, MAX_COUNT)


def ranks_of(tracks: np.ndarray, siblings: np.ndarray, given: np.ndarray) -> np.ndarray:
    """`PlannerInput.rank` (B, K, 2) of instances whose tracks are known, however they are numbered.

    Args:
        tracks: (B, K, frames, CHANNELS) as `to_track`.
        siblings: (B, K, K), see `PlannerInput`.
        given: (B, K, frames) bool, see `PlannerInput`.
    """
    first = tracks[:, :, 0, :2] * SPREAD[:2]
    # In a column, whoever is higher comes first.
    order = first[..., 0] + _COLUMN * first[..., 1]
    like = siblings > 0
    before = (like & (order[:, None] < order[:, :, None])).sum(-1)
    count = like.sum(-1)
    bound = np.asarray(given.any(-1))
    is_free = (count > 0) & ~bound & ~(like & bound[:, None]).any(-1)
    ranks = np.stack([before + 1, count - before + 1], -1).clip(0, MAX_COUNT)
    return np.asarray(ranks * is_free[..., None])


def _read_known(drawn: Sequence[tuple[str, int]], known: Layout | None, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Given boxes as `to_track` (K, frames, CHANNELS), zeros where not given, and which are (K, frames)."""
    values = np.zeros((len(drawn), frames, CHANNELS), dtype=np.float32)
    is_known = np.zeros((len(drawn), frames), dtype=bool)
    if known is not None:
        place = {key: k for k, key in enumerate(drawn)}
        check_known(known, place)
        for track in known.tracks:
            k = place[track.entity, track.instance]
            is_known[k] = np.isfinite(track.boxes).all(-1)
            values[k, is_known[k]] = to_track(track.boxes[is_known[k]])
    return values, is_known


def check_known(known: Layout, place: dict[tuple[str, int], int]) -> None:
    """Raises UsageError if a layout has a track that is not in `place`, the drawn (entity, instance) pairs."""
    for track in known.tracks:
        if (track.entity, track.instance) not in place:
            expected = ", ".join(f"{entity}#{instance}" for entity, instance in place) or "none"
            raise UsageError(
                f"layout: track of entity {track.entity!r}, instance {track.instance}: the graph draws no such thing; "
                f"it draws {expected}"
            )


def to_track(boxes: np.ndarray) -> np.ndarray:
    """Boxes (..., CHANNELS) as `BOX_FIELDS` to about unit range: logarithms of sizes and depth, visibility -1 or 1."""
    track = np.array(boxes, dtype=np.float32)
    track[..., 2:5] = np.log(np.maximum(track[..., 2:5], [low for low, _ in _LIMITS[2:5]]))
    track[..., 5] = np.where(track[..., 5] > 0.5, 1.0, -1.0)
    return ((track - np.array(CENTRE)) / np.array(SPREAD)).astype(np.float32)


def to_boxes(track: np.ndarray) -> np.ndarray:
    """The inverse of `to_track`; visibility is the share of the box within the frame, or 0 where it is absent."""
    boxes = np.asarray(track, dtype=np.float64) * np.array(SPREAD) + np.array(CENTRE)
    boxes[..., 2:5] = np.exp(np.minimum(boxes[..., 2:5], 5.0))
    for channel, (low, high) in enumerate(_LIMITS[:5]):
        boxes[..., channel] = boxes[..., channel].clip(low, high)
    boxes[..., 5] = np.where(boxes[..., 5] > 0, share_inside(boxes).clip(0, 1), 0.0)
    return boxes.astype(np.float32)


def time_features(interval: Tensor, frames: int) -> Tensor:
    """How a happening of each interval (..., 2) lies in time: (..., 5 * frames + 2).

    In each frame: how far it has come, that squared (as things fall), the arc of a jump, whether a sudden change has
    happened, and whether it goes on; then start and end.
    """
    time = torch.from_numpy(frame_times(frames)).to(interval)
    start, end = interval[..., :1], interval[..., 1:]
    share = ((time - start) / (end - start).clamp(min=1e-3)).clamp(0, 1)
    # As `mov_ai.graph.time.change_time`.
    change = torch.where(start > 0, start, end / 2)
    inside = (time >= start) & (time <= end)
    curves = [share, share**2, 4 * share * (1 - share), (time >= change).to(share), inside.to(share)]
    return torch.cat([*curves, interval], -1)


def pad_inputs(items: Sequence[PlannerInput]) -> PlannerInput:
    """Join batches, padding instances (masked out), happenings and links with zeros."""
    return PlannerInput(**join_padded([item.tensors() for item in items]))


def agree(tracks: Tensor, graph_input: PlannerInput) -> Tensor:
    """Put known boxes into tracks (B, K, frames, CHANNELS) and bend the frames between, so that nothing jumps.

    Tracks then equal the known values where given. Elsewhere the error at the nearest known frames before and after,
    interpolated over time, is taken off; visibility is left as it is.
    """
    known = graph_input.given  # (B, K, F)
    error = (graph_input.values - tracks) * known[..., None]
    time = torch.arange(known.shape[-1], device=known.device).expand(known.shape)
    before = torch.where(known, time, -1).cummax(-1).values
    after = torch.where(known, time, known.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    has_before, has_after = before >= 0, after < known.shape[-1]
    share = ((time - before) / (after - before).clamp(min=1)).clamp(0, 1)
    # Before the first and after the last known frame, its error holds on.
    share = torch.where(has_before & has_after, share, torch.where(has_after, 1.0, 0.0))[..., None]

    def at(frame: Tensor) -> Tensor:
        place = frame.clamp(0, known.shape[-1] - 1)[..., None].expand_as(error)
        return error.gather(2, place)

    correction = (1 - share) * at(before) * has_before[..., None] + share * at(after) * has_after[..., None]
    geometry = torch.arange(CHANNELS, device=known.device) < CHANNELS - 1
    return tracks + torch.where(geometry, correction, error)
