"""From a scene graph, a layout and a caption to the tensors that the denoiser is conditioned on.

No word is known here: every label comes as a vector from a label encoder (`mov_ai.labels`), whatever the word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.graph import ATTRIBUTE_KINDS, EDGE_TYPES, NODE_TYPES, Layout, Node, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.outline import filled
from mov_ai.graph.time import Interval, frame_times
from mov_ai.labels.coverage import SCENE_FIELDS, node_role
from mov_ai.labels.encoder import LabelEncoder
from mov_ai.labels.pretrained import MAX_TOKENS

#: Kinds of nodes and links that no training world has: the name in the graph -> the one that networks read it as.
_READ_AS = {"text": "other", "receiver": "location"}
if TYPE_CHECKING:
    from typing_extensions import Self

#: Index 0 is "none".
NODE_KINDS = ("", *(name for name in ATTRIBUTE_KINDS if name not in _READ_AS))
_LINKS = tuple(name for name in EDGE_TYPES if name not in _READ_AS)
#: Each edge type in both directions.
EDGES = ("", *_LINKS, *(f"{name}^" for name in _LINKS))
#: Words of a caption that are read: as many as a pretrained encoder's tokens, for both have the same positions.
MAX_WORDS = MAX_TOKENS
#: Attributes and events of one entity that are painted.
MAX_ATTRIBUTES, MAX_EVENTS = 12, 8
#: The greatest count that networks tell from the one below. What a graph draws may be more; a network's size stays.
COUNTS_READ = 8
#: Cells along each side of an outline's box.
OUTLINE_CELLS = 64
#: What an entity can be in an event that is painted.
EVENT_ROLES = ("agent", "patient")
_WORD = re.compile(r"[^\W_]+(?:'\w+)?|[^\w\s]", re.UNICODE)


@dataclass
class TensorBatch:
    """A dataclass of tensors whose first axis is the batch."""

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name."""
        return dict(vars(self))

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        return replace(self, **{name: tensor.to(device) for name, tensor in self.tensors().items()})


@dataclass
class Conditioning(TensorBatch):
    """A batch of B conditions: N nodes, E labelled edges, T text tokens, K entity instances, A attributes, V events,
    F frames.

    Label vectors have the label encoder's width W; a row of zeros is no label. Integers are int64.

    Attributes:
        node_type, node_kind, node_count, node_negated: (B, N).
        node_label, node_direction: (B, N, W) float; the second holds an event's direction and manner.
        node_interval: (B, N, 2) float, when the node holds.
        node_mask: (B, N) bool.
        edges: (B, N, N), index into `EDGES` of the link from row to column; of several types, that of the last edge.
        more_edges: (B, M, 3), row, column and index into `EDGES` of each further type of a link; zeros are none.
        link_ends: (B, E, 2), rows of the nodes that a labelled edge joins, source first.
        link_label: (B, E, W) float.
        scene: (B, 4, W) float, the scene's words in the order of `SCENE_FIELDS`.
        text_features: (B, T, text width) float: the words' label vectors, or `PretrainedText`'s.
        boxes: (B, K, F, 6) float, as `mov_ai.graph.BOX_FIELDS`; visibility 0 where there is no instance.
        outside: (B, K, S, S) float, what of each cell of a grid over an instance's box is outside its outline; zeros
            where no outline is known, and S is 0 where none is of any instance.
        entity: (B, K, W) float, each instance's own label.
        attribute: (B, K, A, W) float, labels of its attributes. attribute_holds: (B, K, A, F) float, 1 in the frames in
            which the attribute holds.
        entity_node: (B, K), row of each instance's entity among the nodes.
        event_node, event_role: (B, K, V), row of each event that the instance takes part in, and index into
            `EVENT_ROLES`. event_progress: (B, K, V, F) float, how far the event has come in a frame, above 0 and at
            most 1; 0 where it does not go on.
        keep_text, keep_graph, keep_layout: (B,) bool; what was not dropped.
        fps: (B,) float, frames a second of the video; 0 where it is not known.
    """

    node_type: Tensor
    node_kind: Tensor
    node_count: Tensor
    node_negated: Tensor
    node_label: Tensor
    node_direction: Tensor
    node_interval: Tensor
    node_mask: Tensor
    edges: Tensor
    more_edges: Tensor
    link_ends: Tensor
    link_label: Tensor
    scene: Tensor
    text_features: Tensor
    boxes: Tensor
    outside: Tensor
    entity: Tensor
    attribute: Tensor
    attribute_holds: Tensor
    entity_node: Tensor
    event_node: Tensor
    event_role: Tensor
    event_progress: Tensor
    keep_text: Tensor
    keep_graph: Tensor
    keep_layout: Tensor
    fps: Tensor

    def __len__(self) -> int:
        return self.scene.shape[0]

    def drop(self, text: Tensor, graph: Tensor, layout: Tensor) -> Conditioning:
        """Without the text, the graph (layout included) or the layout of the samples marked True; each (B,) bool."""
        return replace(
            self,
            keep_text=self.keep_text & ~text,
            keep_graph=self.keep_graph & ~graph,
            keep_layout=self.keep_layout & ~layout & ~graph,
        )

    def cut(self, first: int, frames: int) -> Conditioning:
        """Some frames only, for networks that read what holds in a frame and no interval."""
        names = ("attribute_holds", "event_progress")
        part = {name: getattr(self, name)[..., first : first + frames] for name in names}
        return replace(self, boxes=self.boxes[:, :, first : first + frames], **part)

    def without(self, *, text: bool = False, graph: bool = False, layout: bool = False) -> Conditioning:
        """A copy with the text, the graph (layout included) or the layout of every sample dropped."""
        every = torch.ones_like(self.keep_text)
        return self.drop(every & text, every & graph, every & layout)


