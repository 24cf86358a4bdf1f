"""The planner's scenes as arrays: read once, with numbers for labels, and varied as they are drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.instances import drawn_entities
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.planner_input import CHANNELS, LINK_KINDS, pad_inputs, read_graph, to_boxes, to_track
from mov_ai.worlds.tabletop import lexicon
from mov_ai.worlds.tabletop.motions import motion_of, movers
from mov_ai.worlds.tabletop.scene import FRAMES
from mov_ai.worlds.tabletop.world_boxes import world_positions

#: How often scenes with a spinning cube are drawn, compared with others; and staged ones of three, of five and more.
_SPIN_REPEATS, _SOME_REPEATS, _MANY_REPEATS = 6, 2, 4
#: Tensors of a batch that hold numbers of labels.
LABELS = ("entity", "label", "direction", "manner", "place", "link", "verb")
#: Those with an instance in each row.
_BY_INSTANCE = ("entity", "count", "rank", "label", "direction", "manner", "place", "role", "interval", "mask")


class LabelTable:
    """Stands in for a label encoder while graphs are read: a label's vector is its number, from 1; 0 is no label."""

    def __init__(self) -> None:
        self.config = LabelEncoderConfig(width=1)
        self.width = 1
        self.numbers: dict[tuple[str, str], int] = {}

    def __call__(self, labels: Sequence[tuple[str, str]]) -> Tensor:
        return torch.tensor([[self.number(*label)] for label in labels], dtype=torch.float32)

    def number(self, role: str, text: str) -> int:
        """The number of a label, a new one if it is new."""
        return self.numbers.setdefault((role, text), len(self.numbers) + 1)

    def vectors(self, config: LabelEncoderConfig) -> Tensor:
        """(labels + 1, width): the vector of every number so far."""
        label_vectors = load_label_encoder(config)(list(self.numbers))
        return torch.cat([torch.zeros(1, config.width), label_vectors])

    def mirrored(self) -> np.ndarray:
        """(labels + 1,): the number of the same label with left and right exchanged, new ones included."""
        numbers = [0]
        for role, text in list(self.numbers):
            other = re.sub(r"left|right", lambda match: "left" if match.group() == "right" else "right", text)
            numbers.append(self.number(role, other))
        missing = len(self.numbers) + 1 - len(numbers)
        return np.array(numbers) if not missing else self.mirrored()


@dataclass(frozen=True)
class Pool:
    """Scenes of one kind.

    Attributes:
        arrays: what `PlannerInput` holds of each, with numbers for labels, and "tracks", "spins" and "meets".
        rows: of the scenes, each as often as it is to be drawn.
    """

    arrays: dict[str, np.ndarray]
    rows: np.ndarray


def read_pool(tellings: Sequence[tuple[SceneGraph, Layout]], staged: bool, most: int, labels: LabelTable) -> Pool:
    """Scenes of at most `most` instances, padded to that many."""
    inputs = pad_inputs([read_graph(graph, labels) for graph, _ in tellings]).tensors()
    arrays = {
        name: tensor.squeeze(-1).int().numpy() if name in LABELS else tensor.numpy()
        for name, tensor in inputs.items()
        if name not in ("values", "given")
    }
    missing = most - arrays["mask"].shape[1]
    for name in _BY_INSTANCE if missing else ():
        arrays[name] = np.pad(arrays[name], [(0, 0), (0, missing), *[(0, 0)] * (arrays[name].ndim - 2)])
    if missing:
        arrays["siblings"] = np.pad(arrays["siblings"], [(0, 0), (0, missing), (0, missing)])
    tracks = np.zeros((len(tellings), most, FRAMES, CHANNELS), dtype=np.float32)
    spins = np.zeros((len(tellings), most), dtype=bool)
    for row, (graph, gold) in enumerate(tellings):
        tracks[row, : len(gold.tracks)] = to_track(np.stack([track.boxes for track in gold.tracks]))
        spinning = {
            entity
            for event in graph.of_type("event")
            if motion_of(event.label, event.direction) == "spin"
            for entity in movers(graph, event)
        }
        spins[row, : len(gold.tracks)] = [entity in spinning for entity, _ in drawn_entities(graph)]
    meets = np.array([_says_a_meeting(graph) for graph, _ in tellings])
    # Spinning is rare, and shows only in how the width wobbles: it is seen more often, or it would not be learned. So
    # are many at once, who must leave one another room.
    often = np.where(spins.any(1), _SPIN_REPEATS, 1)
    if staged:
        number = arrays["mask"].sum(1)
        often = np.where(number >= 5, _MANY_REPEATS, np.where(number >= 3, _SOME_REPEATS, 1))
    rows = np.repeat(np.arange(len(tellings)), often)
    return Pool({**arrays, "tracks": tracks, "spins": spins, "meets": meets}, rows)


