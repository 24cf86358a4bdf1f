"""Real videos for the denoiser: shards that `mov-ai data prepare` wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import torch

from mov_ai.data.shard_sample import ShardSample
from mov_ai.data.shards import ShardSet
from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.models.codec import AnyCodec
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.clip_source import ClipSource, LatentSample, join
from mov_ai.training.objective import Progress

log = logging.getLogger(__name__)


class VideoClips(ClipSource):
    """Samples of shards.

    Which sample a step sees depends on the seed and the step alone: every sample once an epoch, in an order of its own.

    Args:
        path: folder of shards, or any address that fsspec knows.
        validation_path: of others to validate on; None for the first ones that are trained on, which measures memory.
        cache: folder for copies of remote shards.
        about: for the card: what the videos are and under which licence.
    """

    def __init__(
        self, path: str, validation_path: str | None = None, cache: str | None = None, about: str | None = None
    ) -> None:
        if not path:
            raise UsageError("data.path: expected a folder of shards; make one with `mov-ai data prepare VIDEOS --out`")
        self._train = ShardSet(path, cache)
        self._validation = self._train if validation_path is None else ShardSet(validation_path, cache)
        self.about = about or f"Trained on {len(self._train)} windows of videos that were prepared into {path}."
        if validation_path is None:
            log.warning("data.validation_path: not given; validation is on samples that are trained on")

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        self._stages, self._seed = stages, seed
        channels = codec.config.latent_channels
        made_with = self._train.settings.get("codec")
        if isinstance(made_with, dict) and made_with.get("sha256") != codec_identity(codec_source)["sha256"]:
            raise UsageError(
                f"{self._train.path}: prepared with the codec {made_with.get('name')}, whose weights are not those of "
                f"{codec_source}; set codec to the one that they were prepared with, or prepare them again"
            )
        for shards in {self._train.path: self._train, self._validation.path: self._validation}.values():
            if not len(shards):
                raise UsageError(f"{shards.path}: holds no samples")
            first = shards[0]
            missing = [str(stage) for stage in stages if stage not in first.latents]
            if missing:
                raise UsageError(
                    f"{shards.path}: holds latents of stages {', '.join(map(str, sorted(first.latents)))}, none of "
                    f"{', '.join(missing)}; prepare them again with --stages, or set model.denoiser.stages"
                )
            if first.latents[stages[0]].shape[1] != channels:
                raise UsageError(
                    f"{shards.path}: expected latents of {channels} channels, as the codec {codec_source} makes; found "
                    f"{first.latents[stages[0]].shape[1]}; give the codec that they were prepared with"
                )
        known = [self._train[i].layout is not None for i in range(min(len(self._train), 20))]
        self.has_boxes = any(known)
        self.trained_on = TrainedOn(self._train[0].shape)

    def prepare(self, progress: Progress) -> None:
        progress(len(self._train), len(self._train), "reading shards")

    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        chosen = self._train.batch_at(step, self._seed, batch_size)
        return join([latent_sample(self._train[int(i)], self._stages, stage, rng) for i in chosen])

    def validation(self, stage: int, most: int) -> LatentSample | None:
        rng = np.random.default_rng(stage)
        bucket = self._validation.bucket(0)
        numbers = [i for i in range(min(len(self._validation), 4 * most)) if self._validation.bucket(i) == bucket]
        return join([latent_sample(self._validation[i], self._stages, stage, rng) for i in numbers[:most]])

    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        for i in range(len(self._train)):
            yield from self._train[i].graphs


def latent_sample(stored: ShardSample, stages: tuple[int, ...], stage: int, rng: np.random.Generator) -> LatentSample:
    """One sample with one of its captions: whole at the first stage, a window of the first's size at a later one."""
    size = stages[stage]
    caption = int(rng.integers(len(stored.captions)))
    latents = stored.latents[size].float()
    low = stored.low[size].float() if size in stored.low else torch.zeros_like(latents)
    height, width = stored.latents[stages[0]].shape[-2:]
    high, wide = latents.shape[-2:]
    # Even, so that the earlier stage's window falls on whole cells as well.
    top, left = (2 * int(rng.integers((whole - part) // 2 + 1)) for whole, part in ((high, height), (wide, width)))
    latents, low = (x[..., top : top + height, left : left + width] for x in (latents, low))
    window = torch.tensor([[left / wide, top / high, width / wide, height / high]])
    return LatentSample(
        latents[None],
        low[None],
        window,
        torch.tensor([stage]),
        [stored.graphs[caption]],
        # Boxes belong to the entities of the first caption's graph.
        [stored.layout if caption == 0 else None],
        [stored.text[caption][None].float() if stored.text else None],
    )
