"""Frame by frame: PSNR, SSIM, LPIPS, and an LPIPS-like distance on any network's features.

All take uint8 videos (T, H, W, 3) and return one figure for each frame, or pair of consecutive frames, as float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.preprocess import same_shape
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.weights import find_weights
from mov_ai.models.metric_networks.pixels import check_video, to_network

#: Identical frames have infinite PSNR, which neither a mean nor JSON can hold.
PSNR_LIMIT = 100.0
SSIM_WINDOW = 11
#: The smallest side that all three backbones take.
LPIPS_MIN_SIDE = 32
#: The networks take so many frames at a time, fewer if they hold more than so many pixels.
_FRAMES_AT_ONCE, _PIXELS_AT_ONCE = 16, 2**18

#: Frames (B, 3, H, W) in [-1, 1] -> features of some layers, each (B, C, h, w).
FeatureMaps = Callable[[Tensor], Sequence[Tensor]]
#: Two batches of frames (B, 3, H, W) in [-1, 1] -> distances (B,).
FrameDistance = Callable[[Tensor, Tensor], Tensor]


def psnr(video: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio: 10 log10(255² / MSE) dB over all pixels and channels of a frame; higher is better.

    (T,), range [0, 100]: frames without any difference, and none but those in practice, are 100 dB instead of infinite.

    Raises:
        UsageError: as `same_shape`.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    same_shape(video, reference)
    values = [
        float(peak_signal_noise_ratio(_double(a), _double(b), data_range=255.0).item())
        for a, b in zip(video, reference, strict=True)
    ]
    return np.minimum(values, PSNR_LIMIT)


def ssim(video: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Structural similarity, the mean over a frame and its channels: (T,), [-1, 1], higher is better.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), with its settings:
    Gaussian window of 11 pixels and σ 1.5, K1 0.01, K2 0.03, data range 255; only places where the window is inside the
    frame. From scikit-image: torchmetrics, as of 1.9, also averages over the border, where it reflects the frame.

    Raises:
        UsageError: as `same_shape`, or for frames smaller than 11×11.
    """
    same_shape(video, reference)
    if min(video.shape[1:3]) < SSIM_WINDOW:
        raise UsageError(f"SSIM: expected frames of at least 11×11 pixels, got {video.shape[1]}×{video.shape[2]}")
    from skimage.metrics import structural_similarity

    settings = {"channel_axis": -1, "gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}
    return np.asarray([structural_similarity(a, b, **settings) for a, b in zip(video, reference, strict=True)])


def _double(frame: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float64, 0 to 255."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).double()


def load_lpips(net: str = "alex", path: str | Path | None = None) -> nn.Module | Absent:
    """The `lpips` package's network (v0.1) on torchvision's pretrained backbone; absent without the backbone's weights.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018).

    Two batches (B, 3, H, W) in [-1, 1] -> (B, 1, 1, 1).

    Args:
        net: "alex" (what most papers quote), "vgg" or "squeeze".
        path: the backbone's file, trusted to be the right one; looked for, and checked, as `find_weights` does if None.

    Raises:
        UsageError: for another `net`. MovAIError: if the file is not that backbone.
    """
    import lpips

    if net not in ("alex", "vgg", "squeeze"):
        raise UsageError(f"LPIPS: expected the network alex, vgg or squeeze, got {net!r}")
    weights = find_weights(net) if path is None else Path(path)
    if isinstance(weights, Absent):
        return weights
    with warnings.catch_warnings():
        # lpips calls torchvision with arguments that are deprecated there.
        warnings.simplefilter("ignore", UserWarning)
        # pnet_rand: without it the package would download a backbone.
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for slice_ in (module for name, module in network.net.named_children() if name.startswith("slice")):
                for name, parameter in slice_.named_parameters():
                    parameter.copy_(state[f"features.{name}"])
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise MovAIError(f"{weights}: is not torchvision's {net} ({reason}); fetch the published file") from None
    return network.eval().requires_grad_(False)


def feature_distance(features: FeatureMaps) -> FrameDistance:
    """LPIPS's distance on any network's features, without LPIPS's learned weights for channels.

    Σ over layers of the mean over places of |f̂(a) - f̂(b)|², f̂ the features at a place brought to length 1: the
    "baseline" of Zhang et al. 2018. [0, 4 × layers], lower is nearer. Never to be called LPIPS: name it by the network.

    Raises (when called):
        UsageError: if the network gives no features, or of another shape than (B, C, h, w).
    """

    def distance(a: Tensor, b: Tensor) -> Tensor:
        total = torch.zeros(len(a), dtype=torch.float64)
        layers = list(zip(features(a), features(b), strict=True))
        if not layers or any(one.ndim != 4 or one.shape != other.shape or len(one) != len(a) for one, other in layers):
            raise UsageError("feature distance: expected features (frames, channels, height, width) of each layer")
        for one, other in layers:
            difference = (_unit(one) - _unit(other)) ** 2
            total += difference.sum(1).mean((1, 2)).double().cpu()
        return total

    return distance


def _unit(features: Tensor) -> Tensor:
    # lpips.normalize_tensor's epsilon, so that the two agree.
    return features / (features.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)


def between_consecutive_frames(video: np.ndarray, distance: FrameDistance) -> np.ndarray:
    """Distance of each frame to the next: (T - 1,). No direction by itself: a frozen video has 0.

    Raises:
        UsageError: as `check_video`, or for frames smaller than 32×32.
    """
    check_video(video, 2)
    return _distances(video[:-1], video[1:], distance)


def to_reference_frames(video: np.ndarray, reference: np.ndarray, distance: FrameDistance) -> np.ndarray:
    """Distance of each frame to the reference's: (T,); lower is better.

    Raises:
        UsageError: as `same_shape`, or for frames smaller than 32×32.
    """
    same_shape(video, reference)
    return _distances(video, reference, distance)


@torch.no_grad()
def _distances(first: np.ndarray, second: np.ndarray, distance: FrameDistance) -> np.ndarray:
    if min(first.shape[1:3]) < LPIPS_MIN_SIDE:
        raise UsageError(f"LPIPS: expected frames of at least 32×32 pixels, got {first.shape[1]}×{first.shape[2]}")
    many = min(_FRAMES_AT_ONCE, max(1, _PIXELS_AT_ONCE // (first.shape[1] * first.shape[2])))
    distances = [
        distance(to_network(first[i : i + many]), to_network(second[i : i + many])) for i in range(0, len(first), many)
    ]
    return torch.cat([part.reshape(-1).double().cpu() for part in distances]).numpy()
