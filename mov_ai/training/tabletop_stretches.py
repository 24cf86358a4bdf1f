"""Stretches of the embedded world's clips at 128 frames a second, rendered and encoded once and kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec, to_unit
from mov_ai.training.array_cache import cached_arrays
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.latents import MARGIN
from mov_ai.training.objective import Progress
from mov_ai.training.stretches import LIVELY, Stretches, StretchSource, crop_around_change
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import Scene, States, sample_scene, simulate, split_seed
from mov_ai.worlds.tabletop.variation import PLAIN, WorldVariation, seen_boxes
from mov_ai.worlds.tabletop.varied_clips import varied_scene

#: Moments of a clip of two seconds that there are states of: 128 a second.
MOMENTS = 256
#: Frames between neighbouring frames of a stretch, and how often: 4 is what is asked of keyframes at 8 fps, 1 what is
#: asked the second time.
SKIPS = tuple(range(1, 13))
_SKIP_SHARES = np.array([2 if skip == 1 else 5 if skip == 4 else 1 for skip in SKIPS]) / 17
#: Clips in a file.
_CHUNK = 20
#: Stretches that are looked at before one is chosen.
_LOOKS = 4
#: Share of the windows that slide over the frame, and how far at most, in pixels between moments.
_SLIDES, _SLIDE = 0.2, 1.0


class TabletopStretches(StretchSource):
    """Whole frames at small sizes; at larger ones a window around a thing, which sometimes slides over the frame.

    Half of the clips are mirrored; half of the stretches that are drawn run backwards.

    Args:
        cache: folder for encoded stretches.
        clips: clips that give a stretch each, for each of `sizes`.
        sizes: sides of the square frames in pixels.
        shares: how often stretches of each size are drawn.
        window: largest side of what is kept of a frame, in pixels; a multiple of the codec's cells.
        crops: sides in cells of what is trained on at a time, usually around something that moves; for each of `sizes`.
        frames: of a stretch.
        validation_clips: of the validation split, for each size.
        variation: what every other clip may show beyond the plain ones.
    """

    about = """Trained on clips of the embedded world's training split at 128 frames a second, which this repository
