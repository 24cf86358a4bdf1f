"""Folders of videos, made by any model: checked, brought to one shape, and read one video at a time."""

from __future__ import annotations

import unicodedata
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mov_ai.data.frame_folder import IMAGE_SUFFIXES
from mov_ai.data.video import VIDEO_SUFFIXES as FILM_SUFFIXES
from mov_ai.data.video import VideoReader, files_below, video_key
from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.npz_video import NpzVideo
from mov_ai.evaluation.metrics.result import Settings, shared_settings

VIDEO_SUFFIXES = (*FILM_SUFFIXES, ".npz")
#: Files of one kind that are left out are named one by one up to so many in a folder.
NAMED_FILES = 3
#: Decoded, one video takes at most so many bytes; networks take a few times that.
VIDEO_BYTES = 128 * 2**20
#: With `--max-frames` it may take so many.
MOST_VIDEO_BYTES = 2 * VIDEO_BYTES
#: What a network makes of a small frame takes about as much as a frame of so many pixels.
NETWORK_PIXELS = 448 * 448
#: Larger frames are measured at about this size.
FRAME_PIXELS = 1600 * 900


@dataclass(frozen=True)
class VideoFile:
    """A video that was read through once.

    Attributes:
        name: path in its folder without suffix, in characters that every report can show.
        fps: frames per second, the mean where the rate varies.
        height, width: in pixels, as shown.
        codec: as `Settings` names it.
        times: of the frames in seconds, where their rate varies.
    """

    path: Path
    name: str
    frames: int
    fps: float
    height: int
    width: int
    codec: str
    times: np.ndarray | None = field(default=None, compare=False)

    @property
    def settings(self) -> Settings:
        return Settings(self.frames, self.fps, f"{self.width}x{self.height}", self.codec)


@dataclass(frozen=True)
class VideoFolder:
    """A folder's videos in the order of their names, and a line for each file that is left out, saying why."""

    folder: Path
    files: tuple[VideoFile, ...]
    notices: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        """Of the files as they are; "mixed: ..." where they differ."""
        return shared_settings(file.settings for file in self.files)


@dataclass(frozen=True)
class Shape:
    """What all videos of one measurement are brought to, and a line for each thing that differs: what is done."""

    frames: int
    fps: float
    height: int
    width: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Video:
    """One video in memory: its name (the file's, without suffix), uint8 (T, H, W, 3), its rate and codec."""

    name: str
    frames: np.ndarray
    fps: float
    codec: str


def scan(folder: str | Path, min_frames: int = 2) -> VideoFolder:
    """Look at every file of a folder and of its sub-folders, decoding each video once, a frame at a time.

    Left out, with a notice: images, videos of fewer than `min_frames` frames, broken files, files of other kinds.
    Hidden files and folders are passed over.

    Args:
        folder: holds videos, or npz with `video` uint8 (T, H, W, 3) and `fps`.

    Raises:
        UsageError: if there is no such folder, no video in it, or two videos of one name.
    """
    folder = Path(folder)
    files: list[VideoFile] = []
    notices: list[str] = []
    others: dict[tuple[Path, str], list[Path]] = {}
    for path in files_below(folder):
        suffix = path.suffix.lower()
        if suffix not in VIDEO_SUFFIXES:
            others.setdefault((path.parent, "image" if suffix in IMAGE_SUFFIXES else "other"), []).append(path)
            continue
        try:
            file, remarks = _probe(path, folder)
        except MovAIError as error:
            why = str(error).removeprefix(f"{path}: ").partition("; ")[0]
            notices.append(f"{path}: {why if why.startswith('an image') else f'broken, {why}'}; left out")
            continue
        notices += remarks
        if file.frames < min_frames:
            notices.append(f"{path}: has {_frames(file.frames)}, expected at least {min_frames}; left out")
        else:
            files.append(file)
    notices += [line for (_, kind), paths in others.items() for line in _left_out(kind, paths)]
    if not files:
        why = f": {notices[0]}" + (f" (and {len(notices) - 1} more)" if len(notices) > 1 else "") if notices else ""
        raise UsageError(f"{folder}: holds no video that can be measured{why}; give a folder of videos")
    repeated = [name for name, count in Counter(file.name for file in files).items() if count > 1]
    if repeated:
        raise UsageError(f"{folder}: holds more than one video named {repeated[0]}; keep one of them")
    return VideoFolder(folder, tuple(files), tuple(notices))


