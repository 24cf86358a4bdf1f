"""The refiner: a network of its own for the later stages of PVR, from the enlarged earlier video to the larger one."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Frames, Layers, Side
from mov_ai.diffusion.process import noise_features
from mov_ai.labels.coverage import SCENE_FIELDS
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.convolution import MatrixConv2d, TemporalResidual, start_at_zero
from mov_ai.models.denoiser import STAGES, AnyDenoiser, places
from mov_ai.models.label_projection import LabelProjection
from mov_ai.models.layout_painter import LayoutPainter


@dataclass(frozen=True)
class RefinerConfig:
    """Sizes of the refiner.

    Attributes:
        latent_channels: channels of the codec's latents.
        widths: channels at the latents' own size, at half and at a quarter of it, ...
        blocks: residual blocks at each of these sizes, as many on the way down as on the way up.
        dim: of the vector that says noise, stage and surroundings.
        labels: the label encoder that the network was trained with.
        stages: longer sides in pixels of the cascade's stages, ascending; the first is another network's.
        frames: frames of the videos that it was trained on.
    """

    latent_channels: Channels = 8
    widths: tuple[Channels, ...] = (64, 128)
    blocks: tuple[Layers, ...] = (2, 1)
    dim: Channels = 128
    labels: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    stages: tuple[Side, ...] = STAGES
    frames: Frames = 16

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        for name in ("widths", "blocks", "stages"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        least = min(*self.widths, *self.blocks, self.dim, 1)
        if not 1 <= len(self.widths) <= 8 or len(self.widths) != len(self.blocks) or least < 1:
            raise ValueError(f"refiner: expected a width and blocks for each size, got {self.widths} and {self.blocks}")

    @property
    def side_multiple(self) -> int:
        """Latents of any size are taken: sides that cannot be halved often enough are filled up inside."""
        return 1


class _Block(nn.Module):
    """Two 3x3 convolutions, shifted and scaled by a vector, then a look at the neighbouring frames."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.first = MatrixConv2d(width, width, 3, padding=1)
        self.second = MatrixConv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(dim, 2 * width)
        self.time = TemporalResidual(width)
        for part in (self.second, self.modulation):
            start_at_zero(part)

    def forward(self, x: Tensor, vector: Tensor, frames: int) -> Tensor:  # (batch * frames, width, h, w), (batch, dim)
        shift, scale = self.modulation(vector).repeat_interleave(frames, 0)[..., None, None].chunk(2, 1)
        hidden = self.first(functional.silu(x)) * (1 + scale) + shift
        return self.time(x + self.second(functional.silu(hidden)), frames)


class VideoRefiner(AnyDenoiser):
    """A convolutional U-Net over latents, frame by frame, whose blocks mix neighbouring frames.

    It goes from the earlier stage's video, enlarged, encoded and a little noised, to the clean latents of the larger
    one in one step. Places on the way are no inputs: beside the beginning they would give the end away in training.
    """

    config: RefinerConfig
    refines = True

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        width, dim = config.labels.width, config.dim
        self.painter = LayoutPainter(width)
        inputs = config.latent_channels + LayoutPainter.channels() + 2
        widths, sizes = config.widths, range(len(config.widths))
        self.into = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(_Block(widths[i], dim) for _ in range(config.blocks[i])) for i in sizes[:-1]
        )
        self.smaller = nn.ModuleList(MatrixConv2d(widths[i], widths[i + 1], 2, stride=2) for i in sizes[:-1])
        self.middle = nn.ModuleList(_Block(widths[-1], dim) for _ in range(2 * config.blocks[-1]))
        self.larger = nn.ModuleList(
            nn.Sequential(MatrixConv2d(widths[i + 1], 4 * widths[i], 1), nn.PixelShuffle(2)) for i in sizes[:-1]
        )
        self.up = nn.ModuleList(
            nn.ModuleList(_Block(widths[i], dim) for _ in range(config.blocks[i])) for i in sizes[:-1]
        )
        self.out = nn.Conv2d(widths[0], config.latent_channels, 3, padding=1)
        self.noise = nn.Sequential(nn.Linear(128, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.stage = nn.Embedding(len(config.stages), dim)
        self.scene = nn.ModuleList(LabelProjection(width, dim, rank=16) for _ in SCENE_FIELDS)
        nn.init.normal_(self.out.weight, std=0.01)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        for project in self.scene:
            assert isinstance(project, LabelProjection)
            project.start_small(0.05)

    def forward(
        self,
        low: Tensor,
        low_noise: Tensor,
        stage: Tensor,
        window: Tensor,
        condition: Conditioning,
    ) -> Tensor:
        """Clean latents, as low.

        Args:
            low: (batch, frames, channels, h, w) latents of the earlier stage's video, enlarged and noised.
            low_noise: (batch,) deviation of the noise that was added to `low`, in [0, 1].
            stage: (batch,) index into `RefinerConfig.stages`.
            window: (batch, 4) left, top, width, height of the part of the frame that is worked on, in [0, 1].
            condition: of the videos.
        """
        batch, frames, _, height, width = low.shape
        painting = self.painter(condition, height, width, window)
        joined = torch.cat([low, painting, places(low, window)], 2)
        flat = rearrange(joined, "b f c h w -> (b f) c h w")
        multiple = 2 ** (len(self.config.widths) - 1)
        filling = (0, -width % multiple, 0, -height % multiple)
        flat = functional.pad(flat, filling, "replicate").contiguous(memory_format=torch.channels_last)
        words = torch.stack([project(condition.scene[:, i]) for i, project in enumerate(self.scene)]).sum(0)
        vector = self.noise(noise_features(low_noise)) + self.stage(stage) + words * condition.keep_graph[:, None]
        vector = functional.silu(vector)
        x, kept = self.into(flat), []
        for blocks, smaller in zip(self.down, self.smaller, strict=True):
            for block in _blocks(blocks):
                x = block(x, vector, frames)
            kept.append(x)
            x = smaller(x)
        for block in self.middle:
            x = block(x, vector, frames)
        for blocks, larger in reversed(list(zip(self.up, self.larger, strict=True))):
            x = larger(x) + kept.pop()
            for block in _blocks(blocks):
                x = block(x, vector, frames)
        change = self.out(functional.silu(x))[..., :height, :width]
        change = rearrange(change, "(b f) c h w -> b f c h w", b=batch)
        return low + change


def _blocks(part: nn.Module) -> nn.ModuleList:
    assert isinstance(part, nn.ModuleList)
    return part