def join_padded(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Batches of the same tensors as one; every axis but the first is padded with zeros, which mean "none"."""
    joined = {}
    for name in items[0]:
        tensors = [item[name] for item in items]
        target = [max(t.shape[d] for t in tensors) for d in range(1, tensors[0].ndim)]
        padded = []
        for tensor in tensors:
            pads = [n for d in range(tensor.ndim - 1, 0, -1) for n in (0, target[d - 1] - tensor.shape[d])]
            padded.append(functional.pad(tensor, pads))
        joined[name] = torch.cat(padded)
    return joined


def collate(items: Sequence[Conditioning]) -> Conditioning:
    """Join batches, padding nodes, links, words, instances and attributes with zeros."""
    return Conditioning(**join_padded([item.tensors() for item in items]))


def condition(
    graph: SceneGraph,
    layout: Layout | None,
    encoder: LabelEncoder,
    frames: int = 16,
    text_features: Tensor | None = None,
    times: np.ndarray | None = None,
    spans: Mapping[str, Interval] | None = None,
) -> Conditioning:
    """What the denoiser sees of one graph: computable from graph and layout alone (the text is the graph's caption).

    Args:
        layout: complete box tracks, or None to leave the layout out.
        frames: of the video; ValueError if the layout has another number.
        text_features: (1, T, text width) from `PretrainedText`, or None for the caption's words as label vectors.
        times: the middles of the latent frames on [0, 1], as `AnyCodec.latent_times` gives them, where the codec
            compresses time: the result's F is their number, and boxes and intervals are as they are then. None where
            every frame has latents of its own.
        spans: of a part of a longer video, the whole intervals of its events by their ids, on the part's clock, as
            `mov_ai.graph.slices.GraphSlice` has them; None for the events' own.
    """
    if layout is not None and layout.frames != frames:
        raise ValueError(f"layout: expected {frames} frames, found {layout.frames}")
    nodes = graph.nodes
    index = {node.id: i for i, node in enumerate(nodes)}
    edges = torch.zeros(len(nodes), len(nodes), dtype=torch.long)
    types = set()
    for edge in graph.edges:
        source, target = index[edge.source], index[edge.target]
        link = _READ_AS.get(edge.type, edge.type)
        for start, end, name in ((source, target, link), (target, source, f"{link}^")):
            edges[start, end] = EDGES.index(name)
            types.add((start, end, EDGES.index(name)))
    more = sorted(entry for entry in types if edges[entry[:2]] != entry[2])
    labelled = [edge for edge in graph.edges if edge.label is not None]
    ends = [[index[edge.source], index[edge.target]] for edge in labelled]
    drawn = drawn_entities(graph)
    entities = [entity for entity, _ in drawn]
    times = frame_times(frames) if times is None else times
    if layout is not None and len(times) != frames:
        layout = layout.sampled(times)
    boxes = torch.zeros(max(1, len(drawn)), len(times), 6)
    for k, (entity, instance) in enumerate(drawn):
        track = layout.track(entity, instance) if layout is not None else None
        if track is not None:
            boxes[k] = torch.from_numpy(np.nan_to_num(track.boxes))
    outside = outlines_left_out(layout, drawn)
    attribute, holds = painted_attributes(graph, entities, encoder, times)
    events = painted_events(graph, entities, index, times, spans)
    if text_features is None:
        text_features = word_vectors(graph.caption, encoder)
    scene = graph.of_type("scene")[0]

    def column(values: list[int]) -> Tensor:
        return torch.tensor([values], dtype=torch.long)

    yes = torch.ones(1, dtype=torch.bool)
    return Conditioning(
        node_type=column([NODE_TYPES.index(n.type) for n in nodes]),
        node_kind=column(
            [NODE_KINDS.index(_READ_AS.get(n.kind, n.kind)) if n.type == "attribute" else 0 for n in nodes]
        ),
        node_count=column([min(n.count, COUNTS_READ) for n in nodes]),
        node_negated=column([int(n.negated) for n in nodes]),
        node_label=encoder([(node_role(n), n.label) for n in nodes])[None],
        node_direction=torch.stack([direction_vector(n, encoder) for n in nodes])[None],
        node_interval=torch.tensor(
            [[latent_interval(node_interval(graph, n), times, frames) for n in nodes]], dtype=torch.float32
        ),
        node_mask=torch.ones(1, len(nodes), dtype=torch.bool),
        edges=edges[None],
        more_edges=torch.tensor(more, dtype=torch.long).view(1, -1, 3),
        link_ends=torch.tensor(ends, dtype=torch.long).view(1, -1, 2),
        link_label=optional_vectors([("relation", edge.label) for edge in labelled], encoder)[None],
        scene=optional_vectors([(name, " ".join(scene.words(name)) or None) for name in SCENE_FIELDS], encoder)[None],
        text_features=text_features,
        boxes=boxes[None].float(),
        outside=outside[None],
        entity=optional_vectors([("entity", graph.node(e).label) for e in entities] or [("entity", None)], encoder)[
            None
        ],
        attribute=attribute[None],
        attribute_holds=holds[None],
        entity_node=column([index[e] for e in entities] or [0]),
        event_node=events[0][None],
        event_role=events[1][None],
        event_progress=events[2][None],
        keep_text=yes.clone(),
        keep_graph=yes.clone(),
        keep_layout=yes.clone() if layout is not None else ~yes,
        fps=torch.tensor([0.0 if layout is None or layout.shape is None else layout.shape.fps]),
    )


def outlines_left_out(layout: Layout | None, drawn: Sequence[tuple[str, int]]) -> Tensor:
    """`Conditioning.outside` of the instances that are drawn, (K, S, S); K is at least 1."""
    tracks = [] if layout is None else [layout.track(entity, instance) for entity, instance in drawn]
    outlines = {k: track.outline for k, track in enumerate(tracks) if track is not None and track.outline is not None}
    cells = OUTLINE_CELLS if outlines else 0
    outside = torch.zeros(max(1, len(drawn)), cells, cells)
    for k, outline in outlines.items():
        outside[k] = 1 - torch.from_numpy(filled(outline, cells))
    return outside


def node_interval(graph: SceneGraph, node: Node) -> tuple[float, float]:
    """When a node holds: an attribute, as long as its edge."""
    held = graph.edges_to(node.id, "has_attribute") if node.type == "attribute" else []
    return held[0].interval if held else node.interval


def latent_interval(interval: Interval, times: np.ndarray, frames: int) -> Interval:
    """An interval on a clock by which latent frames are evenly spaced, as the denoiser takes them to be.

    Args:
        interval: on [0, 1].
        times: the middles of the latent frames.
        frames: of the video; with as many latent frames the clock is the same.
    """
    if len(times) == frames:
        return interval
    start, end = np.interp(interval, [0, *times, 1], [0, *frame_times(len(times)), 1])
    return float(start), float(end)


def optional_vectors(labels: Sequence[tuple[str, str | None]], encoder: LabelEncoder) -> Tensor:
    """(n, W) label vectors of (role, label) pairs, zeros where the label is None."""
    vectors = torch.zeros(len(labels), encoder.width)
    labelled = [i for i, (_, label) in enumerate(labels) if label is not None]
    if labelled:
        vectors[labelled] = encoder([(role, str(label)) for role, label in (labels[i] for i in labelled)])
    return vectors


def direction_vector(node: Node, encoder: LabelEncoder) -> Tensor:
    """(W,): the sum of an event's direction and manner, zeros where neither is said."""
    return optional_vectors([("direction", node.direction), ("direction", node.manner)], encoder).sum(0)


def word_vectors(caption: str, encoder: LabelEncoder) -> Tensor:
    """(1, T, W): the label vectors of a caption's words and punctuation; one row of zeros for an empty caption."""
    words = _WORD.findall(caption)[:MAX_WORDS]
    return encoder([("word", word) for word in words])[None] if words else torch.zeros(1, 1, encoder.width)


def painted_attributes(
    graph: SceneGraph, entities: Sequence[str], encoder: LabelEncoder, times: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Labels of the attributes of each entity, and the frames in which they hold; negated ones are left out.

    Args:
        entities: ids, one for each instance that is drawn; an empty list counts as one entity without attributes.
        times: middles of the frames; an attribute holds in a frame whose middle lies in its edge's interval.

    Returns:
        (K, A, W) and (K, A, F) float; A is at least 1.
    """
    per_entity = [
        [(node.label, edge.interval) for node, edge in graph.attributes(e) if not node.negated][:MAX_ATTRIBUTES]
        for e in entities
    ] or [[]]
    most = max(1, *(len(attributes) for attributes in per_entity))
    vectors, holds = torch.zeros(len(per_entity), most, encoder.width), torch.zeros(len(per_entity), most, len(times))
    time = torch.from_numpy(times).float()
    for k, attributes in enumerate(per_entity):
        for a, (label, (start, end)) in enumerate(attributes):
            vectors[k, a] = encoder([("attribute", label)])[0]
            holds[k, a] = ((time >= start) & ((time < end) | (end >= 1))).float()
    return vectors, holds


def painted_events(
    graph: SceneGraph,
    entities: Sequence[str],
    index: Mapping[str, int],
    times: np.ndarray,
    spans: Mapping[str, Interval] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The events that each entity takes part in, and how far they have come; negated ones are left out.

    Args:
        entities: ids, as for `painted_attributes`.
        index: row of each node.
        times: middles of the frames; an event goes on in a frame whose middle lies in its interval.
        spans: intervals of events that go on beyond the frames, see `condition`.

    Returns:
        `event_node` and `event_role`, (K, V), and `event_progress`, (K, V, F), of one `Conditioning`; V is at least 1.
    """
    per_entity = [
        [
            (graph.node(edge.source), role)
            for role, kind in enumerate(EVENT_ROLES)
            for edge in graph.edges_to(entity, kind)
            if not graph.node(edge.source).negated
        ][:MAX_EVENTS]
        for entity in entities
    ] or [[]]
    most = max(1, *(len(events) for events in per_entity))
    rows, roles = (torch.zeros(len(per_entity), most, dtype=torch.long) for _ in range(2))
    progress = torch.zeros(len(per_entity), most, len(times))
    time = torch.from_numpy(times).float()
    for k, events in enumerate(per_entity):
        for v, (event, role) in enumerate(events):
            start, end = (spans or {}).get(event.id, event.interval)
            share = ((time - start) / max(end - start, 1e-3)).clamp(min=1e-3)
            rows[k, v], roles[k, v] = index[event.id], role
            progress[k, v] = share * ((time >= start) & ((time < end) | (end >= 1)))
    return rows, roles, progress.clamp(max=1)
