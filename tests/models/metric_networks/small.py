"""Networks of a few thousand random weights, and videos for them."""

from __future__ import annotations

import numpy as np
import torch

from mov_ai.models.metric_networks.recognition import RecognitionConfig, VideoRecognition
from mov_ai.models.metric_networks.text_video import TextVideo, TextVideoConfig
from mov_ai.models.metric_networks.video_network import VideoNetworkConfig

BACKBONE = VideoNetworkConfig(
    widths=(8, 8, 16, 20), dilations=(1, 2), layers=1, heads=2, queries=2, found=12, frame_features=16, features=24
)
RECOGNITION = RecognitionConfig(BACKBONE)
TEXT_VIDEO = TextVideoConfig(
    words=(".", "a", "ball", "blue", "cube", "jumps", "red"), backbone=BACKBONE, dim=12, text_width=16, text_layers=1
)


def recognition() -> VideoRecognition:
    torch.manual_seed(0)
    return VideoRecognition(RECOGNITION).eval()


def text_video() -> TextVideo:
    torch.manual_seed(0)
    return TextVideo(TEXT_VIDEO).eval()


def video(frames: int = 16, height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    """Blocks of random colours that wander: uint8 (frames, height, width, 3)."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(-(-height // 8), 0).repeat(-(-width // 8), 1)
    return np.stack([np.roll(picture, 2 * f, 1)[:height, :width] for f in range(frames)])
