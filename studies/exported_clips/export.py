"""Clips of the embedded world as a folder of MP4s with captions and boxes, and what of them comes back as shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.data.box_tracks import FARTHEST
from mov_ai.data.formats import export_layout
from mov_ai.data.shards import ShardSet
from mov_ai.data.video import read_video, write_video
from mov_ai.graph import Layout, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.world import FPS, caption_and_layout

#: Boxes that lie no farther apart are the same: the format rounds them.
BOX_TOLERANCE = 1e-3
#: Clips whose frames are compared; all have their latents compared.
_FRAMES_OF = 25


def export_clips(folder: Path, split: str, count: int, size: int) -> None:
    """Write clips 0 to count - 1 of a split: NUMBER.mp4, and NUMBER.lvd.json with the caption and the boxes.

    Clips that are there are not written again.

    Args:
        size: pixels along a side.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        video = folder / f"{seed:05d}.mp4"
        if video.is_file():
            continue
        scene, caption, layout = caption_and_layout(seed, split)
        frames, _ = render(scene, size, size)
        export_layout(layout, caption.graph, "lvd", video.with_suffix(".lvd.json"))
        write_video(video, frames.numpy(), FPS)


def clip_seed(key: str) -> int:
    """The number of the clip that a sample of the shards is of, from its key."""
    return int(key.partition("_")[0])


def as_annotated(layout: Layout) -> Layout:
    """A copy that knows of depth what annotated boxes tell: what reaches farther down in the frame is nearer."""
    tracks = []
    for track in layout.tracks:
        boxes = track.boxes.copy()
        boxes[:, 4] = FARTHEST * (1 - (boxes[:, 1] + boxes[:, 3] / 2).clip(0, 1))
        tracks.append(Track(track.entity, boxes, track.instance, track.label))
    return Layout(layout.frames, tracks, layout.shape)


def statements(graph: SceneGraph) -> list[tuple[Any, ...]]:
    """What a graph says, whatever its nodes are called: sorted nodes and edges, by labels."""

    def said(identity: str) -> str:
        return graph.node(identity).label

    nodes = [(n.type, n.label, n.count, n.negated, tuple(round(t, 2) for t in n.interval)) for n in graph.nodes]
    edges = [
        (e.type, said(e.source), e.label or "", said(e.target), tuple(round(t, 2) for t in e.interval))
        for e in graph.edges
    ]
    return sorted([*nodes, *edges], key=repr)


@dataclass(frozen=True)
class RoundTrip:
    """What came back of the exported clips.

    Attributes:
        clips: samples there are.
        captions, graphs, boxes: samples whose caption is the clip's; whose graph, which the parser made, says what the
            gold graph says; whose boxes are each at their own thing and right to `BOX_TOLERANCE`.
        psnr: of the decoded frames to those that were rendered, in dB, of the first clips.
        latent_error: mean squared difference of the latents, whose own variance is about 1.
    """

    clips: int
    captions: int
    graphs: int
    boxes: int
    psnr: float
    latent_error: float


def round_trip(folder: Path, shards: ShardSet, split: str, size: int, latents: dict[int, Any]) -> RoundTrip:
    """Compare the samples of shards with the clips that they were exported from.

    Args:
        folder: of the exported files.
        size: pixels along a side.
        latents: of each clip, encoded from what was rendered, (frames, channels, h, w).
    """
    captions = graphs = boxes = 0
    squares, pixels = [], []
    for i in range(len(shards)):
        sample = shards[i]
        seed = clip_seed(sample.key)
        scene, caption, layout = caption_and_layout(seed, split)
        captions += sample.captions == (caption.text,)
        graphs += statements(sample.graph) == statements(caption.graph)
        boxes += sample.layout is not None and same_boxes(sample.layout, sample.graph, layout, caption.graph)
        squares.append(float((sample.latents[size].float() - latents[seed]).square().mean()))
        if i < _FRAMES_OF:
            decoded, _ = read_video(folder / f"{seed:05d}.mp4")
            rendered, _ = render(scene, size, size)
            pixels.append(float(np.square(decoded.astype(np.float32) - rendered.numpy()).mean()))
    psnr = 10 * np.log10(255**2 / np.mean(pixels))
    return RoundTrip(len(shards), captions, graphs, boxes, round(float(psnr), 2), round(float(np.mean(squares)), 5))


def same_boxes(one: Layout, one_graph: SceneGraph, other: Layout, other_graph: SceneGraph) -> bool:
    """Whether two layouts place the same things alike, wherever those are to be seen; things in graph order."""
    slots, other_slots = drawn_entities(one_graph), drawn_entities(other_graph)
    if len(slots) != len(other_slots):
        return False
    for slot, other_slot in zip(slots, other_slots, strict=True):
        track, other_track = one.track(*slot), other.track(*other_slot)
        visible, other_visible = (
            np.zeros(one.frames) if t is None else np.nan_to_num(t.boxes[:, 5]) for t in (track, other_track)
        )
        if not np.allclose(visible, other_visible, atol=BOX_TOLERANCE * 10):
            return False
        seen = (visible > 0) & (other_visible > 0)
        if track is None or other_track is None:
            continue
        if not np.allclose(track.boxes[seen, :4], other_track.boxes[seen, :4], atol=BOX_TOLERANCE):
            return False
    return True
