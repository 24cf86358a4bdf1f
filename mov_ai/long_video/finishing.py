"""From the windows of a long run to its folder: the video, what it was made from, and what can go on from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor

from mov_ai.data.video_writing import VideoWriter
from mov_ai.graph import Layout
from mov_ai.graph.files import staged_folder, write_json
from mov_ai.long_video.beginning import encoded, fitted
from mov_ai.long_video.details import KnownPicture, known_picture, with_details
from mov_ai.long_video.running import LongRun, MadeScene
from mov_ai.long_video.saving import CARRIED, save_carried
from mov_ai.result import REPLACED, VideoResult, save_outlines
from mov_ai.run_record import graph_warnings, size_warnings

#: Frames of the sheet, evenly spaced.
_SHOWN = 16


def all_frames(run: LongRun, made: Sequence[MadeScene]) -> Iterator[np.ndarray]:
    """Every frame of the video, uint8 (height, width, 3), one at a time: those that it goes on from come first.

    This is where interpolation comes in, which works on the latents of what follows without a cut, and what is known of
    given pictures beyond their latents.
    """
    for stretch in stretches(run, made):
        yield from with_details(_stretch_frames(run, made, stretch), _known_pictures(run, made, stretch))


def _stretch_frames(run: LongRun, made: Sequence[MadeScene], scenes: Sequence[int]) -> Iterator[np.ndarray]:
    """The frames of scenes that follow one another without a cut, and of what the first goes on from."""
    if run.between is not None:
        shape = made[0].prepared.request.shape
        for frames in run.between(_latents(run, made, scenes), shape.fps):
            # Of a pipeline without the stage that is asked for, the frames are larger.
            yield from fitted(frames.numpy(), shape.height, shape.width)
        return
    if scenes[0] == 0 and run.beginning is not None:
        yield from run.beginning.frames()
    for number in scenes:
        for window in made[number].windows:
            if window.end > window.begin:
                yield from run.store.frames(number, window.number)


def _known_pictures(run: LongRun, made: Sequence[MadeScene], scenes: Sequence[int]) -> list[KnownPicture]:
    """The pictures given for frames of such scenes, and the last frame of a video of which there are only pixels."""
    request = made[0].prepared.request
    first = sum(scene.frames for scene in run.scenes[: scenes[0]])
    count = sum(run.scenes[number].frames for number in scenes)
    given = {number - first: picture for number, picture in run.pictures.items() if 0 <= number - first < count}
    before = 0
    if scenes[0] == 0 and run.beginning is not None:
        before = run.beginning.count
        if not run.beginning.carried.frames:
            given[-1] = run.beginning.tail[-1]
    times = 1 if run.between is None else run.between.frames_after(2) - 1
    return [
        known_picture(run.pipeline, request, times * (before + number), picture)
        for number, picture in sorted(given.items())
    ]


def stretches(run: LongRun, made: Sequence[MadeScene]) -> list[list[int]]:
    """Numbers of the scenes that follow one another without a cut."""
    joined: list[list[int]] = []
    for number in range(len(made)):
        if number and run.settings.continuous:
            joined[-1].append(number)
        else:
            joined.append([number])
    return joined


def _latents(run: LongRun, made: Sequence[MadeScene], scenes: Sequence[int]) -> Iterator[Tensor]:
    """Latents (1, channels, h, w) of the frames of some scenes, and of what the first goes on from."""
    device = run.pipeline.device
    if scenes[0] == 0 and run.beginning is not None:
        for frame in run.beginning.frames():
            latents = encoded(run.pipeline, made[0].prepared.request, frame[None], [0]).latents
            yield latents[max(latents)][:, 0].to(device)
    for number in scenes:
        for window in made[number].windows:
            if window.end > window.begin:
                yield from run.store.latents(number, window.number).to(device).unbind(1)


def _count(run: LongRun, made: Sequence[MadeScene]) -> int:
    """Frames of the finished video."""
    before = 0 if run.beginning is None else run.beginning.count
    if run.between is None:
        total = before + run.frames
    else:
        counts = [sum(run.scenes[number].frames for number in stretch) for stretch in stretches(run, made)]
        counts[0] += before
        total = sum(run.between.frames_after(count) for count in counts)
    return total if run.most is None else min(total, before + run.most)


def save_run(run: LongRun, made: Sequence[MadeScene], folder: Path, boxes: bool = False) -> VideoResult:
    """Write a run's folder, all or nothing, once all windows are made.

    It holds what `VideoResult.save` writes, but for the earlier stages' videos; of several scenes, graph and layout of
    each are in `scenes/`. `carried.safetensors` is what `--extend` goes on from.

    Returns:
        The result with the sheet's frames only, for what is said of it.

    Raises:
        MovAIError: if it cannot be written, or a window cannot be read.
    """
    request = made[0].prepared.request
    before = 0 if run.beginning is None else run.beginning.count
    total = _count(run, made)
    fps = request.shape.fps if run.between is None else run.between.fps_after(request.shape.fps)
    shown = np.unique(np.linspace(0, total - 1, min(_SHOWN, total)).round().astype(int)).tolist()
    picked: list[np.ndarray] = []
    with staged_folder(folder, "run.json", REPLACED) as staged:
        height, width = request.shape.height, request.shape.width
        with VideoWriter(staged / "video.mp4", height, width, fps) as writer:
            for number, frame in enumerate(islice(all_frames(run, made), total)):
                writer.add(frame[None])
                if number in shown:
                    picked.append(frame)
        # Of an interpolated video, the frames that boxes are known of are others.
        numbers = [number - before for number in shown] if run.between is None else [-1]
        result = _result(run, made, np.stack(picked), numbers, fps)
        result.run["frames"], result.run["frames_before"] = total - before, before
        for number, scene in enumerate(made, start=1):
            place = staged if len(made) == 1 else staged / f"scenes/{number:02d}"
            place.mkdir(parents=True, exist_ok=True)
            scene.prepared.graph.save(place / "graph.json")
            _own_layout(scene).save(place / "layout.json")
            save_outlines(place, _own_layout(scene), height, width)
        result.sheet(boxes=boxes).save(staged / "sheet.png")
        carried = run.store.progress().carried
        # Of an interpolated video, the keyframes: other frames, and further apart, than its last ones.
        if carried.frames and run.between is None:
            save_carried(staged / CARRIED, carried)
        write_json(staged / "run.json", result.run)
    run.store.remove()
    return result


def _own_layout(scene: MadeScene) -> Layout:
    """The boxes of all frames of a scene, those that it shares with the one before it among them."""
    return scene.prepared.layout or Layout(scene.prepared.request.shape.frames)


def _result(
    run: LongRun, made: Sequence[MadeScene], picked: np.ndarray, numbers: Sequence[int], fps: float
) -> VideoResult:
    first = made[0].prepared
    request, pipeline = first.request, run.pipeline
    layout = Layout(len(picked))
    if len(made) == 1 and min(numbers) >= 0:
        rows = [number + made[0].led for number in numbers]
        tracks = [replace(track, boxes=track.boxes[rows]) for track in _own_layout(made[0]).tracks]
        layout = Layout(len(rows), tracks)
    last = request.stages[-1].size
    result = VideoResult(picked, {last: picked}, {}, first.graph, layout, fps=fps)
    messages: list[str] = []
    distant: list[str] = []
    for scene in made:
        graph = scene.prepared.graph
        far = pipeline.distant_labels(graph)
        distant += [label for label in far if label not in distant]
        # The number of frames is the windows' business.
        shape = replace(request.shape, frames=pipeline.shape.frames)
        said = [
            *scene.prepared.messages,
            *size_warnings(pipeline.cascade.config, pipeline.shape, shape, request.stages),
        ]
        messages += [line for line in (*said, *graph_warnings(graph, far)) if line not in messages]
    settings = run.settings
    result.run = pipeline.record(
        result,
        request,
        settings.quality,
        distant,
        first.verdict,
        messages,
        run.clock,
        shape=asdict(replace(request.shape, frames=run.frames)),
        overlap=settings.overlap,
        window=settings.window or pipeline.shape.frames,
        continuous=settings.continuous,
    )
    result.run |= first.given
    result.run["scenes"] = [
        {"prompt": scene.prepared.graph.caption, "frames": each.frames, "windows": len(scene.windows)}
        for scene, each in zip(made, run.scenes, strict=True)
    ]
    return result
