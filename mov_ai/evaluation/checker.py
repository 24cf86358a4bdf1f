"""The checker's eye: a small network that finds the objects of the embedded world in a video; it sees frames only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mov_ai.evaluation.checker_tracks import Track, detect, link, to_planes
from mov_ai.models.component import load_component
from mov_ai.models.metric_networks.checker import CheckerConfig, CheckerNetwork

EMBEDDED = Path(__file__).resolve().parents[1] / "assets" / "tiny" / "checker"


class Checker:
    """Follows objects through a video, by a network that was trained on rendered clips and knows no generator."""

    def __init__(self, network: CheckerNetwork) -> None:
        self.network = network.eval()

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, device: torch.device | str = "cpu") -> Checker:
        """Load the embedded network, or one from a folder that training exported.

        Raises:
            UsageError, MovAIError: as `load_component`.
        """
        network = load_component(CheckerNetwork, CheckerConfig, EMBEDDED if path is None else path)
        return cls(network.to(device))

    def follow(self, video: np.ndarray | Tensor) -> list[Track]:
        """The objects of a video.

        Args:
            video: uint8 (F, H, W, 3), square; frames are brought to 128 pixels first (larger ones averaged over areas).

        Raises:
            UsageError: if it is not such a video.
        """
        return link(detect(self.network, to_planes(video)))
