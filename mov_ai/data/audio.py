"""Reading sound from any file that FFmpeg reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mov_ai.errors import UsageError

if TYPE_CHECKING:
    import av

#: Samples a second that sound is brought to.
RATE = 16_000
#: Seconds that are read of a file, and the least.
MOST_SECONDS, LEAST_SECONDS = 600.0, 0.05
#: Samples a second, and channels, of a file that can be sound.
_RATES, _CHANNELS = (1_000, 768_000), 32


@dataclass(frozen=True)
class Audio:
    """Sound.

    Attributes:
        samples: float32 (channels, n), full scale is 1, `RATE` a second.
        is_cut: whether the file goes on after `MOST_SECONDS`.
    """

    samples: np.ndarray
    is_cut: bool = False

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples.shape[1] / RATE


def read_audio(path: Path) -> Audio:
    """The first `MOST_SECONDS` of a file's first audio stream.

    Raises:
        UsageError: if there is no such file, or it holds no sound that can be read.
    """
    import av

    if not path.is_file():
        raise UsageError(f"--audio: {path}: no such file; give a sound file, such as WAV, FLAC, MP3 or OGG")
    pieces: list[np.ndarray] = []
    wanted, count = int(MOST_SECONDS * RATE), 0
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise UsageError(f"--audio: {path}: holds no sound; give a sound file, such as WAV, FLAC, MP3 or OGG")
            stream = container.streams.audio[0]
            rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
            if not _RATES[0] <= rate <= _RATES[1] or not 1 <= channels <= _CHANNELS:
                raise UsageError(
                    f"--audio: {path}: expected {_RATES[0]} to {_RATES[1]} samples a second of 1 to {_CHANNELS} "
                    f"channels; found {rate} of {channels}"
                )
            # One plane for all channels: of eight planes or more PyAV reads what is no memory of its own.
            resampler = av.AudioResampler(format="flt", rate=RATE)
            for frame in container.decode(stream):
                new = [_channels(piece) for piece in resampler.resample(frame)]
                pieces += new
                count += sum(piece.shape[1] for piece in new)
                if count > wanted:
                    break
            else:
                pieces += [_channels(piece) for piece in resampler.resample(None)]
    except (av.FFmpegError, OSError, ValueError, EOFError) as error:
        raise UsageError(f"--audio: {path}: not a sound file that can be read ({type(error).__name__})") from None
    pieces = [piece for piece in pieces if piece.shape[1]]
    if not pieces or len({len(piece) for piece in pieces}) != 1:
        raise UsageError(f"--audio: {path}: not a sound file that can be read (no samples of one layout)")
    samples = np.ascontiguousarray(np.concatenate(pieces, 1), np.float32)
    if samples.shape[1] < LEAST_SECONDS * RATE:
        raise UsageError(f"--audio: {path}: lasts less than {LEAST_SECONDS:g} s; give a longer sound")
    if not np.isfinite(samples).all():
        raise UsageError(f"--audio: {path}: holds samples that are no numbers; write the file again")
    return Audio(samples[:, :wanted], samples.shape[1] > wanted)


def _channels(frame: av.AudioFrame) -> np.ndarray:
    """The samples of a frame with one plane, (channels, n)."""
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T
