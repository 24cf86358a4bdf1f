"""What the denoiser trains on: clean latents with their graphs and layouts, from whatever source."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mov_ai.graph import Layout, SceneGraph
from mov_ai.models.codec import AnyCodec
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.objective import Progress


@dataclass
class LatentSample:
    """Training samples, a batch of S.

    Attributes:
        latents: (S, F, channels, h, w) clean, standardised; the whole frame of the first stage, and a crop of later
            ones.
        low: the same window one stage earlier, enlarged and encoded; zeros at the first stage.
        window: (S, 4) left, top, width, height in the frame.
        stage: (S,) index into the stages.
        graphs: S graphs, completed with what the clips show if the source knows it.
        layouts: S layouts, None where the boxes are not known.
        text: S features (1, tokens, width) of a pretrained text encoder, None where they are still to be made.
    """

    latents: Tensor
    low: Tensor
    window: Tensor
    stage: Tensor
    graphs: list[SceneGraph]
    layouts: list[Layout | None]
    text: list[Tensor | None]


def join(samples: list[LatentSample]) -> LatentSample:
    """Samples as one batch."""
    return LatentSample(
        torch.cat([s.latents for s in samples]),
        torch.cat([s.low for s in samples]),
        torch.cat([s.window for s in samples]),
        torch.cat([s.stage for s in samples]),
        [graph for s in samples for graph in s.graphs],
        [layout for s in samples for layout in s.layouts],
        [features for s in samples for features in s.text],
    )


class ClipSource(abc.ABC):
    """Clips for the denoiser; `conf/data` names one."""

    #: For the card: what the clips are, in a few sentences.
    about: str
    #: Shape and world of the clips, known once the source is bound.
    trained_on: TrainedOn
    #: Whether any clip comes with boxes.
    has_boxes = True

    @abc.abstractmethod
    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        """Say what is to be trained; called once, before `prepare`.

        Args:
            codec_source: what `codec` was loaded from.
            codec: makes the latents.
            stages: longer sides of the stages in pixels, ascending.
            frames: of every sample.
            seed: of the run.

        Raises:
            UsageError: if the source has no such samples.
        """

    @abc.abstractmethod
    def prepare(self, progress: Progress) -> None:
        """Make what is missing on disk, and index it."""

    def prepare_share(self, progress: Progress, process: int, processes: int) -> None:  # noqa: B027 (optional)
        """Make this process's share of what is missing on disk, see `Objective.prepare_share`."""

    @abc.abstractmethod
    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        """The training samples of a step: a function of the arguments only, `rng` being of (seed, step)."""

    @abc.abstractmethod
    def validation(self, stage: int, most: int) -> LatentSample | None:
        """The first samples at a stage that are not trained on, at most so many; None if there are none."""

    @abc.abstractmethod
    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        """The graph of every clip that is trained on at a stage, with the words that training sees."""

    def varied(self, graphs: list[SceneGraph], rng: np.random.Generator) -> list[SceneGraph]:
        """The graphs as training shows them this time; as they are where a source varies nothing."""
        return graphs
