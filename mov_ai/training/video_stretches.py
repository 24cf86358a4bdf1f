"""Stretches of real videos at their own frame rate, or every few frames of it, encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from mov_ai.data.buckets import Buckets
from mov_ai.data.clip_windows import ClipSettings, choose_windows, clip_digest, open_clip
from mov_ai.data.clips import Clip
from mov_ai.data.formats import read_clips
from mov_ai.data.sampling import Dropped, Sampling
from mov_ai.errors import MovAIError, UsageError
from mov_ai.models.codec import AnyCodec, to_unit
from mov_ai.models.interpolation import MAX_SKIP, RATE
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.objective import Progress
from mov_ai.training.stretches import Stretches, StretchSource, crop_around_change


class VideoStretches(StretchSource):
    """A data set of videos, for a codec that knows what they show, such as TAEF2.

    Half of the stretches that are drawn run backwards.

    Args:
        path: of the data set, see `mov_ai.data.formats.read_clips`.
        cache: folder for encoded stretches.
        format: how it is laid out; told from its files if None.
        strides: frames of a video between those of a stretch; stretches that would be slower than the network knows
            (10 frames a second) are left out.
        windows: stretches of a clip at each stride.
        size: side of the square frames in pixels.
        crop: side in cells of what is trained on at a time.
        frames: of a stretch.
        validation_clips: so many clips, the last ones, are validated on and not trained on.
        about: for the card: what the videos are and under which licence.
    """

    def __init__(
        self,
        path: str,
        cache: str = "cache/stretches",
        format: str | None = None,
        strides: tuple[int, ...] = (1, 2),
        windows: int = 4,
        size: int = 256,
        crop: int = 16,
        frames: int = 21,
        validation_clips: int = 0,
        about: str | None = None,
    ) -> None:
        clips = list(read_clips(path, format))
        if not 0 <= validation_clips < max(1, len(clips)):
            raise UsageError(f"data.validation_clips: expected 0 to {len(clips) - 1}; found {validation_clips}")
        split = len(clips) - validation_clips
        self._clips = {"train": clips[:split], "validation": clips[split:]}
        self._path, self._cache, self._crop = path, cache, crop
        self._settings = [
            ClipSettings(Sampling((frames,), None, stride, windows, seed=stride), Buckets(((size, size),)))
            for stride in strides
        ]
        self.about = about or ""

    def bind(self, codec_source: str, codec: AnyCodec) -> None:
        self._codec, self._digest = codec, codec_identity(codec_source)["sha256"][:12]

    def prepare(self, progress: Progress) -> None:
        total, done = sum(map(len, self._clips.values())), 0
        reasons: set[str] = set()
        self._kept: dict[str, dict[str, np.ndarray]] = {}
        used = 0
        for split, clips in self._clips.items():
            parts: list[dict[str, np.ndarray]] = []
            for clip in clips:
                progress(done, total, "encoding stretches")
                done += 1
                before = len(parts)
                for settings in self._settings:
                    try:
                        parts.append(self._arrays(clip, settings))
                    except Dropped as reason:
                        reasons.add(reason.reason)
                used += split == "train" and len(parts) > before
            if parts:
                self._kept[split] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if "train" not in self._kept:
            raise MovAIError(f"{self._path}: no clip can be used: {', '.join(sorted(reasons)) or 'there is none'}")
        self.about = self.about or f"Trained on {used} videos of {self._path}."

    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        kept = self._kept["train"]
        rows = rng.integers(len(kept["skip"]), size=batch_size)
        cropped = [crop_around_change(torch.from_numpy(kept["latents"][row]).float(), self._crop, rng) for row in rows]
        return Stretches(torch.stack(cropped), torch.from_numpy(kept["skip"][rows])).some_backwards(rng)

    def validation(self) -> list[Stretches]:
        kept = self._kept.get("validation")
        if kept is None:
            return []
        return [Stretches(torch.from_numpy(kept["latents"]).float(), torch.from_numpy(kept["skip"]))]

    def _arrays(self, clip: Clip, settings: ClipSettings) -> dict[str, np.ndarray]:
        """A clip's stretches at one stride. Raises Dropped if there are none."""
        sampling, buckets = settings.sampling, settings.buckets
        facts = f"{sampling.stride}_{sampling.windows}_{sampling.frames[0]}_{buckets.sizes[0][0]}"
        path = Path(self._cache) / f"{self._digest}-video" / f"{clip_digest(clip)}_{facts}.npz"

        def build() -> dict[str, np.ndarray]:
            pairs = list(self._encoded(clip, settings))
            latents, skips = zip(*pairs, strict=True)
            return {"latents": np.stack(latents), "skip": np.array(skips, dtype=np.float32)}

        return cached_arrays(path, build)

    def _encoded(self, clip: Clip, settings: ClipSettings) -> Iterator[tuple[np.ndarray, float]]:
        with open_clip(clip) as reader:
            size, windows, _ = choose_windows(clip, reader, settings)
            skip = RATE / windows[0].fps
            if skip > MAX_SKIP:
                raise Dropped(
                    "too slow", f"{windows[0].fps:g} frames a second; at least {RATE / MAX_SKIP:g} are needed"
                )
            for window in windows:
                frames = settings.buckets.resize(reader.frames_at(window.times), size)
                with torch.no_grad():
                    # One at a time: an image codec needs much memory for each.
                    video = to_unit(torch.from_numpy(frames))
                    latents = torch.cat([self._codec.encode(frame[None, None]) for frame in video], 1)
                yield latents[0].numpy().astype(np.float16), skip
