"""Whole clips beside their latents, for decoders: real videos or the world's, encoded once and kept in a file."""

from __future__ import annotations

import abc
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mov_ai.data.buckets import Buckets
from mov_ai.data.clip_windows import ClipSettings, choose_windows, clip_digest, open_clip
from mov_ai.data.clips import Clip
from mov_ai.data.formats import read_clips
from mov_ai.data.sampling import Dropped, Sampling
from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec, to_unit
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.objective import Progress
from mov_ai.worlds.tabletop.world import sample_clip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedClip:
    """A clip and its latents.

    Attributes:
        name: says where it is from; windows of one video share it.
        frames: uint8 (frames, height, width, 3).
        latents: float16 (frames, channels, h, w), standardised.
    """

    name: str
    frames: np.ndarray
    latents: np.ndarray


class DecoderClips(abc.ABC):
    """Clips that a decoder is trained and judged on; `conf/clips` names a source. All of them are held in memory.

    Args:
        size: height and width in pixels, a multiple of the codec's cell.
        frames: of each clip.
        cache: folder for encoded clips.
    """

    #: For the card: what the clips are, in a few sentences.
    about: str

    def __init__(self, size: int, frames: int, cache: str) -> None:
        self.size, self.frames, self.cache = size, frames, cache

    @abc.abstractmethod
    def settings(self, held_out: bool) -> Any:
        """JSON values that decide the clips of a split."""

    @abc.abstractmethod
    def estimate(self, held_out: bool) -> int:
        """About how many clips a split has, for the display of progress."""

    @abc.abstractmethod
    def read(self, held_out: bool) -> Iterator[tuple[str, np.ndarray]]:
        """Names and frames, uint8 (frames, size, size, 3), of the clips of a split."""

    def load(self, source: str, codec: AnyCodec, held_out: bool, progress: Progress | None = None) -> list[EncodedClip]:
        """The clips of a split, encoded where they are not yet.

        Args:
            source: what `codec` was loaded from.
            held_out: those that are never trained on.

        Raises:
            UsageError: if there are none, or the codec's cells do not divide the size.
        """
        if self.size % codec.factor:
            raise UsageError(f"clips.size: expected a multiple of {codec.factor}, the codec's cell; found {self.size}")
        facts = [self.size, self.frames, held_out, self.settings(held_out)]
        digest = hashlib.sha256(json.dumps([codec_identity(source)["sha256"], facts]).encode()).hexdigest()[:16]

        def build() -> dict[str, np.ndarray]:
            names: list[str] = []
            videos, latents = [], []
            for name, frames in self.read(held_out):
                if progress is not None:
                    progress(len(names), self.estimate(held_out), "encoding clips")
                with torch.no_grad():
                    latents.append(codec.encode(to_unit(torch.from_numpy(frames))[None])[0].half().numpy())
                names.append(name)
                videos.append(frames)
            if not names:
                raise UsageError(f"clips: none of {self.frames} frames; {self.about}")
            return {"names": np.array(names), "videos": np.stack(videos), "latents": np.stack(latents)}

        arrays = cached_arrays(Path(self.cache) / f"{digest}.npz", build)
        return [
            EncodedClip(str(name), video, latents)
            for name, video, latents in zip(arrays["names"], arrays["videos"], arrays["latents"], strict=True)
        ]


class RealClips(DecoderClips):
    """Windows of real videos.

    Args:
        path: of the data set, see `mov_ai.data.formats.read_clips`.
        fps: frames a second that are taken.
        windows: of each video, from its beginning to its end, as many of them as it is long enough for.
        held_out: names of the videos, without folder and ending, that are not trained on.
        about: for the card: what the videos are and under which licence.
    """

    def __init__(
        self,
        path: str,
        held_out: Sequence[str],
        size: int = 64,
        frames: int = 16,
        fps: float = 15.0,
        windows: int = 2,
        cache: str = "cache/decoder_clips",
        about: str | None = None,
    ) -> None:
        super().__init__(size, frames, cache)
        if not path:
            raise UsageError("clips.path: expected a data set of videos, such as a folder with captions.csv")
        self._clips = {Path(clip.key).stem: clip for clip in read_clips(path)}
        if unknown := sorted(set(held_out) - set(self._clips)):
            raise UsageError(f"clips.held_out: {path}: has no video {unknown[0]}; it has {', '.join(self._clips)}")
        self._held_out, self._settings = (
            set(held_out),
            ClipSettings(Sampling((frames,), fps, windows=windows), Buckets(((size, size),))),
        )
        self.about = about or f"Windows of {len(self._clips) - len(self._held_out)} videos of {path}."

    def settings(self, held_out: bool) -> Any:
        return [self._settings.to_dict(), [clip_digest(clip) for _, clip in self._chosen(held_out)]]

    def estimate(self, held_out: bool) -> int:
        return len(self._chosen(held_out)) * max(self._settings.sampling.windows, 1)

    def _chosen(self, held_out: bool) -> list[tuple[str, Clip]]:
        return [(name, clip) for name, clip in self._clips.items() if (name in self._held_out) == held_out]

    def read(self, held_out: bool) -> Iterator[tuple[str, np.ndarray]]:
        for name, clip in self._chosen(held_out):
            try:
                with open_clip(clip) as reader:
                    size, windows, _ = choose_windows(clip, reader, self._settings)
                    for window in windows:
                        yield name, self._settings.buckets.resize(reader.frames_at(window.times), size)
            except Dropped as reason:
                log.warning("%s: left out: %s", name, reason)


class WorldClips(DecoderClips):
    """Clips of the embedded world: of its training split, and held-out ones of its validation split.

    Args:
        clips, held_out: how many of each.
    """

    about = "Clips of the embedded world, which this repository renders itself; no other data."

    def __init__(
        self,
        clips: int = 48,
        held_out: int = 8,
        size: int = 64,
        frames: int = 16,
        cache: str = "cache/decoder_clips",
    ) -> None:
        super().__init__(size, frames, cache)
        self._numbers = {False: clips, True: held_out}

    def settings(self, held_out: bool) -> Any:
        return ["tabletop", self._numbers[held_out]]

    def estimate(self, held_out: bool) -> int:
        return self._numbers[held_out]

    def read(self, held_out: bool) -> Iterator[tuple[str, np.ndarray]]:
        split = "validation" if held_out else "train"
        for seed in range(self._numbers[held_out]):
            clip = sample_clip(seed, split, self.size, frames=np.arange(self.frames))
            yield f"{split} {seed}", clip.video.numpy()