def _left_out(kind: str, paths: list[Path]) -> list[str]:
    what = "an image among the videos" if kind == "image" else f"not a video ({', '.join(VIDEO_SUFFIXES)})"
    if len(paths) <= NAMED_FILES:
        return [f"{path}: {what}; left out" for path in paths]
    many = "images" if kind == "image" else "files that are no videos"
    return [f"{paths[0].parent}: {len(paths)} {many}, {paths[0].name} and others; left out"]


def printable(name: str) -> str:
    """NFC, with a space or _ for characters that a report or a terminal cannot show."""
    composed = unicodedata.normalize("NFC", name)
    return "".join(c if c.isprintable() else " " if c.isspace() else "_" for c in composed)


def _probe(path: Path, folder: Path) -> tuple[VideoFile, list[str]]:
    name = printable(video_key(path, folder))
    if path.suffix.lower() == ".npz":
        video = NpzVideo(path)
        deque(video, maxlen=0)
        return VideoFile(path, name, video.frames, video.fps, video.height, video.width, "none"), []
    with VideoReader(path) as reader:
        info, times = reader.read_through()
        if reader.damage is not None:
            raise MovAIError(f"{path}: {reader.damage}")
        uneven = times if info.variable_rate else None
        file = VideoFile(path, name, len(times), info.fps, info.height, info.width, info.codec, uneven)
        return file, reader.notices


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"


def common_shape(*folders: VideoFolder, max_frames: int | None = None) -> Shape:
    """The shape to which all videos of the folders are brought, and one notice for each thing that differs.

    The lowest frame rate (faster videos are thinned by taking the nearest frames), the fewest frames that any video has
    then (longer ones are cut at the end), the smallest size (larger ones are resized). Nothing is invented: no frames
    or pixels are added. Videos that would not fit into memory are cut too, and brought to about `FRAME_PIXELS`.

    Raises:
        UsageError: if no folder is given, a video is too short to have 2 frames at the common rate, or `max_frames` are
            more than fit into memory.
    """
    files = [file for folder in folders for file in folder.files]
    if not files:
        raise UsageError("expected at least one folder of videos")
    notices = _count_notices(folders)
    slowest, fastest = min(files, key=lambda f: f.fps), max(files, key=lambda f: f.fps)
    fps = slowest.fps
    if fastest.fps > fps * 1.001:
        notices.append(
            f"different frame rates: {slowest.path} has {fps:g} a second, {fastest.path} {fastest.fps:g}; "
            f"faster videos are thinned to {fps:g} a second"
        )
    shortest, longest = (choose(files, key=lambda f: _thinned(f, fps)) for choose in (min, max))
    frames, most = _thinned(shortest, fps), _thinned(longest, fps)
    if frames < 2:
        raise UsageError(
            f"{shortest.path}: has one frame at {fps:g} a second, the rate of {slowest.path}; remove one of them"
        )
    if max_frames is not None and frames > max_frames:
        frames = max_frames
    elif most > frames:
        notices.append(
            f"different lengths: {shortest.path} has {_frames(frames)}, {longest.path} {_frames(most)} at {fps:g} a "
            f"second; the first {frames} of each are used"
        )
    smallest, largest = (choose(files, key=lambda f: f.height * f.width) for choose in (min, max))
    sizes = {(f.height, f.width) for f in files}
    if len(sizes) > 1:
        stretched = len({round(w / h, 2) for h, w in sizes}) > 1
        notices.append(
            f"different sizes: {smallest.path} is {smallest.width}x{smallest.height}, {largest.path} "
            f"{largest.width}x{largest.height}; all are resized to {smallest.width}x{smallest.height}"
            + (", which stretches those of other proportions" if stretched else "")
        )
    if len({f.codec for f in files}) > 1:
        notices.append(
            f"different compression: {', '.join(sorted({f.codec for f in files}))}; nothing is done about it, and "
            "figures that depend on fine detail carry it"
        )
    height, width = smallest.height, smallest.width
    if height * width > FRAME_PIXELS:
        height, width = _at_most(height, width, FRAME_PIXELS)
        notices.append(
            f"large frames: {smallest.path} is {smallest.width}x{smallest.height}; all are resized to {width}x{height}"
        )
    bytes_of_frame = 3 * max(height * width, NETWORK_PIXELS)
    fitting, most = VIDEO_BYTES // bytes_of_frame, MOST_VIDEO_BYTES // bytes_of_frame
    if max_frames is not None and frames > most:
        raise UsageError(
            f"{shortest.path}: {frames} frames of {width}x{height} do not fit into memory; give at most "
            f"--max-frames {most}"
        )
    if max_frames is None and frames > fitting:
        notices.append(
            f"long videos: the first {fitting} of {frames} frames of each are measured, as many as memory is meant to "
            f"hold; say how many with --max-frames, {most} at most"
        )
        frames = fitting
    return Shape(frames, fps, height, width, tuple(notices))


