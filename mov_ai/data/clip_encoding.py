"""One clip to samples: decode its windows, resize, encode, join with graphs and boxes."""

from __future__ import annotations

import hashlib
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mov_ai.data.clip_windows import ClipSettings, choose_windows, open_clip, without_path
from mov_ai.data.sampling import Dropped, Window
from mov_ai.data.shard_sample import ShardSample, bucket_name
from mov_ai.errors import MovAIError
from mov_ai.graph import Layout, Node, SceneGraph, VideoShape

if TYPE_CHECKING:
    from torch import Tensor

    from mov_ai.data.clips import Clip
    from mov_ai.data.video import VideoReader

#: What the time of a clip is spent on.
PARTS = ("decode", "resize", "encode", "parse", "text", "other")


class ClipEncoder(Protocol):
    """The networks that `prepare` uses, handed in from above; built in the process that needs them, when it does."""

    def graphs(self, captions: Sequence[str]) -> list[SceneGraph | str]:
        """A scene graph for each caption, or the reason why it has none; "" if none is wanted."""

    def text(self, captions: Sequence[str]) -> list[Tensor]:
        """Features (tokens, width) of each caption; an empty list without a text encoder."""

    def latents(self, frames: np.ndarray) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """`ShardSample.latents` and `low` of uint8 (frames, height, width, 3). Raises UsageError for a wrong size."""


@dataclass
class EncodedClip:
    """What became of a clip.

    Attributes:
        clip: its key.
        samples: one of each window that can be used.
        dropped: reason and detail, for the clip or each part of it that gives no sample.
        notices: what is amiss with it though it is used.
        seconds: spent on each of `PARTS`.
    """

    clip: str
    samples: list[ShardSample] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the body's time to a part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began


@dataclass
class _Plan:
    clip: Clip
    result: EncodedClip
    size: tuple[int, int] = (0, 0)
    windows: list[Window] = field(default_factory=list)
    captions: tuple[str, ...] = ()
    graphs: tuple[SceneGraph, ...] = ()


def encode_clips(
    clips: Sequence[Clip], settings: ClipSettings, encoder: Callable[[], ClipEncoder]
) -> list[EncodedClip]:
    """Samples of some clips, parsed together; what cannot be used is dropped with its reason.

    Args:
        encoder: called only if a clip can be used.

    Raises:
        UsageError: if the sizes do not suit the encoder.
    """
    plans = [_plan(clip, settings) for clip in clips]
    usable = [plan for plan in plans if plan.windows]
    if usable:
        _parse(usable, encoder())
    for plan in usable:
        _encode(plan, settings, encoder())
    return [plan.result for plan in plans]


def _plan(clip: Clip, settings: ClipSettings) -> _Plan:
    plan = _Plan(clip, EncodedClip(clip.key))
    try:
        with plan.result.timed("decode"), _reading(clip), open_clip(clip) as reader:
            plan.size, plan.windows, dropped = choose_windows(clip, reader, settings)
        plan.result.dropped = [(part.reason, part.detail) for part in dropped]
    except Dropped as error:
        plan.result.dropped = [(error.reason, error.detail)]
    return plan


@contextmanager
def _reading(clip: Clip) -> Iterator[None]:
    """Whatever a broken file makes of its reader, the other clips go on."""
    try:
        yield
    except Dropped:
        raise
    except MovAIError as error:
        if error.exit_code != MovAIError.exit_code:
            raise
        raise Dropped("cannot be read", without_path(clip, str(error))) from None
    except (OSError, ValueError, MemoryError) as error:
        raise Dropped("cannot be read", f"{type(error).__name__}: {error}") from None


