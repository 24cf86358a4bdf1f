"""A long video from its scenes to its windows: in order, each window kept as soon as it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from torch import Tensor

from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.hints import Hints
from mov_ai.graph.video_shape import VideoShape
from mov_ai.long_video.beginning import Beginning, continued_layout, encoded, require_frames_of_their_own
from mov_ai.long_video.making import Carried, make_windows
from mov_ai.long_video.saving import Progress, UnfinishedRun
from mov_ai.long_video.windows import OVERLAP, Window, plan_windows
from mov_ai.pipeline import MovAIPipeline, Prepared, ProgressCallback
from mov_ai.run_record import Clock

#: Called as `callback(frames that are done, of how many)` after each window.
WindowCallback = Callable[[int, int], None]


class Between(Protocol):
    """Puts frames between those of a video, on its latents, once all windows are made."""

    def frames_after(self, frames: int) -> int:
        """How many frames come of so many that follow one another without a cut."""
        ...

    def fps_after(self, fps: float) -> float:
        """Frames a second of the result; it lasts as long."""
        ...

    def __call__(self, latents: Iterable[Tensor], fps: float) -> Iterator[Tensor]:
        """Latents (1, channels, h, w), one a frame, to frames uint8 (a few, height, width, 3), held a few at a time."""
        ...


@dataclass(frozen=True)
class Scene:
    """One scene of a video.

    Attributes:
        prompt: a sentence, or a scene graph; its times are the scene's own.
        frames: that it brings.
        layout: box tracks of as many frames; boxes not given are planned.
        hints: drawings and a sound, on the scene's own clock; only of a scene that goes on from nothing.
    """

    prompt: str | SceneGraph
    frames: int
    layout: Layout | None = None
    hints: Hints | None = None


@dataclass(frozen=True)
class LongSettings:
    """How the scenes are made; what has no words here is as in `MovAIPipeline.__call__`.

    Attributes:
        shape: frame rate and size; its number of frames says nothing.
        overlap: frames that two windows share.
        window: frames of a window, at most the pipeline's own number.
        continuous: whether each scene begins with the last frames of the one before; False cuts between them.
    """

    shape: VideoShape
    seed: int = 0
    steps: int | Sequence[int] | None = None
    guidance_text: float | None = None
    guidance_graph: float | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    quality: str = "default"
    stages: int | Sequence[int] | None = None
    threshold: float = 0.0
    overlap: int = OVERLAP
    window: int | None = None
    continuous: bool = False


@dataclass(frozen=True)
class MadeScene:
    """A scene as it was made.

    Attributes:
        prepared: graph, boxes and request, of `led` more frames than the scene brings: those of the one before.
        led: how many.
        windows: of these frames.
    """

    prepared: Prepared
    led: int
    windows: list[Window]


@dataclass
class LongRun:
    """All of one request.

    Attributes:
        pipeline: makes the windows.
        scenes: in order, at least one.
        settings: of all of them.
        store: where windows are kept.
        beginning: a video that the first scene goes on from.
        pictures: frames that are given, uint8 (h, w, 3) of any size, by their numbers in the new video.
        between: interpolation, for which the latents of all frames are kept; None for none.
        most: frames that are written, after those of the beginning; None for all.
        clock: seconds of each part.
    """

    pipeline: MovAIPipeline
    scenes: Sequence[Scene]
    settings: LongSettings
    store: UnfinishedRun
    beginning: Beginning | None = None
    pictures: Mapping[int, np.ndarray] = field(default_factory=dict)
    between: Between | None = None
    most: int | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def frames(self) -> int:
        """That the scenes bring; those of the beginning are not counted."""
        return sum(scene.frames for scene in self.scenes)

    def make(self, report: ProgressCallback, after_window: WindowCallback) -> list[MadeScene]:
        """Make every window that is not there yet.

        Returns:
            The scenes.

        Raises:
            UsageError, MovAIError: as a call of the pipeline.
        """
        if self.frames > self.pipeline.shape.frames or self.beginning is not None or len(self.scenes) > 1:
            require_frames_of_their_own(self.pipeline)
        progress, done = self.store.progress(), 0
        carried = Carried() if self.beginning is None else self.beginning.carried
        made: list[MadeScene] = []
        for number, scene in enumerate(self.scenes):
            current = self._prepared(number, scene, made, report)
            made.append(current)
            if number == progress.scene and (progress.window or number):
                carried = progress.carried
            if number >= progress.scene:
                carried = self._make_scene(number, done, current, carried, progress, report, after_window)
            done += scene.frames
        return made

    def _prepared(self, number: int, scene: Scene, made: Sequence[MadeScene], report: ProgressCallback) -> MadeScene:
        """Parse and plan a scene, whose things begin where those of the one before end if it goes on from there."""
        pipeline, settings = self.pipeline, self.settings
        before: tuple[SceneGraph | None, Layout | None] = (None, None)
        led = 0
        if number == 0 and self.beginning is not None:
            led = min(settings.overlap, len(self.beginning.tail))
            before = self.beginning.graph, self.beginning.layout
        elif number > 0 and settings.continuous:
            prepared = made[-1].prepared
            led = min(settings.overlap, prepared.request.shape.frames)
            before = prepared.graph, prepared.layout
        prompt, layout = scene.prompt, scene.layout
        messages: list[str] = []
        if led:
            prompt, messages = pipeline.read(prompt, settings.seed, settings.threshold)
            grid = 16 if pipeline.planner is None else pipeline.planner.config.frames
            layout = continued_layout(prompt, scene.frames + led, led, grid, before, layout)
            if pipeline.planner is None and layout is not None and not layout.complete:
                layout = None
        shape = replace(settings.shape, frames=scene.frames + led)
        guidance = pipeline.guidance(settings.guidance_text, settings.guidance_graph, settings.guidance_interval)
        request = pipeline.check(
            settings.seed, layout, shape, settings.steps, guidance, settings.stages, None, None, settings.quality
        )
        prepared = pipeline.prepare(prompt, request, layout, settings.threshold, self.clock, report, scene.hints)
        prepared.messages[:0] = messages
        window = settings.window or pipeline.shape.frames
        windows = plan_windows(shape.frames, window, settings.overlap, led)
        return MadeScene(prepared, led, windows)

    def _make_scene(
        self,
        number: int,
        done: int,
        scene: MadeScene,
        carried: Carried,
        progress: Progress,
        report: ProgressCallback,
        after_window: WindowCallback,
    ) -> Carried:
        """Make a scene's windows from the first that is missing on; what another scene goes on from."""
        settings, prepared = self.settings, scene.prepared
        total = prepared.request.shape.frames
        first = progress.window if number == progress.scene else 0
        if first == 0:
            carried = self._led(number, scene, carried)
        start = (0 if self.beginning is None else self.beginning.count) + done - scene.led
        given = self._given(done, scene)
        made_windows = make_windows(
            self.pipeline,
            prepared,
            start,
            scene.windows[first:],
            carried,
            given,
            settings.overlap,
            self.clock,
            report,
        )
        for made in made_windows:
            is_last = made.window is scene.windows[-1]
            carried = made.carried.moved(-total) if is_last else made.carried
            following = (
                Progress(number + 1, 0, carried) if is_last else Progress(number, made.window.number + 1, carried)
            )
            kept = None if self.between is None else made.latents
            self.store.put(number, made.window.number, made.frames, settings.shape.fps, following, kept)
            after_window(done + made.window.end - scene.led, self.frames)
        return carried

    def _led(self, number: int, scene: MadeScene, carried: Carried) -> Carried:
        """What a scene begins with, from what the one before left, which is numbered from its end."""
        if not scene.led:
            return Carried()
        if number == 0 and self.beginning is not None and not carried.frames:
            tail = self.beginning.tail[-scene.led :]
            return encoded(self.pipeline, scene.prepared.request, tail, range(scene.led))
        return carried.moved(scene.led)

    def _given(self, done: int, scene: MadeScene) -> Carried:
        """The pictures of a scene, numbered as its frames."""
        last = scene.prepared.request.shape.frames - scene.led
        given = Carried()
        for frame, picture in sorted(self.pictures.items()):
            if done <= frame < done + last:
                here = encoded(self.pipeline, scene.prepared.request, picture[None], [frame - done + scene.led])
                given = given.before(here)
        return given
