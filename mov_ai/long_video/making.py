"""The windows of one scene made one after the other, each from the latents of the frames before it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mov_ai.diffusion.known import KnownFrames
from mov_ai.graph.slices import slice_graph, slice_layout
from mov_ai.long_video.windows import Window
from mov_ai.models.cascade import shrink
from mov_ai.models.codec import to_bytes
from mov_ai.models.conditioning import Conditioning
from mov_ai.pipeline import MovAIPipeline, Prepared, ProgressCallback, silent
from mov_ai.run_record import Clock


@dataclass(frozen=True)
class Carried:
    """Latents that the windows to come begin with, numbered as frames of the scene.

    Attributes:
        frames: their numbers, ascending.
        latents: (1, len(frames), channels, h, w) of each stage, by its longer side, on the CPU.
    """

    frames: tuple[int, ...] = ()
    latents: Mapping[int, Tensor] = field(default_factory=dict)

    def in_window(self, window: Window, size: int) -> KnownFrames | None:
        """Those of a window at a stage; None if there are none."""
        rows = [i for i, frame in enumerate(self.frames) if window.first <= frame < window.first + window.frames]
        if not rows or size not in self.latents:
            return None
        places = tuple(self.frames[row] - window.first for row in rows)
        return KnownFrames(places, self.latents[size][:, rows])

    def moved(self, by: int) -> Carried:
        """The same frames with other numbers."""
        return Carried(tuple(frame + by for frame in self.frames), self.latents)

    def before(self, other: Carried) -> Carried:
        """Both; where both have a frame, it is this one's."""
        if not other.frames or not self.frames:
            return self if self.frames else other
        rows = [i for i, frame in enumerate(other.frames) if frame not in self.frames]
        frames = [*self.frames, *(other.frames[row] for row in rows)]
        order = sorted(range(len(frames)), key=lambda i: frames[i])
        sizes = set(self.latents) & set(other.latents)
        joined = {size: torch.cat([self.latents[size], other.latents[size][:, rows]], 1)[:, order] for size in sizes}
        return Carried(tuple(frames[i] for i in order), joined)


@dataclass(frozen=True)
class MadeWindow:
    """What a window gives.

    Attributes:
        window: which one.
        frames: uint8 (n, height, width, 3): those that it brings.
        latents: (1, n, channels, h, w) of these frames, of the last stage that was made.
        carried: what the next window begins with; of the last one, the frames that another video could go on from.
    """

    window: Window
    frames: np.ndarray
    latents: Tensor
    carried: Carried


def window_conditioning(pipeline: MovAIPipeline, prepared: Prepared, window: Window) -> Conditioning:
    """What the denoiser is conditioned on in a window: its slice of the timeline, its boxes, the whole caption."""
    frames = prepared.request.shape.frames
    part = slice_graph(prepared.graph, (window.first / frames, (window.first + window.frames) / frames))
    layout = None if prepared.layout is None else slice_layout(prepared.layout, window.first, window.frames)
    text = pipeline.text_read(prepared.graph)
    return pipeline.encode(part.graph, layout, window.frames, text, part.spans)


def make_windows(
    pipeline: MovAIPipeline,
    prepared: Prepared,
    start: int,
    windows: Sequence[Window],
    carried: Carried,
    given: Carried,
    overlap: int,
    clock: Clock | None = None,
    report: ProgressCallback | None = None,
) -> Iterator[MadeWindow]:
    """Make windows in order, one at a time: memory holds one of them, however many there are.

    Args:
        prepared: the scene, of as many frames as all windows cover.
        start: number of the scene's first frame in the whole video: it decides the noise.
        windows: those that are left to make.
        carried: what the first of them begins with.
        given: frames that the user gives, anywhere in the scene.
        overlap: frames that are carried on at the end of the last window.
        clock: told the seconds of each part. report: told each step.

    Raises:
        MovAIError: if latents or frames are not finite.
    """
    clock, report = clock or Clock(), report or silent
    all_after = {window.number: following.first for window, following in itertools.pairwise(windows)}
    for window in windows:
        with clock.part("plan"):
            conditioning = window_conditioning(pipeline, prepared, window)
        known = carried.before(given)
        latents, frames = _make_window(pipeline, prepared, start, window, conditioning, known, clock, report)
        end = window.first + window.frames
        keep = range(all_after.get(window.number, end - min(overlap, window.frames)), end)
        places = [frame - window.first for frame in keep]
        carried = Carried(tuple(keep), {size: made[:, places].contiguous() for size, made in latents.items()})
        yield MadeWindow(window, frames, latents[max(latents)][:, window.brought], carried)


def _make_window(
    pipeline: MovAIPipeline,
    prepared: Prepared,
    start: int,
    window: Window,
    conditioning: Conditioning,
    known: Carried,
    clock: Clock,
    report: ProgressCallback,
) -> tuple[dict[int, Tensor], np.ndarray]:
    """Latents of every stage, (1, frames, channels, h, w) by longer side, and the frames that the window brings."""
    request = replace(prepared.request, shape=replace(prepared.request.shape, frames=window.frames))
    previous: Tensor | None = None
    latents: dict[int, Tensor] = {}
    stages = pipeline.stages_to_run(request)
    given = {stage.size: known.in_window(window, stage.size) for stage in stages}
    for stage, made, video in pipeline.run_stages(
        request, stages, conditioning, clock, report, known=given, start=start + window.first
    ):
        latents[stage.size], previous = made.cpu(), video
    assert previous is not None
    last = request.stages[-1]
    if last.size not in latents:
        previous = shrink(previous, last.height, last.width)
    return latents, to_bytes(previous[:, window.brought])[0].cpu().numpy()
