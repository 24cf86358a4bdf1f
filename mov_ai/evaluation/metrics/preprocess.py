"""From uint8 videos to what metric networks take: one documented range, no guessing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.metrics.weights import WEIGHTS, check_weights, find_weights
from mov_ai.models.metric_networks.pixels import check_video

I3D_SIZE, I3D_MIN_FRAMES = 224, 10
I3D_NETWORK = "I3D, 400 Kinetics logits, StyleGAN-V TorchScript"


def same_shape(video: np.ndarray, reference: np.ndarray) -> None:
    """Check that two videos can be compared frame by frame; UsageError as `check_video`, or if their shapes differ."""
    check_video(video)
    check_video(reference, name="reference")
    if video.shape != reference.shape:
        raise UsageError(
            f"video and reference: expected the same (frames, height, width, 3), got {video.shape} and "
            f"{reference.shape}; cut and resize them alike first"
        )


def to_i3d(video: np.ndarray) -> Tensor:
    """What the I3D network takes: (3, T, 224, 224) float32 in [-1, 1], frames resized bilinearly to 224×224.

    As StyleGAN-V does inside its TorchScript (`rescale=True, resize=True`): the frame is stretched, not cropped,
    corners not aligned, without antialiasing; 0 becomes -1 and 255 becomes 1. UsageError for T < 10.
    """
    check_video(video, I3D_MIN_FRAMES)
    frames = torch.from_numpy(np.ascontiguousarray(video)).permute(0, 3, 1, 2).float()
    resized = F.interpolate(frames, (I3D_SIZE, I3D_SIZE), mode="bilinear", align_corners=False)
    return resized.permute(1, 0, 2, 3) * (2 / 255) - 1


def load_i3d(path: str | Path | None = None, device: torch.device | str = "cpu") -> torch.jit.ScriptModule | Absent:
    """StyleGAN-V's I3D; absent if it is not on this machine.

    TorchScript runs code from the file, so that nothing but the one known file is loaded, by its SHA-256.

    Args:
        path: the file; looked for as `find_weights` does if None.

    Raises:
        MovAIError: if the file is another one, or this torch cannot load it.
    """
    if path is None:
        weights = find_weights("i3d")
        if isinstance(weights, Absent):
            return weights
        return _load_torchscript(weights, device)
    if not Path(path).is_file():
        return Absent(f"{path} is not there", f"mov-ai weights pull i3d, or give the file from {WEIGHTS['i3d'].url}")
    return _load_torchscript(check_weights(Path(path), WEIGHTS["i3d"].sha256), device)


def _load_torchscript(path: Path, device: torch.device | str) -> torch.jit.ScriptModule:
    try:
        network: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)
    except (RuntimeError, AttributeError) as error:
        raise MovAIError(_too_new(path, error)) from None
    network.eval()
    return network


def _too_new(source: object, error: Exception) -> str:
    reason = " ".join(str(error).split())[-200:]
    return (
        f"{source}: torch {torch.__version__} cannot run this TorchScript ({reason}); use another torch for FVD on I3D"
    )


def i3d_features(
    network: torch.jit.ScriptModule, videos: Iterable[np.ndarray], batch: int = 4, device: torch.device | str = "cpu"
) -> Iterator[np.ndarray]:
    """Logits of videos (T, H, W, 3), batch by batch: (B, 400) float32; memory of one batch.

    Videos of another length than the one before start a new batch.

    Raises:
        MovAIError: if this torch cannot run the network.
    """
    for inputs in _batches(videos, batch):
        try:
            # Without the optimiser: its fuser compiles on the second call, and fails there for some versions of torch.
            with torch.no_grad(), torch.jit.optimized_execution(False):
                logits = network(inputs.to(device), rescale=False, resize=False, return_features=True)
        except RuntimeError as error:
            raise MovAIError(_too_new("I3D", error)) from None
        yield logits.float().cpu().numpy()


def _batches(videos: Iterable[np.ndarray], size: int) -> Iterator[Tensor]:
    waiting: list[Tensor] = []
    for video in videos:
        if waiting and (len(waiting) == size or len(video) != waiting[0].shape[1]):
            yield torch.stack(waiting)
            waiting = []
        waiting.append(to_i3d(video))
    if waiting:
        yield torch.stack(waiting)
