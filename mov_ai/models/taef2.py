"""TAEF2, a small codec for natural images: its network, and its weights in the forms that they come in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Finite, Positive
from mov_ai.models.codec import AnyCodec, require_multiple
from mov_ai.models.taef2_files import PART_FILES, PARTS
from mov_ai.weight_files import fit_weights, load_weights

#: Of all tensors in half precision, see `values_sha256`: what mov_ai's figures were measured with.
VALUES_SHA256 = "eeba61c5054772d6291eef74c1056c08ad796abb48659e825d7c03a9f9ddf50a"
#: Frames that are worked on at once: their activations fit a processor's cache, and memory does not grow with a video.
_CHUNK = 1


@dataclass(frozen=True)
class TAEF2Config:
    """Sizes of TAEF2.

    Attributes:
        latent_channels: channels of a latent.
        width: channels of every layer between.
        mean, std: of all latents of natural clips; latents are standardised with them.
    """

    latent_channels: Channels = 32
    width: Channels = 64
    mean: Finite = 0.0
    std: Positive = 0.83


class _Block(nn.Module):
    """Three convolutions beside the identity; a pooled block first adds what it sees of the whole frame.

    Group norm takes its statistics over the frame, and so is where the look at the whole comes from.
    """

    def __init__(self, width: int, pooled: bool = False) -> None:
        super().__init__()
        self.pool = (
            nn.Sequential(
                nn.Conv2d(width, 4 * width, 1, bias=False),
                nn.GroupNorm(4, 4 * width),
                nn.ReLU(),
                nn.Conv2d(4 * width, width, 1, bias=False),
            )
            if pooled
            else None
        )
        self.conv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:  # (n, width, h, w)
        if self.pool is not None:
            x = x + self.pool(x)
        return functional.relu(self.conv(x) + x)


class _SoftClamp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * torch.tanh(x / 3)


class TAEF2(AnyCodec):
    """Frames to latents and back, each frame alone, 8 times down (github.com/madebyollin/taesd, "taef2").

    It imitates the autoencoder of FLUX.2. Layers keep the numbers that their weights' names have.
    """

    config: TAEF2Config

    def __init__(self, config: TAEF2Config) -> None:
        super().__init__()
        self.config = config
        width, channels = config.width, config.latent_channels
        encoder: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), _Block(width)]
        for pooled in (False, False, True):
            encoder += [nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)]
            encoder += [_Block(width, pooled) for _ in range(3)]
        self.encoder = nn.Sequential(*encoder, nn.Conv2d(width, channels, 3, padding=1))
        decoder: list[nn.Module] = [_SoftClamp(), nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        decoder += [_Block(width, pooled=True) for _ in range(3)]
        for blocks in (3, 3, 1):
            decoder += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
            decoder += [_Block(width) for _ in range(blocks)]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(width, 3, 3, padding=1))

    def encode(self, video: Tensor) -> Tensor:
        require_multiple(video, self.factor)
        # The network's own pixels are in [0, 1].
        latents = _each_frame(self.encoder, (video + 1) / 2)
        return (latents - self.config.mean) / self.config.std

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        return _each_frame(self.decoder, latents * self.config.std + self.config.mean) * 2 - 1


def _each_frame(network: nn.Module, video: Tensor) -> Tensor:
    """(b, f, c, h, w) through a network of images, some frames at a time; float32 whatever the weights are."""
    flat = rearrange(video, "b f c h w -> (b f) c h w").to(next(network.parameters()).dtype)
    chunks = [network(chunk.contiguous(memory_format=torch.channels_last)) for chunk in flat.split(_CHUNK)]
    return rearrange(torch.cat(chunks), "(b f) c h w -> b f c h w", f=video.shape[1]).float().contiguous()


def load_taef2(files: Iterable[Path]) -> TAEF2:
    """The network with the weights of these files, see `taef2_files.weights_in`, as float32.

    Raises:
        UsageError: if a file is a pickle. MovAIError: if one is damaged or of another network.
    """
    files = list(files)
    tensors: dict[str, Tensor] = {}
    for file in files:
        for name, tensor in load_weights(file).items():
            tensors[_own_name(name, file.name)] = tensor
    with torch.device("meta"):
        module = TAEF2(TAEF2Config())
    fit_weights(module, tensors, str(files[0]))
    return module.eval()


def _own_name(name: str, file: str) -> str:
    """A tensor's name here; the published file says `decoder.layers.0` for the decoder's layer 1."""
    if file in PART_FILES:
        return f"{PARTS[PART_FILES.index(file)]}.{name}"
    part, _, rest = name.partition(".layers.")
    number, _, leaf = rest.partition(".")
    if part not in PARTS or not number.isdecimal():
        return name
    return f"{part}.{int(number) + (part == 'decoder')}.{leaf}"


def values_sha256(codec: TAEF2) -> str:
    """Of the tensors' half-precision values in the order of their names: the same in whatever form they are stored."""
    digest = hashlib.sha256()
    for name, tensor in sorted(codec.state_dict().items()):
        digest.update(name.encode("ascii") + tensor.contiguous().half().numpy().tobytes())
    return digest.hexdigest()
