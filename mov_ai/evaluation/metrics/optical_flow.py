"""Optical flow between frames: a classical one that needs no weights, and torchvision's RAFT where its weights are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.weights import WEIGHTS, find_weights


class OpticalFlow(Protocol):
    """Flow from frames to frames: (B, 3, H, W) in [0, 1], twice -> (B, 2, H, W), x and y displacement in pixels.

    What is at p in the first frame is at p + flow(p) in the second.

    Attributes:
        network, weights: as `Provenance` takes them.
    """

    @property
    def network(self) -> str: ...
    @property
    def weights(self) -> str | None: ...
    def __call__(self, first: Tensor, second: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class LucasKanade:
    """Dense pyramidal Lucas-Kanade (Lucas and Kanade 1981; Bouguet 2000) on the grey image; no weights.

    At each level, from coarse to fine, flow is refined by least squares over a Gaussian window. Places without texture
    stay where the coarser level put them. Finds shifts up to about a fifth of the side.

    Attributes:
        sigma: of the window, in pixels of the level.
        smallest: the pyramid stops before a side gets shorter than this.
        damping: added to the window's structure tensor (grey in [0, 1]): the shimmer of generated videos must not move
            flat places.
    """

    weights: ClassVar[None] = None

    sigma: float = 4.0
    iterations: int = 4
    smallest: int = 12
    damping: float = 3e-3

    @property
    def network(self) -> str:
        return f"Lucas-Kanade, pyramidal (sigma {self.sigma:g}, {self.iterations} iterations, damping {self.damping:g})"

    @torch.no_grad()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        pyramid = [(_blur(_grey(first), 0.8), _blur(_grey(second), 0.8))]
        while min(pyramid[-1][0].shape[-2:]) // 2 >= self.smallest:
            pyramid.append(tuple(F.avg_pool2d(_blur(image, 0.8), 2) for image in pyramid[-1]))  # type: ignore[arg-type]
        flow = torch.zeros(len(first), 2, *pyramid[-1][0].shape[-2:], device=first.device)
        for level, (one, other) in enumerate(reversed(pyramid)):
            if level:
                grown = F.interpolate(flow, one.shape[-2:], mode="bilinear", align_corners=False)
                ratio = torch.tensor([one.shape[-1] / flow.shape[-1], one.shape[-2] / flow.shape[-2]])
                flow = grown * ratio.to(flow).view(1, 2, 1, 1)
            gx, gy = _gradients(one)
            for _ in range(self.iterations):
                # Where the flow points out of the frame there is nothing to compare.
                is_inside = _inside(flow)
                error = warp(other, flow) - one
                sums = torch.cat([gx * gx, gx * gy, gy * gy, gx * error, gy * error], 1) * is_inside
                xx, xy, yy, bx, by = _blur(sums, self.sigma).split(1, 1)
                xx, yy = xx + self.damping, yy + self.damping
                step = torch.cat([yy * bx - xy * by, xx * by - xy * bx], 1) / (xx * yy - xy * xy)
                flow = flow - step.clamp(-1, 1)
        return flow


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Take (B, C, H, W) at p + flow(p), bilinearly; beyond the border, the border. Flow (B, 2, H, W) in pixels."""
    height, width = image.shape[-2:]
    x, y = _targets(flow)
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def visible(forward: Tensor, backward: Tensor) -> Tensor:
    """Which pixels of the first frame are seen in the second: (B, 1, H, W), 0 or 1.

    Forward and backward flow (B, 2, H, W) agree there: |f + b(p + f)|² < 0.01 (|f|² + |b|²) + 0.5 (Sundaram et al.
    2010), and p + f is inside the frame.
    """
    back = warp(backward, forward)
    agree = (forward + back).pow(2).sum(1) < 0.01 * (forward.pow(2).sum(1) + back.pow(2).sum(1)) + 0.5
    return agree[:, None] * _inside(forward)


def _targets(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel goes: x and y, each (B, H, W)."""
    height, width = flow.shape[-2:]
    x, y = torch.arange(width, device=flow.device), torch.arange(height, device=flow.device)
    return flow[:, 0] + x, flow[:, 1] + y[:, None]


def _inside(flow: Tensor) -> Tensor:
    """Which pixels stay in the frame: (B, 1, H, W), 0 or 1."""
    x, y = _targets(flow)
    stays = (x >= 0) & (x <= flow.shape[-1] - 1) & (y >= 0) & (y <= flow.shape[-2] - 1)
    return stays[:, None].to(flow.dtype)


def _grey(frames: Tensor) -> Tensor:
    return (frames * torch.tensor([0.299, 0.587, 0.114], device=frames.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (B, C, H, W), separable, borders repeated."""
    radius = max(1, round(3 * sigma))
    places = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    channels = image.shape[1]
    across, down = (kernel.view(shape).expand(channels, -1, -1, -1) for shape in ((1, 1, 1, -1), (1, 1, -1, 1)))
    return F.conv2d(F.conv2d(padded, across, groups=channels), down, groups=channels)


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return gx, gy


class Raft:
    """RAFT (Teed and Deng, ECCV 2020), torchvision's; frames are resized to multiples of 8, at least 128."""

    network = "RAFT large, torchvision, 20 updates"

    def __init__(self, model: nn.Module, weights: str) -> None:
        """Flow of a RAFT network whose weights are named `weights`."""
        self._model, self.weights = model, weights

    @torch.no_grad()
    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        height, width = first.shape[-2:]
        size = [max(128, -(-side // 8) * 8) for side in (height, width)]
        one, other = (F.interpolate(x, size, mode="bilinear", align_corners=False) * 2 - 1 for x in (first, second))
        flow = F.interpolate(
            self._model(one, other, num_flow_updates=20)[-1], (height, width), mode="bilinear", align_corners=False
        )
        scale: Tensor = torch.tensor([width / size[1], height / size[0]]).to(flow).view(1, 2, 1, 1)
        return flow * scale


def load_raft(path: str | Path | None = None) -> Raft | Absent:
    """torchvision's RAFT large; absent without its weights. MovAIError if the file is not that network.

    Args:
        path: the file, trusted to be the right one; looked for, and checked, as `find_weights` does if None.
    """
    from torchvision.models.optical_flow import raft_large

    weights = find_weights("raft") if path is None else Path(path)
    if isinstance(weights, Absent):
        return weights
    model = raft_large(weights=None, progress=False)
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise MovAIError(f"{weights}: is not torchvision's RAFT large ({reason}); fetch the published file") from None
    return Raft(model.eval().requires_grad_(False), WEIGHTS["raft"].identity if path is None else str(weights))
