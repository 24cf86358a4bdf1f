"""What a long video begins with or goes through: given pictures, the end of another video, boxes at that moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mov_ai.data.buckets import Buckets
from mov_ai.data.video import VideoReader, at_constant_rate, open_video
from mov_ai.errors import UsageError
from mov_ai.graph import BOX_FIELDS, Layout, SceneGraph, Track
from mov_ai.graph.instances import drawn_entities, entity_phrase
from mov_ai.graph.outline import Outline
from mov_ai.graph.slices import slice_graph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.long_video.making import Carried
from mov_ai.long_video.saving import CARRIED, load_carried
from mov_ai.models.codec import to_unit
from mov_ai.pipeline import MovAIPipeline, Request
from mov_ai.result import load_latents


@dataclass(frozen=True)
class Beginning:
    """A video that another one goes on from.

    Attributes:
        count: frames that it has.
        tail: uint8 (n, height, width, 3), its last frames, in the size of the new video.
        frames: called for all of its frames, each uint8 (height, width, 3) in that size.
        carried: latents of its last frames, numbered from its end, -1 the last; empty where only pixels are known.
        graph, layout: what it was made from, if that is known.
    """

    count: int
    tail: np.ndarray
    frames: Callable[[], Iterator[np.ndarray]]
    carried: Carried = field(default_factory=Carried)
    graph: SceneGraph | None = None
    layout: Layout | None = None


def fitted(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames uint8 (n, h, w, 3) cropped to the centre where they have another aspect, and brought to a size."""
    return Buckets(sizes=((height, width),), enlarge=1e6).resize(frames, (height, width))


def is_cropped(height: int, width: int, shape: VideoShape) -> bool:
    """Whether more than a pixel's rounding of such a picture is cut off."""
    scale = min(height / shape.height, width / shape.width)
    return height - shape.height * scale > 1 or width - shape.width * scale > 1


def encoded(pipeline: MovAIPipeline, request: Request, frames: np.ndarray, numbers: Iterable[int]) -> Carried:
    """Latents of given frames at every stage, through the pipeline's codec.

    Args:
        frames: uint8 (n, h, w, 3), of the video's aspect or cropped to it.
        numbers: of the frames in the scene, ascending.

    Raises:
        UsageError: if the codec's latents stand for several frames each.
    """
    require_frames_of_their_own(pipeline)
    latents: dict[int, Tensor] = {}
    for stage in pipeline.stages_to_run(request):
        small = to_unit(torch.from_numpy(fitted(frames, stage.height, stage.width)))[None]
        with torch.no_grad():
            latents[stage.size] = pipeline.cascade.codec.encode(small.to(pipeline.device)).float().cpu()
    return Carried(tuple(numbers), latents)


def require_frames_of_their_own(pipeline: MovAIPipeline) -> None:
    """Raises UsageError for a codec whose latents stand for several frames: windows of it do not share any."""
    factor = pipeline.cascade.codec.frame_factor
    if factor != 1:
        raise UsageError(
            f"this pipeline's codec has one latent for {factor} frames, so that windows and given pictures have none "
            f"in common: make at most {pipeline.shape.frames} frames, without --image or --extend, or use another one"
        )


def video_of(path: Path) -> Path:
    """The video's file: of a run's folder, the one in it. Raises UsageError for a run that was not finished."""
    video = path / "video.mp4"
    if (path / "run.json").is_file():
        return video
    if video.is_file():
        # Its sheet would be taken for the only frame of a folder of pictures.
        raise UsageError(f"--extend: {path}: has no run.json, so it is no finished run; give {video}")
    return path


def rate_of(path: Path) -> float:
    """Frames a second of a video, or of a run's. Raises UsageError or MovAIError if it cannot be read."""
    with open_video(video_of(path), "--extend") as reader:
        return reader.info.fps