def _says_a_meeting(graph: SceneGraph) -> bool:
    """Whether a relation may be part of what happens: on a thing, or by it in depth until the end."""
    kinds = ("on", "behind", "in front of")
    return any(e.type == "spatial" and e.label in kinds and e.interval[1] == 1 for e in graph.edges)


def relate_anew(
    drawn: dict[str, np.ndarray], meets: np.ndarray | None, labels: LabelTable, rng: np.random.Generator
) -> None:
    """Replace the tabletop's relation by other true ones, or none, in most samples; only every third scene has one by
    itself.

    A relation starts with the clip or at a random frame, and is true in that frame. `meets`: (batch,) scenes whose own
    relation says what happens; None for none.
    """
    batch, count = drawn["mask"].shape
    frame = np.where(rng.random(batch) < 0.75, 0, rng.integers(FRAMES, size=batch))
    boxes = drawn["tracks"][np.arange(batch), :, frame]  # (batch, K, CHANNELS)
    place = world_positions(to_boxes(boxes).astype(np.float64))
    offset = place[:, None] - place[:, :, None]  # from row to column
    x, z = offset[..., 0], offset[..., 2]
    lateral, deep = (np.abs(x) > 0.9) & (np.abs(x) > np.abs(z)), (np.abs(z) > 0.9) & (np.abs(z) > np.abs(x))
    true = {
        "left of": lateral & (x > 0),
        "right of": lateral & (x < 0),
        "behind": deep & (z < 0),
        "in front of": deep & (z > 0),
        "next to": x**2 + z**2 < 2.4,
    }
    pairs = drawn["mask"][:, :, None] & drawn["mask"][:, None] & (drawn["siblings"] == 0) & ~np.eye(count, dtype=bool)
    kind = np.asarray(rng.random(batch))
    # Without the relation of a meeting nothing would say what is on or behind what.
    kind = kind if meets is None else np.where(meets, 0.0, kind)
    relation = LINK_KINDS.index("relation")
    found: list[list[tuple[int, int, int, list[int], list[float]]]] = []
    names = ("link", "verb", "link_kind", "link_ends", "link_interval")
    for b in range(batch):
        own = zip(*(drawn[name][b].tolist() for name in names), strict=True)
        found.append([e for e in own if e[2] and (e[2] != relation or kind[b] < 0.35)])
    for label, holds in true.items():
        numbers = [labels.number("relation", word) for word in lexicon.SPATIAL[label]]
        chosen = holds & pairs & (rng.random(holds.shape) < 0.2) & (kind >= 0.55)[:, None, None]
        for b, i, j in np.argwhere(chosen):
            start = float(frame[b]) / FRAMES
            found[b].append((int(rng.choice(numbers)), 0, relation, [int(i), int(j)], [start, 1.0]))
    most = max(1, *(len(entries) for entries in found))
    for name in names:
        old = drawn[name]
        drawn[name] = np.zeros((batch, most, *old.shape[2:]), dtype=old.dtype)
    for b, entries in enumerate(found):
        for r, entry in enumerate(entries):
            for name, value in zip(names, entry, strict=True):
                drawn[name][b, r] = value
