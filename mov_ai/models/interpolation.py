"""The interpolation network: the three latent frames between each two neighbouring ones, predicted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Frames, Layers, Positive
from mov_ai.diffusion.cosine import levels
from mov_ai.diffusion.process import noise_features
from mov_ai.models.cell_matching import match_cells, moved
from mov_ai.models.convolution import MatrixConv2d
from mov_ai.models.interpolation_blocks import MovedCopies, PairBlock, normalised

#: Frames between two neighbouring keyframes.
BETWEEN = 3
#: What skips count: frames of a video at so many frames a second. And the largest skip that is told apart.
RATE, MAX_SKIP = 128.0, 12.0
#: By how much faster a share of its own is learned than other weights.
_SOONER = 10.0
#: Sides, in cells, of what is averaged over to find how much keyframes differ.
_NEIGHBOURHOODS = (3, 7)
#: Steps of the schedule that perturbs the keyframes; and the most that training perturbs them by.
PERTURBATION_STEPS, MAX_PERTURBATION = 1000, 250


@dataclass(frozen=True)
class InterpolationConfig:
    """Sizes of the network, and how it is sampled.

    Attributes:
        latent_channels: channels of the codec's latents.
        widths: channels at the latents' own size, at half and at a quarter of it, ...
        blocks: residual blocks at each of these sizes, as many on the way down as on the way up.
        dim: of the vector that says time, skip and perturbation.
        spread: deviation of frames from the mean of the two keyframes around them, as a share of how much these differ
            thereabouts.
        least_spread: the same where they do not differ.
        steps: network evaluations, times two with guidance.
        guidance: w of the context guidance; 0 is none.
        perturbation: step of the schedule that the network is told the keyframes were perturbed by, 0 to 250.
    """

    latent_channels: Channels = 8
    widths: tuple[Channels, ...] = (48, 72, 96)
    blocks: tuple[Layers, ...] = (2, 1, 1)
    dim: Channels = 128
    spread: Positive = 0.5
    least_spread: Positive = 0.03
    steps: Frames = 1
    guidance: Annotated[float, Field(ge=0, le=10)] = 0.0
    perturbation: Annotated[int, Field(ge=0, le=MAX_PERTURBATION)] = 0

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("widths", "blocks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        least = min(*self.widths, *self.blocks, self.dim, 1)
        if not 1 <= len(self.widths) <= 8 or len(self.widths) != len(self.blocks) or least < 1:
            raise ValueError(
                f"interpolation: expected a width and blocks for each size, got {self.widths} and {self.blocks}"
            )


class InterpolationNetwork(nn.Module):
    """A convolutional U-Net over the latents of pairs of keyframes; each pair sees its neighbours by `PairMixing`.

    After FusionFrames (arXiv 2311.13073): left, three noisy frames and right in, v = alpha noise - sigma x_0 of the
    three out. Left and right come as their mean and their difference, beside what matching has made of them. What is
    known without a network is added outside of it, as EDM (arXiv 2206.00364) does: with keyframes, frames are spread
    about `MovedCopies` of both, brought together by `match_cells`, by a share of how much they differ, and the network
    says what differs from the v that follows from that alone, in units of its deviation: where keyframes are the same,
    what it says counts little. Without them it says v itself.
    """

    config: InterpolationConfig

    def __init__(self, config: InterpolationConfig) -> None:
        super().__init__()
        self.config = config
        channels, widths, dim = config.latent_channels, config.widths, config.dim
        sizes = range(len(widths))
        self.into = nn.Conv2d((BETWEEN + 3) * channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(PairBlock(widths[i], dim) for _ in range(config.blocks[i])) for i in sizes[:-1]
        )
        self.smaller = nn.ModuleList(MatrixConv2d(widths[i], widths[i + 1], 2, stride=2) for i in sizes[:-1])
        self.middle = nn.ModuleList(PairBlock(widths[-1], dim) for _ in range(2 * config.blocks[-1]))
        self.larger = nn.ModuleList(
            nn.Sequential(MatrixConv2d(widths[i + 1], 4 * widths[i], 1), nn.PixelShuffle(2)) for i in sizes[:-1]
        )
        self.up = nn.ModuleList(
            nn.ModuleList(PairBlock(widths[i], dim) for _ in range(config.blocks[i])) for i in sizes[:-1]
        )
        self.out = nn.Conv2d(widths[0], BETWEEN * channels, 3, padding=1)
        self.copies = MovedCopies(widths[0], BETWEEN)
        #: Times `_SOONER`: how much of the mixture is of keyframes that matching has moved; it is learned, from 0.
        self.matched = nn.Parameter(torch.zeros(1))
        self.told = nn.Sequential(nn.Linear(3 * 128, dim), nn.SiLU(), nn.Linear(dim, dim))
        one_frame = nn.Conv2d(channels, widths[0], 3, padding=1), nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.normal_(one_frame[1].weight, std=0.01)
        assert one_frame[1].bias is not None
        nn.init.zeros_(one_frame[1].bias)
        self.start_from(*one_frame)

    @torch.no_grad()
    def start_from(self, first: nn.Conv2d, last: nn.Conv2d) -> None:
        """Take the first and the last convolution of a network of single frames.

        The first sees the first of the noisy frames; weights of the other inputs are 0. The last is there three times:
        until it is trained, the network says the same of all three frames, whatever the keyframes are.

        Args:
            first: from `latent_channels` to the first width. last: from there to `latent_channels`.
        """
        channels = self.config.latent_channels
        self.into.weight.zero_()
        self.into.weight[:, channels : 2 * channels] = first.weight
        self.out.weight.copy_(last.weight.repeat(BETWEEN, 1, 1, 1))
        for part, bias in ((self.into, first.bias), (self.out, last.bias)):
            assert part.bias is not None
            assert bias is not None
            part.bias.copy_(bias.repeat(len(part.bias) // len(bias)))

    def forward(
        self, noisy: Tensor, time: Tensor, keyframes: Tensor, skip: Tensor, perturbation: Tensor, mask: Tensor
    ) -> Tensor:
        """v of the frames between, as noisy.

        Args:
            noisy: (batch, pairs, 3, channels, h, w) at `time`.
            time: (batch,) of the cosine schedule, in [0, 1].
            keyframes: (batch, pairs + 1, channels, h, w); they are not looked at where the mask is 0.
            skip: (batch,) how far neighbouring frames will lie apart, in units of 1 / `RATE` seconds.
            perturbation: (batch,) step of the schedule, 0 to 1000, that the keyframes were perturbed by; not looked at
                where the mask is 0.
            mask: (batch,) 1 with the keyframes, 0 without.
        """
        pairs, channels = noisy.shape[1], self.config.latent_channels
        mask = mask.to(noisy)
        # Not a product: 0 times a number that is none would still be seen.
        known = torch.where(mask.view(-1, 1, 1, 1, 1) > 0, keyframes, torch.zeros_like(keyframes))
        left, right = known[:, :-1], known[:, 1:]
        mean, spread = (left + right) / 2, self._spread(left, right, mask)
        alpha, sigma = levels(time, noisy)
        whole = alpha**2 * spread**2 + sigma**2
        # What the noisy frames tell, and how the keyframes differ, both in units of the spread: nothing but noise is 0.
        told = alpha * spread / whole * (noisy - alpha * mean[:, :, None])
        moved_left, moved_right = self._moved(left, right, spread)
        aligned = (moved_left + moved_right)[:, :, BETWEEN // 2] / 2
        parts = [mean, told.flatten(2, 3), *((part / spread[:, :, 0]) for part in (right - left, aligned - mean))]
        inputs = torch.cat(parts, 2)
        about = [time, (skip / MAX_SKIP).clamp(max=1), perturbation * mask / PERTURBATION_STEPS]
        vector = functional.silu(self.told(torch.cat([noise_features(value.to(noisy)) for value in about], -1)))
        features = self._unet(inputs.flatten(0, 1), vector, pairs, mask)
        said = self.out(features).float().unflatten(1, (BETWEEN, channels)).unflatten(0, (-1, pairs))
        share = _SOONER * self.matched
        mixed = (
            torch.lerp(still[:, :, None].expand_as(there), there, share).flatten(0, 1)
            for still, there in ((left, moved_left), (right, moved_right))
        )
        copied = self.copies(features, *mixed).unflatten(0, (-1, pairs))
        return sigma * (alpha * (1 - spread**2) * noisy - copied) / whole + spread * whole.rsqrt() * said

    @torch.no_grad()
    def weight(self, time: Tensor, keyframes: Tensor, mask: Tensor) -> Tensor:
        """What squared errors of v are multiplied by to be alike at all times: as errors of x_0 before there is any.

        alpha^2 S + sigma^2 with the mean S of a pair's squared deviations; 1 where the mask is 0. All arguments as of
        `forward`; (batch, pairs, 1, 1, 1, 1).
        """
        square = (self._spread(keyframes[:, :-1], keyframes[:, 1:], mask) ** 2).mean((-1, -2), keepdim=True)
        alpha, sigma = levels(time, square)
        return alpha**2 * square + sigma**2

    @torch.no_grad()
    def _moved(self, left: Tensor, right: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Both keyframes moved to where things are in each frame: (batch, pairs, 3, channels, h, w) each."""
        pairs = left.shape[1]
        before, after, square = (part.flatten(0, 1) for part in (left, right, spread[:, :, 0] ** 2))
        motion = match_cells(before, after, square)
        times = [(i + 1) / (BETWEEN + 1) for i in range(BETWEEN)]
        ways = (
            torch.stack([moved(before, -time * motion) for time in times], 1),
            torch.stack([moved(after, (1 - time) * motion) for time in times], 1),
        )
        from_left, from_right = (way.unflatten(0, (-1, pairs)) for way in ways)
        return from_left, from_right

    def _spread(self, left: Tensor, right: Tensor, mask: Tensor) -> Tensor:
        """By how much: (batch, pairs, 1, 1, h, w); 1 where nothing is known.

        Half by the cells around, and half by those farther away, as what is fast may leave a place as it was.
        """
        square = (right - left).square().mean(2).float()
        around = [
            functional.avg_pool2d(square, side, 1, side // 2, count_include_pad=False) for side in _NEIGHBOURHOODS
        ]
        known = torch.stack(around).mean(0) * self.config.spread**2 + self.config.least_spread**2
        given = mask.view(-1, 1, 1, 1) > 0
        return torch.where(given, known.sqrt(), torch.ones_like(known))[:, :, None, None]

    def _unet(self, x: Tensor, vector: Tensor, pairs: int, mask: Tensor) -> Tensor:
        """(batch * pairs, channels in, h, w) to (batch * pairs, first width, h, w)."""
        height, width = x.shape[-2:]
        multiple = 2 ** (len(self.config.widths) - 1)
        x = functional.pad(x, (0, -width % multiple, 0, -height % multiple), "replicate")
        x = self.into(x.contiguous(memory_format=torch.channels_last))
        kept: list[Tensor] = []
        for blocks, smaller in zip(self.down, self.smaller, strict=True):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, vector, pairs, mask)
            kept.append(x)
            x = smaller(x)
        for block in self.middle:
            x = block(x, vector, pairs, mask)
        for blocks, larger in reversed(list(zip(self.up, self.larger, strict=True))):
            x = larger(x) + kept.pop()
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, vector, pairs, mask)
        return functional.silu(normalised(x))[..., :height, :width]