def open_beginning(
    path: Path, shape: VideoShape, overlap: int, cells: Mapping[int, tuple[int, ...]]
) -> tuple[Beginning, list[str]]:
    """Read what `--extend` names.

    Args:
        path: a video, or a run's folder.
        shape: of the new video; its frame rate must be the old one's.
        overlap: frames that are shared.
        cells: (channels, h, w) of the latents that are needed, by the longer side of their stage.

    Returns:
        The beginning, and what is to be said of it.

    Raises:
        UsageError: if there is no such video, or it has another frame rate. MovAIError: if it cannot be read.
    """
    file = video_of(path)
    folder = None if file == path else path
    messages = []
    last: deque[np.ndarray] = deque(maxlen=overlap)
    with open_video(file, "--extend") as reader:
        height, width, fps = reader.info.height, reader.info.width, reader.info.fps
        if abs(fps - shape.fps) > 0.01 * shape.fps:
            raise UsageError(
                f"--extend: {path}: has {fps:g} frames a second, and {shape.fps:g} are asked for; give --fps {fps:g}"
            )
        count = 0
        for _, frame in at_constant_rate(reader):
            last.append(frame)
            count += 1
    if is_cropped(height, width, shape):
        messages.append(
            f"{path}: {height}x{width} is cropped to the centre, for frames of {shape.height}x{shape.width}"
        )

    def frames() -> Iterator[np.ndarray]:
        with VideoReader(file) as reader:
            for _, frame in at_constant_rate(reader):
                yield fitted(frame[None], shape.height, shape.width)[0]

    carried, graph, layout = Carried(), None, None
    if folder is not None:
        # Of several scenes, the last one's.
        last_scene = max(folder.glob("scenes/*"), default=folder)
        if (last_scene / "graph.json").is_file() and (last_scene / "layout.json").is_file():
            graph, layout = SceneGraph.load(last_scene / "graph.json"), Layout.load(last_scene / "layout.json")
            layout = _at_rate(layout, fps, count)
        if (folder / CARRIED).is_file() and (height, width) == (shape.height, shape.width):
            kept, _ = load_carried(folder / CARRIED)
            # Those of another codec say nothing here.
            carried = kept if _have(kept.latents, cells) else carried
        elif (folder / "latents.safetensors").is_file() and (height, width) == (shape.height, shape.width):
            saved = load_latents(folder / "latents.safetensors").latents
            # Those of another number of frames are of another video, or stand for several frames each.
            if _have(saved, cells) and all(made.shape[1] == count for made in saved.values()):
                numbers = tuple(range(-min(overlap, count), 0))
                carried = Carried(numbers, {size: made[:, numbers[0] :] for size, made in saved.items()})
    if not carried.frames:
        messages.append(f"{path}: goes on from pixels: it has no latents of the stages that are made")
    return Beginning(count, fitted(np.stack(list(last)), shape.height, shape.width), frames, carried, graph, layout), (
        messages
    )


def _at_rate(layout: Layout, fps: float, count: int) -> Layout:
    """A run's boxes as those of all frames of its video of `count`, where frames were put between theirs."""
    times = 1.0 if layout.shape is None else fps / layout.shape.fps
    frames = round(times) * (layout.frames - 1) + 1 if 1.5 <= times <= count else 0
    # Whatever a file may claim, a layout is of no more frames than its video, but for some after the last one shown.
    if not 0 < frames < count + round(times):
        return layout
    numbers = np.arange(min(frames, count)) / round(times)
    return layout.sampled((numbers + 0.5) / layout.frames)


def _have(latents: Mapping[int, Tensor], cells: Mapping[int, tuple[int, ...]]) -> bool:
    return all(size in latents and tuple(latents[size].shape[2:]) == cells[size] for size in cells)


def continued_layout(
    graph: SceneGraph,
    frames: int,
    led: int,
    grid: int,
    before: tuple[SceneGraph | None, Layout | None],
    given: Layout | None,
) -> Layout | None:
    """Boxes that are known of a scene that begins with the last frames of another: where the same things were then.

    A thing is the same if it has the same name and the same attributes there and here. It stays where it is for as long
    as the planner, which thinks in `grid` moments, needs to hear of it.

    Args:
        graph: of the scene. frames: of the scene, those that are shared among them.
        led: frames at its start that are shared.
        before: graph and layout of the other.
        given: boxes of the scene's own frames, which go before.

    Returns:
        Boxes, NaN where they are to be planned; None if nothing is known.
    """
    outlines: dict[tuple[str, int], Outline | None] = {}
    known = np.full((len(drawn_entities(graph)), frames, len(BOX_FIELDS)), np.nan, np.float32)
    if before[0] is not None and before[1] is not None and led:
        moment = led / before[1].frames
        there = slice_graph(before[0], (max(0.0, 1 - moment), 1.0)).graph
        here = slice_graph(graph, (0.0, led / frames)).graph
        free = {(t.entity, t.instance): t for t in before[1].tracks}
        held = min(frames, max(led, -(-frames // (2 * grid)) + 1))
        for row, (entity, instance) in enumerate(drawn_entities(graph)):
            phrase = entity_phrase(here, entity)
            name = next((key for key in free if key[1] == instance and entity_phrase(there, key[0]) == phrase), None)
            if name is not None:
                same = free.pop(name)
                last, outlines[entity, instance] = same.boxes[-led:], same.outline
                known[row, :held] = last[-1]
                known[row, : len(last)] = last
    for row, (entity, instance) in enumerate(drawn_entities(graph)):
        track = None if given is None else given.track(entity, instance)
        if track is not None:
            known[row, led:] = track.boxes
            outlines[entity, instance] = track.outline or outlines.get((entity, instance))
    if not np.isfinite(known).any():
        return None
    names = drawn_entities(graph)
    return Layout(
        frames,
        [
            Track(entity, known[row], instance, outline=outlines.get((entity, instance)))
            for row, (entity, instance) in enumerate(names)
        ],
    )
