"""Folders of videos, made by any model: checked, brought to one shape, and read one video at a time."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mov_ai.data.video import read_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.result import Settings, shared_settings

VIDEO_SUFFIXES = (".mp4", ".webm", ".gif", ".mov", ".mkv", ".avi", ".npz")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class VideoFile:
    """A video that was read through once: frames, frames per second, size in pixels, codec as `Settings` names it."""

    path: Path
    frames: int
    fps: float
    height: int
    width: int
    codec: str

    @property
    def settings(self) -> Settings:
        return Settings(self.frames, self.fps, f"{self.width}x{self.height}", self.codec)


@dataclass(frozen=True)
class VideoFolder:
    """A folder's videos in the order of their names, and what was found beside them.

    Attributes:
        notices: one line for each file that is left out, saying why.
    """

    folder: Path
    files: tuple[VideoFile, ...]
    notices: tuple[str, ...]

    @property
    def settings(self) -> Settings:
        """Of the files as they are; "mixed: ..." where they differ."""
        return shared_settings(file.settings for file in self.files)


@dataclass(frozen=True)
class Shape:
    """What all videos of one measurement are brought to.

    Attributes:
        frames, fps, height, width: of every video after `read`.
        notices: one line for each thing that differs, saying what is done about it.
    """

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
    """Look at every file of a folder, decoding each video once, a frame at a time.

    Left out, with a notice: images, videos of fewer than `min_frames` frames, broken files, files of other kinds.
    Hidden files and sub-folders are passed over.

    Args:
        folder: holds mp4, webm, gif, mov, mkv, avi, or npz with `video` uint8 (T, H, W, 3) and `fps`.

    Raises:
        UsageError: if there is no such folder, no video in it, or two videos of one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give a folder of videos")
    files, notices = [], []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            notices.append(f"{path}: an image among the videos; left out")
        elif suffix not in VIDEO_SUFFIXES:
            notices.append(f"{path}: not a video ({', '.join(VIDEO_SUFFIXES)}); left out")
        else:
            try:
                file = _probe(path)
            except MovAIError as error:
                notices.append(f"{error}; left out")
                continue
            if file.frames < min_frames:
                notices.append(f"{path}: has {_frames(file.frames)}, expected at least {min_frames}; left out")
            else:
                files.append(file)
    if not files:
        why = f": {notices[0]}" + (f" (and {len(notices) - 1} more)" if len(notices) > 1 else "") if notices else ""
        raise UsageError(f"{folder}: holds no video that can be measured{why}; give a folder of videos")
    repeated = [name for name, count in Counter(file.path.stem for file in files).items() if count > 1]
    if repeated:
        raise UsageError(f"{folder}: holds more than one video named {repeated[0]}; keep one of them")
    return VideoFolder(folder, tuple(files), tuple(notices))


def _probe(path: Path) -> VideoFile:
    if path.suffix.lower() == ".npz":
        frames, fps = _read_npz(path, None)
        return VideoFile(path, len(frames), fps, frames.shape[1], frames.shape[2], "none")
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise MovAIError(f"{path}: holds no video stream")
            if container.format.name.endswith("_pipe") or container.format.name == "image2":
                raise MovAIError(f"{path}: an image among the videos")
            stream = container.streams.video[0]
            context = stream.codec_context
            expected, fps = stream.frames, float(stream.average_rate or 0) or 8.0
            count, compression, sizes = 0, "", set()
            for packet in container.demux(stream):
                if not count and packet.size and (quality := re.search(rb"crf=([\d.]+)", bytes(packet))):
                    compression = f" crf {float(quality[1]):g}"
                for frame in packet.decode():
                    count += 1
                    sizes.add((frame.height, frame.width))
            codec = f"{context.name} {context.pix_fmt}{compression}"
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MovAIError(f"{path}: broken, cannot be decoded ({_line(error)})") from None
    if not count or len(sizes) != 1:
        raise MovAIError(f"{path}: broken, holds " + ("no frames" if not count else "frames of different sizes"))
    if count < expected:
        raise MovAIError(f"{path}: broken, holds {count} of the {expected} frames that its header promises")
    height, width = sizes.pop()
    return VideoFile(path, count, fps, height, width, codec)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"


def _read_npz(path: Path, max_frames: int | None) -> tuple[np.ndarray, float]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            frames, fps = archive["video"], float(archive["fps"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise MovAIError(f"{path}: broken, expected arrays `video` and `fps` ({_line(error)})") from None
    good = frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[-1] == 3 and frames.size and 0 < fps < np.inf
    if not good:
        raise MovAIError(
            f"{path}: expected `video` uint8 (frames, height, width, 3) and `fps` above 0, got "
            f"{frames.dtype} {frames.shape}, {fps:g}"
        )
    return frames[:max_frames], fps


def common_shape(*folders: VideoFolder, max_frames: int | None = None) -> Shape:
    """The shape to which all videos of the folders are brought, and one notice for each thing that differs.

    The lowest frame rate (faster videos are thinned by taking the nearest frames), the fewest frames that any video has
    then (longer ones are cut at the end), the smallest size (larger ones are resized). Nothing is invented: no frames
    or pixels are added.

    Args:
        max_frames: at most so many frames, if given.

    Raises:
        UsageError: if no folder is given, or a video is too short to have 2 frames at the common rate.
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
    return Shape(frames, fps, smallest.height, smallest.width, tuple(notices))


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
    return int((file.frames - 1) * fps / file.fps + 1e-6) + 1


def read(folder: VideoFolder, shape: Shape | None = None) -> Iterator[Video]:
    """The folder's videos one at a time, as they are or brought to a shape; memory of one video.

    Resizing is bilinear with antialiasing.

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
    others = {file.path.stem: file for file in reference.files}
    both = [(file, others[file.path.stem]) for file in generated.files if file.path.stem in others]
    if not both:
        raise UsageError(
            f"{generated.folder} and {reference.folder}: no video has a name in both; name each generated video as its "
            "reference to compare them frame by frame"
        )
    for file, other in both:
        yield _read(file, shape), _read(other, shape)


def _read(file: VideoFile, shape: Shape | None) -> Video:
    chosen, fps = np.arange(file.frames), file.fps
    if shape is not None:
        chosen, fps = np.round(np.arange(shape.frames) * file.fps / shape.fps).astype(int), shape.fps
    needed = int(chosen[-1]) + 1
    reader = _read_npz if file.path.suffix.lower() == ".npz" else read_video
    frames, _ = reader(file.path, needed)
    if len(frames) < needed or frames.shape[1:3] != (file.height, file.width):
        raise MovAIError(f"{file.path}: changed while it was measured; start again")
    frames = frames[chosen]
    if shape is not None and frames.shape[1:3] != (shape.height, shape.width):
        frames = _resized(frames, shape.height, shape.width)
    return Video(file.path.stem, frames, fps, file.codec)


def _resized(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    result = np.empty((len(frames), height, width, 3), np.uint8)
    for place, frame in enumerate(frames):
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
        small = F.interpolate(image, (height, width), mode="bilinear", align_corners=False, antialias=True)
        result[place] = small[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return result


def measured_settings(folder: VideoFolder, shape: Shape | None = None) -> Settings:
    """What a result records of the folder's videos as `read` gives them."""
    own = folder.settings
    if shape is None:
        return own
    return Settings(shape.frames, shape.fps, f"{shape.width}x{shape.height}", own.codec)
