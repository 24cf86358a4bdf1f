"""What the interpolation network is built from: residual blocks whose convolutions are followed by one over pairs."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.models.convolution import MatrixConv2d, start_at_zero


class PairMixing(nn.Module):
    """A (3, 1, 1) convolution over the pairs of a clip, merged in: x <- (1 - alpha m) x + alpha m T(x).

    alpha is learned and starts at 0, as T does: alpha's own gradient sees x, so both begin to move. The first and the
    last pair see themselves twice.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(3 * width, width)
        self.alpha = nn.Parameter(torch.zeros(1))
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, x: Tensor, pairs: int, mask: Tensor) -> Tensor:
        """The merged activations.

        Args:
            x: (batch * pairs, width, h, w).
            pairs: of a clip.
            mask: (batch,) m, 0 where the conditions were left out: pairs then do not see each other.
        """
        clips = rearrange(x, "(b p) c h w -> b p h w c", p=pairs)
        before = torch.cat([clips[:, :1], clips[:, :-1]], 1)
        after = torch.cat([clips[:, 1:], clips[:, -1:]], 1)
        mixed = self.mix(torch.cat([before, clips, after], -1))
        share = (self.alpha * mask).to(x.dtype).view(-1, 1, 1, 1, 1)
        return rearrange(torch.lerp(clips, mixed.to(clips.dtype), share), "b p h w c -> (b p) c h w")


class PairBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, each followed by `PairMixing`; a vector shifts and scales between them.

    Each cell is normalised by itself: statistics of a crop are not those of a frame.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.first, self.second = (MatrixConv2d(width, width, 3, padding=1) for _ in range(2))
        self.first_pairs, self.second_pairs = PairMixing(width), PairMixing(width)
        self.modulation = nn.Linear(dim, 2 * width)
        for part in (self.second, self.modulation):
            start_at_zero(part)

    def forward(self, x: Tensor, vector: Tensor, pairs: int, mask: Tensor) -> Tensor:
        """x: (batch * pairs, width, h, w); vector: (batch, dim); mask: see `PairMixing`."""
        shift, scale = self.modulation(vector).repeat_interleave(pairs, 0)[..., None, None].chunk(2, 1)
        hidden = self.first_pairs(self.first(functional.silu(normalised(x))), pairs, mask) * (1 + scale) + shift
        return x + self.second_pairs(self.second(functional.silu(hidden)), pairs, mask)


def normalised(x: Tensor) -> Tensor:
    """(n, width, h, w) with a mean square of 1 in each cell."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-4).rsqrt().to(x.dtype)


class MovedCopies(nn.Module):
    """Frames between as mixtures of copies of both keyframes, each moved by whole cells: what moves far is seen there.

    A network that predicts kernels (Niklaus, Mai and Liu, "Video frame interpolation via adaptive convolution", CVPR
    2017), on latents. Before it is trained, all frames are the same mixture, mostly of both keyframes as they are.

    Args:
        width: channels that the shares are predicted from.
        frames: that are predicted.
    """

    #: (rows, columns) that copies are moved by: all up to two cells, and three cells in eight directions.
    MOVES = (
        *((y, x) for y in range(-2, 3) for x in range(-2, 3)),
        *((3 * y, 3 * x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x),
    )
    _REACH = 3
    #: What the shares of copies that are not moved begin with, before the softmax.
    _STAYS = 8.0

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.choose = nn.Conv2d(width, frames * 2 * len(self.MOVES), 1)
        nn.init.zeros_(self.choose.weight)
        assert self.choose.bias is not None
        stays = torch.tensor([self._STAYS * (move == (0, 0)) for move in self.MOVES])
        with torch.no_grad():
            self.choose.bias.copy_(stays.repeat(2 * frames))

    def forward(self, features: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """(n, frames, channels, h, w).

        Args:
            features: (n, width, h, w).
            left, right: (n, frames, channels, h, w) the keyframes, for each frame.
        """
        height, width = left.shape[-2:]
        shares = self.choose(features).float().unflatten(1, (self.frames, -1)).softmax(2)
        copies = []
        for keyframes in (left, right):
            padded = functional.pad(keyframes.float().flatten(0, 1), [self._REACH] * 4, "replicate")
            padded = padded.unflatten(0, (-1, self.frames))
            for y, x in self.MOVES:
                top, side = self._REACH + y, self._REACH + x
                copies.append(padded[..., top : top + height, side : side + width])
        return torch.einsum("nfmhw,nfmchw->nfchw", shares, torch.stack(copies, 2))