renders itself."""

    def __init__(
        self,
        cache: str = "cache/stretches",
        clips: Sequence[int] = (360, 120, 120),
        sizes: Sequence[int] = (128, 256, 512),
        shares: Sequence[float] = (0.6, 0.15, 0.25),
        window: int = 256,
        crops: Sequence[int] = (12, 12, 16),
        frames: int = 21,
        validation_clips: Sequence[int] = (20, 4, 4),
        variation: WorldVariation | None = None,
    ) -> None:
        if not len(clips) == len(sizes) == len(shares) == len(crops) == len(validation_clips) or not len(sizes):
            raise UsageError(
                "data: expected as many clips, shares, crops and validation_clips as sizes; found "
                f"{len(clips)}, {len(shares)}, {len(crops)}, {len(validation_clips)} and {len(sizes)}"
            )
        if not 5 <= frames <= (MOMENTS - 1) // max(SKIPS) + 1:
            raise UsageError(f"data.frames: expected 5 to {(MOMENTS - 1) // max(SKIPS) + 1}; found {frames}")
        self.cache, self.sizes, self.window, self.frames = cache, tuple(sizes), window, frames
        self.crops = dict(zip(sizes, crops, strict=True))
        self.counts = {"train": tuple(clips), "validation": tuple(validation_clips)}
        self.shares = np.array(shares, dtype=float) / sum(shares)
        self.variation = variation or PLAIN

    def bind(self, codec_source: str, codec: AnyCodec) -> None:
        self._codec = codec
        digest = codec_identity(codec_source)["sha256"][:12]
        name = "-".join([digest, str(self.frames), str(self.window), *filter(None, [self.variation.name])])
        self._folder = Path(self.cache) / name

    def prepare(self, progress: Progress) -> None:
        jobs = [
            (split, size, first, min(first + _CHUNK, count))
            for split, counts in self.counts.items()
            for size, count in zip(self.sizes, counts, strict=True)
            for first in range(0, count, _CHUNK)
        ]
        total, done = sum(last - first for *_, first, last in jobs), 0
        kept: dict[tuple[str, int], list[dict[str, np.ndarray]]] = {}
        for split, size, first, last in jobs:
            progress(done, total, "encoding stretches")
            path = self._folder / f"{split}_{size}_{first:05d}_{last:05d}.npz"
            seeds = range(first, last)
            arrays = cached_arrays(path, partial(self._encoded, split, size, seeds))
            kept.setdefault((split, size), []).append(arrays)
            done += last - first
        self._kept = {
            key: {name: np.concatenate([chunk[name] for chunk in chunks]) for name in ("latents", "skip")}
            for key, chunks in kept.items()
        }

    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        size = self.sizes[int(rng.choice(len(self.sizes), p=self.shares))]
        kept = self._kept["train", size]
        rows = rng.integers(len(kept["skip"]), size=batch_size)
        latents = torch.stack(
            [crop_around_change(torch.from_numpy(kept["latents"][row]).float(), self.crops[size], rng) for row in rows]
        )
        return Stretches(latents, torch.from_numpy(kept["skip"][rows])).some_backwards(rng)

    def validation(self) -> list[Stretches]:
        return [
            Stretches(torch.from_numpy(kept["latents"]).float(), torch.from_numpy(kept["skip"]))
            for (split, _), kept in self._kept.items()
            if split == "validation"
        ]

    def _encoded(self, split: str, size: int, seeds: range) -> dict[str, np.ndarray]:
        stretches = [self._stretch(split, size, seed) for seed in seeds]
        return {
            "latents": np.stack([latents.numpy().astype(np.float16) for latents, _ in stretches]),
            "skip": np.array([skip for _, skip in stretches], dtype=np.float32),
        }

    def _stretch(self, split: str, size: int, seed: int) -> tuple[Tensor, int]:
        """Latents (frames, channels, h, w) of a stretch of clip `seed`, and its skip; each size has its own stretch."""
        # 128, 256 and 512 share no clips: as many different scenes as there are stretches.
        number = 3 * seed + (size.bit_length() + 1) % 3
        rng = np.random.default_rng([number, 17])
        if number % 2 and self.variation != PLAIN:
            scene = varied_scene(number, split, self.variation)[0]
        else:
            scene = sample_scene(split_seed(split, number), split)
        states = simulate(scene, MOMENTS)
        skip = int(rng.choice(SKIPS, p=_SKIP_SHARES))
        frames, (x, y) = _lively_stretch(scene, states, skip, self.frames, rng)
        if size <= self.window:
            video, _ = render(scene, size, size, frames=frames, states=states)
            skipped = 0
        else:
            video = self._window(scene, states, frames, size, np.array([x, y]) * size, skip, rng)
            skipped = MARGIN // self._codec.factor
        if rng.random() < 0.5:
            video = video.flip(2)
        with torch.no_grad():
            latents = self._codec.encode(to_unit(video)[None])[0]
        # What lies at a window's edge sees the edge, as nothing inside a frame does.
        inside = slice(skipped, latents.shape[-1] - skipped)
        return latents[..., inside, inside], skip

    def _window(
        self,
        scene: Scene,
        states: States,
        frames: np.ndarray,
        size: int,
        centre: np.ndarray,
        skip: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """A window of a frame, as large as `window`, around a point; uint8 (F, window, window, 3)."""
        speed = rng.uniform(-_SLIDE, _SLIDE, 2) * skip * (rng.random() < _SLIDES)
        steps = np.arange(len(frames)) - (len(frames) - 1) / 2
        # Each place (x, y) of the window's corner, moved as a whole into the frame.
        corners = np.round(centre - self.window / 2 + steps[:, None] * speed).astype(int)
        room = size - self.window
        corners = corners - np.clip(corners.min(0), None, 0)
        corners = np.clip(corners - np.clip(corners.max(0) - room, 0, None), 0, room)
        (left, top), (right, bottom) = corners.min(0), corners.max(0)
        area = (int(top), int(left), int(bottom - top) + self.window, int(right - left) + self.window)
        video, _ = render(scene, size, size, area, frames, states=states)
        return torch.stack(
            [
                frame[y - top : y - top + self.window, x - left : x - left + self.window]
                for frame, (x, y) in zip(video, corners, strict=True)
            ]
        )


def _lively_stretch(
    scene: Scene, states: States, skip: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a stretch's frames, and a place (x, y) in [0, 1] that a thing is at in one of them.

    Floors that nothing moves on teach little.
    """
    boxes = seen_boxes(scene, states)
    candidates = []
    for _ in range(_LOOKS):
        frames = int(rng.integers(MOMENTS - (count - 1) * skip)) + skip * np.arange(count)
        track = boxes[int(rng.integers(len(boxes))), frames]
        change = np.abs(np.diff(track[:, [0, 1, 2, 3, 5]], axis=0)).sum()
        place = track[int(rng.integers(count)), :2] + track[0, 2:4] * rng.uniform(-0.6, 0.6, 2)
        candidates.append((float(change), frames, place))
    lively = rng.random() < LIVELY
    _, frames, place = max(candidates, key=lambda candidate: candidate[0]) if lively else candidates[0]
    return frames, place
