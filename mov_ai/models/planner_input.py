"""What the planner sees: a scene graph's labels, times and relations as tensors, and box tracks as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.graph import BOX_FIELDS, Interval, Layout, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.time import frame_times
from mov_ai.labels.encoder import LabelEncoder
from mov_ai.models.conditioning import COUNTS_READ, TensorBatch, join_padded, optional_vectors

CHANNELS = len(BOX_FIELDS)
#: Kinds of attributes that change no box.
APPEARANCE_KINDS = ("color", "material", "texture", "text")
#: What an entity is to an event; index 0 is an attribute of the entity instead of an event.
ROLES = ("", "agent", "patient", "instrument", "location")
#: Rough centre and spread of (x, y, log w, log h, log depth, visibility as -1 or 1); the data's own are measured.
CENTRE, SPREAD = (0.5, 0.55, -1.5, -1.4, 1.9, 0.0), (0.2, 0.15, 0.3, 0.3, 0.2, 1.0)
_LIMITS = ((-2.0, 3.0), (-2.0, 3.0), (0.004, 4.0), (0.004, 4.0), (0.05, 100.0), (0.0, 1.0))


@dataclass
class PlannerInput(TensorBatch):
    """What the planner sees of B graphs with K instances, M happenings an instance, R relations; W is labels' width.

    A happening is an event that has the instance as an argument, or an attribute of it.

    Attributes:
        entity: (B, K, W) float, the instance's label.
        count: (B, K) of the instance's entity, at most `COUNTS_READ`.
        label, direction, manner: (B, K, M, W) float, of each happening; zeros where there is none or none is said.
        role: (B, K, M), index into `ROLES`.
        interval: (B, K, M, 2) float.
        relation: (B, R, W) float. relation_ends: (B, R, 2), instances; relation_start: (B, R) float.
        siblings: (B, K, K) float, 1 for two instances of one entity.
        values: (B, K, frames, CHANNELS) float, given boxes as `to_track`; 0 where not given.
        given: (B, K, frames) bool.
        mask: (B, K) bool, whether there is such an instance.
    """

    entity: Tensor
    count: Tensor
    label: Tensor
    direction: Tensor
    manner: Tensor
    role: Tensor
    interval: Tensor
    relation: Tensor
    relation_ends: Tensor
    relation_start: Tensor
    siblings: Tensor
    values: Tensor
    given: Tensor
    mask: Tensor

    def repeat(self, times: int) -> PlannerInput:
        """The batch `times` over."""
        return PlannerInput(**{n: t.repeat(times, *[1] * (t.ndim - 1)) for n, t in self.tensors().items()})


def happenings(graph: SceneGraph, entity: str) -> list[tuple[str, str, str, Interval]]:
    """(role of `ROLES`, node id, kind of node, interval) of all that concerns an entity's boxes; no looks, nothing
    negated.
    """
    nodes = {node.id: node for node in graph.nodes}
    result = []
    for edge in graph.edges:
        if edge.target == entity and edge.type in ROLES and not nodes[edge.source].negated:
            result.append((edge.type, edge.source, "event", nodes[edge.source].interval))
        if edge.source == entity and edge.type == "has_attribute":
            node = nodes[edge.target]
            if not node.negated and node.kind not in APPEARANCE_KINDS:
                result.append(("", node.id, "attribute", edge.interval))
    return result


def read_graph(graph: SceneGraph, encoder: LabelEncoder, known: Layout | None = None, frames: int = 16) -> PlannerInput:
    """What the planner sees of one graph: a batch of one, instances in the order of `drawn_entities`.

    Args:
        graph: a valid scene graph that draws at least one entity.
        known: tracks with boxes that are given, rows of NaN where not; of `frames` frames.
        frames: see `PlannerConfig.frames`.

    Raises UsageError if `known` has a track of something that the graph does not draw.
    """
    drawn = drawn_entities(graph)
    place = {key: k for k, key in enumerate(drawn)}
    nodes = {node.id: node for node in graph.nodes}
    count, width = len(drawn), encoder.width
    happens = {entity: happenings(graph, entity) for entity, _ in drawn}
    most = max(1, *(len(entries) for entries in happens.values()))
    label, direction, manner = (torch.zeros(count, most, width) for _ in range(3))
    role, interval = torch.zeros(count, most, dtype=torch.long), torch.zeros(count, most, 2)
    for k, (entity, _) in enumerate(drawn):
        for m, (name, node_id, kind, when) in enumerate(happens[entity]):
            label[k, m] = encoder([(kind, nodes[node_id].label)])[0]
            node = nodes[node_id]
            direction[k, m], manner[k, m] = optional_vectors(
                [("direction", node.direction), ("direction", node.manner)], encoder
            )
            role[k, m], interval[k, m] = ROLES.index(name), torch.tensor(when)
    members: dict[str, list[int]] = {}
    for k, (entity, _) in enumerate(drawn):
        members.setdefault(entity, []).append(k)
    relations = [
        (edge, i, j)
        for edge in graph.edges
        if edge.type in ("spatial", "relation") and edge.source != edge.target
        for i in members.get(edge.source, [])
        for j in members.get(edge.target, [])
    ]
    vectors = encoder([("relation", str(edge.label)) for edge, _, _ in relations]) if relations else None
    entities = [entity for entity, _ in drawn]
    siblings = [[float(a == b and i != j) for j, b in enumerate(entities)] for i, a in enumerate(entities)]
    values = np.zeros((count, frames, CHANNELS), dtype=np.float32)
    is_known = np.zeros((count, frames), dtype=bool)
    if known is not None:
        check_known(known, place)
        for track in known.tracks:
            k = place[track.entity, track.instance]
            is_known[k] = np.isfinite(track.boxes).all(-1)
            values[k, is_known[k]] = to_track(track.boxes[is_known[k]])
    return PlannerInput(
        entity=encoder([("entity", nodes[entity].label) for entity in entities])[None],
        count=torch.tensor([[min(nodes[entity].count, COUNTS_READ) for entity in entities]]),
        label=label[None],
        direction=direction[None],
        manner=manner[None],
        role=role[None],
        interval=interval[None],
        relation=(torch.zeros(0, width) if vectors is None else vectors)[None],
        relation_ends=torch.tensor([[i, j] for _, i, j in relations], dtype=torch.long).view(1, -1, 2),
        relation_start=torch.tensor([[edge.interval[0] for edge, _, _ in relations]], dtype=torch.float32),
        siblings=torch.tensor([siblings]),
        values=torch.from_numpy(values)[None],
        given=torch.from_numpy(is_known)[None],
        mask=torch.ones(1, count, dtype=torch.bool),
    )


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
    near, far = boxes[..., :2] - boxes[..., 2:4] / 2, boxes[..., :2] + boxes[..., 2:4] / 2
    inside = np.clip(np.clip(far, 0, 1) - np.clip(near, 0, 1), 0, None).prod(-1) / boxes[..., 2:4].prod(-1)
    boxes[..., 5] = np.where(boxes[..., 5] > 0, inside.clip(0, 1), 0.0)
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
    """Join batches, padding instances (masked out), happenings and relations with zeros."""
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