def _parse(plans: list[_Plan], encoder: ClipEncoder) -> None:
    """Fill in captions and graphs: the annotated graph with its caption, or all captions, parsed."""
    texts: list[str] = []
    for plan in plans:
        gold = plan.clip.graph
        if gold is None:
            plan.captions = plan.clip.captions
            texts += plan.captions
        else:
            plan.captions = (gold.caption or plan.clip.captions[0],)
            plan.graphs = (replace(gold, caption=plan.captions[0]),)
    began = time.perf_counter()
    with warnings.catch_warnings():
        # That a caption may be in another language stands in no place where one could act on it.
        warnings.simplefilter("ignore")
        parsed = iter(encoder.graphs(texts)) if texts else iter(())
    share = (time.perf_counter() - began) / len(plans)
    for plan in plans:
        plan.result.seconds["parse"] += share
        if not plan.graphs:
            graphs = []
            for caption in plan.captions:
                graph = next(parsed)
                if isinstance(graph, str):
                    if graph:
                        plan.result.notices.append(f"{plan.clip.key}: a caption has no graph ({graph})")
                    graph = SceneGraph(caption, [Node("scene", "scene", "scene")])
                graphs.append(graph)
            plan.graphs = tuple(graphs)


def _encode(plan: _Plan, settings: ClipSettings, encoder: ClipEncoder) -> None:
    result, clip = plan.result, plan.clip
    with result.timed("text"):
        text = tuple(encoder.text(plan.captions))
    try:
        with _reading(clip), result.timed("decode"):
            reader = open_clip(clip)
        with reader:
            for number, window in enumerate(plan.windows):
                try:
                    small = _decode(reader, window, plan, settings)
                except Dropped as error:
                    result.dropped.append((error.reason, error.detail))
                    continue
                with result.timed("encode"):
                    latents, low = encoder.latents(small)
                with result.timed("other"):
                    shape = VideoShape(len(window.times), window.fps, *plan.size)
                    sample = ShardSample(
                        sample_key(clip.key, number),
                        plan.captions,
                        _graphs_within(plan, window, reader.info.duration),
                        shape,
                        latents,
                        low,
                        None,
                        text,
                        {
                            "clip": clip.key,
                            "start": round(window.start, 6),
                            "end": round(window.end, 6),
                            "bucket": bucket_name(shape),
                        },
                    )
                    layout = _layout(plan, sample.graph, window, reader, settings)
                    result.samples.append(replace(sample, layout=layout))
            result.notices += reader.notices
    except Dropped as error:
        result.dropped.append((error.reason, error.detail))


def _decode(reader: VideoReader, window: Window, plan: _Plan, settings: ClipSettings) -> np.ndarray:
    damage = reader.damage
    with plan.result.timed("decode"), _reading(plan.clip):
        frames = reader.frames_at(window.times)
    if reader.damage != damage:
        raise Dropped("damaged", f"{window.start:.2f}-{window.end:.2f} s: {reader.damage}")
    with plan.result.timed("resize"):
        return settings.buckets.resize(frames, plan.size)


def _graphs_within(plan: _Plan, window: Window, duration: float) -> tuple[SceneGraph, ...]:
    """An annotated graph says when things happen in the clip: of a window, only what happens in it."""
    if plan.clip.graph is None:
        return plan.graphs
    from mov_ai.data.box_tracks import graph_within

    start = plan.clip.start or 0.0
    length = min(duration, duration if plan.clip.end is None else plan.clip.end) - start
    low, high = (round((moment - start) / length, 6) for moment in (window.start, window.end))
    return tuple(graph_within(graph, max(low, 0.0), min(high, 1.0)) for graph in plan.graphs)


def _layout(
    plan: _Plan, graph: SceneGraph, window: Window, reader: VideoReader, settings: ClipSettings
) -> Layout | None:
    if not plan.clip.tracks:
        return None
    from mov_ai.data.box_tracks import layout_at

    info = reader.info
    layout = layout_at(plan.clip.tracks, graph, window.times)
    layout = settings.buckets.crop_layout(layout, info.height, info.width, plan.size)
    if not layout.tracks:
        return None
    return replace(layout, shape=VideoShape(len(window.times), window.fps, *plan.size))


def sample_key(clip: str, number: int) -> str:
    """A key that WebDataset's readers take, from a clip's key and the number of its window."""
    readable = re.sub(r"[^A-Za-z0-9]+", "_", clip).strip("_")[-40:]
    return f"{readable or 'clip'}-{hashlib.sha256(clip.encode()).hexdigest()[:12]}-{number:05d}"
