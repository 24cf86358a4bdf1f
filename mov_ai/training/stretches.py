"""What the interpolation network trains on: latents of a few frames at a high rate, from whatever source."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec
from mov_ai.training.objective import Progress

#: How often what is trained on is chosen for its motion: floors that nothing moves on teach little.
LIVELY = 0.75


@dataclass
class Stretches:
    """Stretches of clips, a batch of B.

    Attributes:
        latents: (B, F, channels, h, w), clean and standardised, of frames that follow one another evenly.
        skip: (B,) how far neighbouring frames lie apart, in units of 1/128 s (see `mov_ai.models.interpolation.RATE`).
        source: which of several sources they are of; "" if there is one only.
    """

    latents: Tensor
    skip: Tensor
    source: str = ""

    def some_backwards(self, rng: np.random.Generator) -> Stretches:
        """The same, half of them from their last frame to the first."""
        chosen = torch.from_numpy(rng.random(len(self.skip)) < 0.5)
        return replace(self, latents=torch.where(chosen.view(-1, 1, 1, 1, 1), self.latents.flip(1), self.latents))


class StretchSource(abc.ABC):
    """Stretches for the interpolation network; `conf/experiment` names a source."""

    #: For the card: what the clips are, in a few sentences.
    about: str

    @abc.abstractmethod
    def bind(self, codec_source: str, codec: AnyCodec) -> None:
        """Say which codec makes the latents; called once, before `prepare`.

        Args:
            codec_source: what `codec` was loaded from.
            codec: makes the latents, each of one frame.
        """

    @abc.abstractmethod
    def prepare(self, progress: Progress) -> None:
        """Make what is missing on disk, and index it."""

    @abc.abstractmethod
    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        """Stretches to train on, all of one shape: a function of the arguments only."""

    @abc.abstractmethod
    def validation(self) -> list[Stretches]:
        """Stretches that are not trained on, a batch for each size of frames; [] if there are none."""


class MixedStretches(StretchSource):
    """Several sources side by side; what is drawn at a time is of one of them.

    Args:
        sources: by name.
        shares: how often each is drawn from.

    Raises:
        UsageError: if these do not name the same sources, or no share is above 0.
    """

    def __init__(self, sources: Mapping[str, StretchSource], shares: Mapping[str, float]) -> None:
        if set(sources) != set(shares) or min(shares.values(), default=0) < 0 or not sum(shares.values()):
            raise UsageError(
                f"data.shares: expected a share for each of {', '.join(sources)}, 0 or more and not all 0; "
                f"found {dict(shares)}"
            )
        self._sources, self._shares = dict(sources), np.array([shares[name] for name in sources], dtype=float)

    @property
    def about(self) -> str:  # type: ignore[override]
        return " ".join(source.about for source in self._sources.values())

    def bind(self, codec_source: str, codec: AnyCodec) -> None:
        for source in self._sources.values():
            source.bind(codec_source, codec)

    def prepare(self, progress: Progress) -> None:
        for source in self._sources.values():
            source.prepare(progress)

    def draw(self, batch_size: int, rng: np.random.Generator) -> Stretches:
        chosen = rng.choice(len(self._shares), p=self._shares / self._shares.sum())
        return list(self._sources.values())[int(chosen)].draw(batch_size, rng)

    def validation(self) -> list[Stretches]:
        return [
            replace(stretches, source=name)
            for name, source in self._sources.items()
            for stretches in source.validation()
        ]


def crop_around_change(latents: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A part (F, channels, side, side) of a stretch, usually around a cell that changes, the more, the likelier."""
    height, width = latents.shape[-2:]
    change = (latents[1:] - latents[:-1]).square().mean((0, 1)).flatten().numpy().astype(float)
    likely = change if rng.random() < LIVELY and change.sum() > 0 else np.ones_like(change)
    cell = int(rng.choice(len(likely), p=likely / likely.sum()))
    middle = np.array([cell // width, cell % width]) + rng.integers(-side // 4, side // 4 + 1, 2)
    top, left = (
        int(np.clip(place - side // 2, 0, max(0, whole - side)))
        for place, whole in zip(middle, (height, width), strict=True)
    )
    return latents[..., top : top + side, left : left + side]
