"""How fast, long and large a video is, without decoding: what is needed where annotations count frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.frame_folder import frame_files
from mov_ai.data.video_decoding import DEFAULT_FPS, Decoder
from mov_ai.errors import MovAIError


@dataclass(frozen=True)
class Timing:
    """What a file says before a frame is decoded.

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
    """The timing of a video or a folder of frames; None if it cannot be opened.

    Args:
        fps: of a folder of frames, if known.
    """
    if path.is_dir():
        return _folder_timing(path, fps or DEFAULT_FPS)
    try:
        decoder = Decoder(path, str(path))
    except MovAIError:
        return None
    timeline, codec = decoder.timeline, decoder.stream.codec_context
    height, width = codec.height, codec.width
    decoder.close()
    frames = len(timeline.times) if timeline.times is not None else round((timeline.duration or 0) * timeline.fps)
    return Timing(timeline.fps, frames, height, width) if frames > 0 and min(height, width) > 0 else None


def _folder_timing(path: Path, fps: float) -> Timing | None:
    import PIL.Image

    pictures = frame_files(path)
    try:
        with PIL.Image.open(pictures[0]) as picture:
            return Timing(fps, len(pictures), picture.height, picture.width)
    except (IndexError, OSError):
        return None
