"""How fast, long and large a video is by its header: what is needed where annotations count frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.formats.finding import is_image

#: Of folders of frames that do not say.
DEFAULT_FPS = 8.0


@dataclass(frozen=True)
class Timing:
    """What a header says.

    Attributes:
        fps: frames a second, on average.
        frames: how many; at least 1.
        height, width: in pixels, as stored.
    """

    fps: float
    frames: int
    height: int
    width: int

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.frames / self.fps


def video_timing(path: Path, fps: float | None = None) -> Timing | None:
    """The timing of a video or a folder of frames, without decoding; None if it cannot be opened.

    Args:
        fps: of a folder of frames, if known.
    """
    if path.is_dir():
        return _folder_timing(path, fps or DEFAULT_FPS)
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = (container.duration or 0) / 1e6
            frames = stream.frames or round(seconds * rate)
            size = (stream.codec_context.height, stream.codec_context.width)
    except (av.FFmpegError, IndexError, OSError):
        return None
    return Timing(rate, frames, *size) if rate > 0 and frames > 0 and min(size) > 0 else None


def _folder_timing(path: Path, fps: float) -> Timing | None:
    import PIL.Image

    pictures = sorted(file for file in path.iterdir() if is_image(file.name))
    try:
        with PIL.Image.open(pictures[0]) as picture:
            return Timing(fps, len(pictures), picture.height, picture.width)
    except (IndexError, OSError):
        return None
