"""Real videos for the denoiser, decoded and encoded while it trains: no shards, but every step waits for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from mov_ai.data.buckets import Buckets
from mov_ai.data.clip_encoding import encode_clips
from mov_ai.data.clip_windows import ClipSettings
from mov_ai.data.formats import read_clips
from mov_ai.data.sampling import Sampling
from mov_ai.data.shard_sample import ShardSample
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import SceneGraph
from mov_ai.graph.video_shape import VideoShape, parse_size
from mov_ai.models.codec import AnyCodec
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.clip_encoder import Encoder, EncoderChoice
from mov_ai.training.clip_source import ClipSource, LatentSample, join
from mov_ai.training.objective import Progress
from mov_ai.training.video_clips import latent_sample

log = logging.getLogger(__name__)


class VideoFiles(ClipSource):
    """A data set as it is, a new window of every clip in each epoch.

    With `trainer.data_workers` the clips of the next steps are decoded and encoded meanwhile, by other processes.

    Args:
        path: of the data set, see `mov_ai.data.formats.read_clips`.
        format: how it is laid out; told from its files if None.
        fps: frames a second that are taken.
        size: of the videos, HEIGHTxWIDTH or a square's side; None for squares of the last stage.
        fit: "crop" or "stretch", see `mov_ai.data.buckets.Buckets`.
        validation_clips: so many clips, the last ones, are validated on and not trained on.
        about: for the card: what the videos are and under which licence.
    """

    def __init__(
        self,
        path: str,
        format: str | None = None,
        fps: float = 8.0,
        size: str | None = None,
        fit: str = "crop",
        validation_clips: int = 0,
        about: str | None = None,
    ) -> None:
        if not path:
            raise UsageError("data.path: expected a data set of videos, such as a folder with captions.csv")
        clips = [clip for clip in read_clips(path, format) if clip.captions or clip.graph is not None]
        if not 0 <= validation_clips < max(1, len(clips)):
            raise UsageError(f"data.validation_clips: expected 0 to {len(clips) - 1}; found {validation_clips}")
        self._clips, self._validation = clips[: len(clips) - validation_clips], clips[len(clips) - validation_clips :]
        if not self._clips:
            raise UsageError(f"{path}: holds no videos with captions; `mov-ai data check {path}` says why")
        self._fps, self._size, self._fit, self._path = fps, size, fit, path
        self.about = about or f"Trained on {len(self._clips)} videos of {path}."
        self.has_boxes = any(clip.tracks for clip in self._clips)
        self._dropped: dict[str, str] = {}

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        self._stages, self._seed = stages, seed
        height, width = parse_size(self._size or str(stages[-1]))
        if max(height, width) != stages[-1]:
            raise UsageError(f"data.size: expected a longer side of {stages[-1]}, the last stage's; found {self._size}")
        sampling = Sampling((frames,), self._fps, starts="random")
        self._settings = ClipSettings(sampling, Buckets(((height, width),), self._fit))
        self._encoder = Encoder(EncoderChoice(codec_source, stages))
        self.trained_on = TrainedOn(VideoShape(frames, self._fps, height, width))

    def prepare(self, progress: Progress) -> None:
        progress(0, len(self._clips), "looking for a clip that can be used")
        self._encoded(0, 0)

    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        samples = []
        for place in range(step * batch_size, (step + 1) * batch_size):
            epoch, number = divmod(place, len(self._clips))
            samples.append(latent_sample(self._encoded(epoch, number), self._stages, stage, rng))
        return join(samples)

    def validation(self, stage: int, most: int) -> LatentSample | None:
        rng = np.random.default_rng(stage)
        samples = [latent_sample(stored, self._stages, stage, rng) for stored in self._held_out[:most]]
        return join(samples) if samples else None

    @cached_property
    def _held_out(self) -> list[ShardSample]:
        """A window of each validation clip that can be used; the same at every validation."""
        encoded = encode_clips(self._validation, self._settings, lambda: self._encoder)
        return [sample for clip in encoded for sample in clip.samples]

    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        for clip in self._clips:
            parsed = [clip.graph] if clip.graph is not None else self._encoder.graphs(clip.captions)
            yield from (graph for graph in parsed if isinstance(graph, SceneGraph))

    def _encoded(self, epoch: int, number: int) -> ShardSample:
        """The sample at a place of an epoch's order; the next one that can be used, if that clip cannot.

        Raises:
            MovAIError: if no clip can be used; it names the filters.
        """
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._clips))
        sampling = replace(self._settings.sampling, seed=(self._seed * 1_000_003 + epoch) % 2**31)
        settings = replace(self._settings, sampling=sampling)
        for later in range(len(order)):
            clip = self._clips[order[(number + later) % len(order)]]
            encoded = encode_clips([clip], settings, lambda: self._encoder)[0]
            if encoded.samples:
                return encoded.samples[0]
            reason, detail = encoded.dropped[0]
            if clip.key not in self._dropped:
                self._dropped[clip.key] = reason
                log.warning("%s: left out: %s (%s)", clip.key, reason, detail)
        reasons = ", ".join(sorted(set(self._dropped.values())))
        raise MovAIError(f"{self._path}: none of {len(self._clips)} clips can be used: {reasons}")