def _at_most(height: int, width: int, pixels: int) -> tuple[int, int]:
    """The sides made shorter alike, so that there are at most so many pixels."""
    scale = (pixels / (height * width)) ** 0.5
    return max(1, int(height * scale)), max(1, int(width * scale))


def _count_notices(folders: tuple[VideoFolder, ...]) -> list[str]:
    if len({len(folder.files) for folder in folders}) < 2:
        return []
    counts = ", ".join(f"{folder.folder} has {len(folder.files)}" for folder in folders)
    return [
        f"different numbers of videos: {counts}; metrics of sets use all of each, metrics of pairs those "
        "with a name in both"
    ]


def _thinned(file: VideoFile, fps: float) -> int:
    """How many frames a video has at a lower rate: those at times 0, 1 / fps, ... up to its last frame."""
    if file.times is not None:
        return int(file.times[-1] * fps + 1e-6) + 1
    return int((file.frames - 1) * fps / file.fps + 1e-6) + 1


def read(folder: VideoFolder, shape: Shape | None = None) -> Iterator[Video]:
    """The folder's videos one at a time, as they are or brought to a shape, resized bilinearly with antialiasing.

    Raises:
        MovAIError: if a file is no longer what `scan` found.
    """
    for file in folder.files:
        yield _read(file, shape)


def read_pairs(generated: VideoFolder, reference: VideoFolder, shape: Shape) -> Iterator[tuple[Video, Video]]:
    """Videos that have a name in both folders, one pair at a time, generated first.

    Raises:
        UsageError: if no name is in both. MovAIError: as `read`.
    """
    others = {file.name: file for file in reference.files}
    both = [(file, others[file.name]) for file in generated.files if file.name in others]
    if not both:
        raise UsageError(
            f"{generated.folder} and {reference.folder}: no video has a name in both; name each generated video as its "
            "reference to compare them frame by frame"
        )
    for file, other in both:
        yield _read(file, shape), _read(other, shape)


def _read(file: VideoFile, shape: Shape | None) -> Video:
    chosen, fps = np.arange(file.frames), file.fps
    height, width = file.height, file.width
    if shape is not None:
        chosen, fps, height, width = _chosen(file, shape), shape.fps, shape.height, shape.width
    result = np.empty((len(chosen), height, width, 3), np.uint8)
    done = 0
    for number, frame in enumerate(_stream(file)):
        if frame.shape[:2] != (file.height, file.width):
            break
        if number == chosen[done]:
            repeats = int(np.searchsorted(chosen, number, side="right"))
            result[done:repeats] = frame if frame.shape[:2] == (height, width) else _resized(frame, height, width)
            done = repeats
            if done == len(chosen):
                return Video(file.name, result, fps, file.codec)
    raise MovAIError(f"{file.path}: changed while it was measured; start again")


def _stream(file: VideoFile) -> Iterator[np.ndarray]:
    if file.path.suffix.lower() == ".npz":
        yield from NpzVideo(file.path)
        return
    with VideoReader(file.path) as reader:
        yield from (frame for _, frame in reader.frames())


def _chosen(file: VideoFile, shape: Shape) -> np.ndarray:
    """(T,) numbers of the frames at times 0, 1 / fps, ...: the nearest; where the rate varies, those then shown."""
    if file.times is None:
        return np.round(np.arange(shape.frames) * file.fps / shape.fps).astype(int)
    # Half a usual frame later, so that a frame that comes a little late is still the one of its time.
    late = min(float(np.median(np.diff(file.times))), 1 / shape.fps) / 2
    moments = np.arange(shape.frames) / shape.fps + late
    return np.searchsorted(file.times, moments, side="right") - 1


def _resized(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    result = np.empty((height, width, 3), np.uint8)
    # One colour at a time: of the largest frames, floating point takes four times the memory.
    for colour in range(3):
        plane = torch.from_numpy(np.ascontiguousarray(frame[..., colour]))[None, None].float()
        small = F.interpolate(plane, (height, width), mode="bilinear", align_corners=False, antialias=True)
        result[..., colour] = small[0, 0].round().clamp(0, 255).byte().numpy()
    return result


def measured_settings(folder: VideoFolder, shape: Shape | None = None) -> Settings:
    """What a result records of the folder's videos as `read` gives them."""
    own = folder.settings
    if shape is None:
        return own
    return Settings(shape.frames, shape.fps, f"{shape.width}x{shape.height}", own.codec)
