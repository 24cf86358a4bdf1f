"""The networks that look at the videos: those that are on this machine, and for the others why they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.metrics.optical_flow import LucasKanade, OpticalFlow
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.video_pass import because

LPIPS_NETWORKS = ("alex", "vgg", "squeeze")
FLOWS = ("classical", "raft")
_Loaded = TypeVar("_Loaded")


class Recognition(Protocol):
    """The embedded network that recognises what a video shows. Frames are uint8 (T, H, W, 3)."""

    @property
    def network(self) -> str: ...
    @property
    def weights(self) -> str: ...
    def features(self, frames: np.ndarray, /) -> np.ndarray:
        """(D,) of the whole video."""

    def frame_features(self, frames: np.ndarray, /) -> np.ndarray:
        """(T, D) of its frames."""

    def feature_maps(self, x: Tensor, /) -> Sequence[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> (N, C, h, w) of some layers."""

    def probabilities(self, frames: np.ndarray, /) -> np.ndarray:
        """(K,) of the classes, sum 1."""


class TextSimilarity(Protocol):
    """A network that says how well a text fits a video uint8 (T, H, W, 3): higher is better."""

    @property
    def network(self) -> str: ...
    @property
    def weights(self) -> str: ...
    def similarity(self, text: str, frames: np.ndarray, /) -> float: ...


@dataclass(frozen=True)
class MetricNetworks:
    """What is there to measure with.

    Attributes:
        recognition, text_video: the embedded ones.
        clip: similarity of text and frames, given by the user.
        i3d: StyleGAN-V's TorchScript.
        lpips, lpips_network: the `lpips` package's network, and which of torchvision's backbones it has.
        flow: for smoothness, warping and motion.
        device: where the embedded networks and I3D compute.
    """

    recognition: Recognition
    text_video: TextSimilarity
    clip: TextSimilarity | Absent
    i3d: torch.jit.ScriptModule | Absent
    lpips: torch.nn.Module | Absent
    flow: OpticalFlow | Absent
    lpips_network: str = "alex"
    device: str = "cpu"


def load_networks(
    clip: str | Path | None = None, lpips: str = "alex", flow: str = "classical", device: str = "cpu"
) -> MetricNetworks:
    """Everything that this machine has.

    Args:
        clip: folder of a transformers CLIP checkpoint.
        flow: "classical", which needs no weights, or "raft", which is far slower.

    Raises:
        UsageError: for another `lpips` or `flow`, or a `clip` that is none.
    """
    from mov_ai.evaluation.metrics.image_quality import load_lpips
    from mov_ai.evaluation.metrics.optical_flow import load_raft
    from mov_ai.evaluation.metrics.preprocess import load_i3d
    from mov_ai.models.metric_networks.recognition import VideoRecognition
    from mov_ai.models.metric_networks.text_video import TextVideo

    for name, value, choices in (("lpips", lpips, LPIPS_NETWORKS), ("flow", flow, FLOWS)):
        if value not in choices:
            raise UsageError(f"{name}: expected one of {', '.join(choices)}; found {value!r}")
    clip_or_absent: TextSimilarity | Absent = Absent(
        "no CLIP checkpoint was given", "give the folder of any transformers CLIP with eval.clip=PATH, or --clip PATH"
    )
    if clip is not None:
        from mov_ai.evaluation.clip_similarity import ClipSimilarity

        clip_or_absent = ClipSimilarity.from_pretrained(clip)
    return MetricNetworks(
        recognition=VideoRecognition.from_pretrained(device=device),
        text_video=TextVideo.from_pretrained(device=device),
        clip=clip_or_absent,
        i3d=_or_absent(lambda: load_i3d(device=device)),
        lpips=_or_absent(lambda: load_lpips(lpips)),
        flow=LucasKanade() if flow == "classical" else _or_absent(load_raft),
        lpips_network=lpips,
        device=device,
    )


def _or_absent(load: Callable[[], _Loaded | Absent]) -> _Loaded | Absent:
    """What `load` returns; if its file is damaged, the reason, so that only its own metrics are absent."""
    try:
        return load()
    except MovAIError as error:
        return because(error)
