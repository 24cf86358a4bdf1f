"""A decoder on clips that it was not trained on: likeness to the truth, flicker, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.evaluation.metrics.bootstrap import mean_interval
from mov_ai.evaluation.metrics.image_quality import feature_distance, load_lpips, psnr, ssim, to_reference_frames
from mov_ai.evaluation.metrics.preprocess import same_shape
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.models.codec import AnyCodec, to_bytes
from mov_ai.models.metric_networks.recognition import VideoRecognition
from mov_ai.training.decoder_clips import EncodedClip

#: Times that a clip is decoded for the seconds.
REPEATS = 3


def change_error(video: np.ndarray, truth: np.ndarray) -> float:
    """Mean |(next frame - frame) - (the truth's)| in grey levels of 255; [0, 510], lower is better.

    Change that is not in the truth, as flicker is, and change of the truth that is missing; an error that stays the
    same over time counts nothing. A frozen video has the truth's own change.

    Args:
        video, truth: uint8 (T, H, W, 3), T 2 or more.

    Raises:
        UsageError: as `same_shape`.
    """
    same_shape(video, truth)
    own, true = (np.diff(frames.astype(np.int16), axis=0) for frames in (video, truth))
    return float(np.abs(own - true).mean())


@torch.no_grad()
def decoded(codec: AnyCodec, clip: EncodedClip) -> np.ndarray:
    """What a codec makes of a clip's latents, uint8 (frames, height, width, 3)."""
    return to_bytes(codec.decode(torch.from_numpy(clip.latents).float()[None]))[0].numpy()


def seconds_per_frame(codec: AnyCodec, clip: EncodedClip) -> float:
    """Of processor time, the median of a few: what else the machine does is not counted."""
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        decoded(codec, clip)
        taken.append(time.process_time() - began)
    return float(np.median(taken)) / len(clip.frames)


def figures(codec: AnyCodec, clips: Sequence[EncodedClip]) -> dict[str, list[float]]:
    """Figures by video: the means over its windows, in the order of their names.

    `psnr` in dB, `ssim`, `mse` of pixels in [0, 1], `features` (the distance on the embedded recognition network's
    features, no LPIPS), `change` in grey levels; `lpips_alex` where its published weights are on this machine.
    """
    distances = {"features": feature_distance(VideoRecognition.from_pretrained(device="cpu").feature_maps)}
    network = load_lpips("alex")
    if not isinstance(network, Absent):
        distances["lpips_alex"] = _lpips(network)
    by_video: dict[str, list[dict[str, float]]] = {}
    for clip in clips:
        video, truth = decoded(codec, clip), clip.frames
        row = {
            "psnr": float(psnr(video, truth).mean()),
            "ssim": float(ssim(video, truth).mean()),
            "mse": float(np.square((video.astype(np.float64) - truth) / 255).mean()),
            "change": change_error(video, truth),
        }
        row |= {name: float(to_reference_frames(video, truth, one).mean()) for name, one in distances.items()}
        by_video.setdefault(clip.name, []).append(row)
    names = next(iter(by_video.values()))[0]
    return {
        name: [float(np.mean([row[name] for row in rows])) for _, rows in sorted(by_video.items())] for name in names
    }


def _lpips(network: torch.nn.Module) -> Any:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        result: Tensor = network(a, b)
        return result

    return distance


def against(rows: Sequence[float], control: Sequence[float]) -> dict[str, Any]:
    """The mean of paired differences over videos with its 95 % bootstrap interval."""
    differences = [own - other for own, other in zip(rows, control, strict=True)]
    low, high = mean_interval(differences)
    return {"value": round(float(np.mean(differences)), 4), "ci95": [round(low, 4), round(high, 4)]}
