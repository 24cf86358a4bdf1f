"""The embedded recognition network: what is seen in a video of the world, and features for distances between sets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.checked_config import Channels
from mov_ai.models.metric_networks.stored import StoredNetwork
from mov_ai.models.metric_networks.video_network import VideoFeatures, VideoNetwork, VideoNetworkConfig, network_input

#: Damage that the network tells the strength of, so that its features keep it.
DAMAGES = ("resampling", "blur", "noise", "jpeg", "colors", "ghost", "flicker", "freeze", "shuffle")


@dataclass(frozen=True)
class RecognitionConfig:
    """Sizes of the network.

    Attributes:
        backbone: of what looks at the pixels.
        labels, classes: how many of each there are; a clip may have several labels and has one class.
        objects: pairs of shape and colour that a frame may show.
        looks: shapes and colours that a cell may show.
        motions: that may go on in a cell.
    """

    backbone: VideoNetworkConfig = field(default_factory=VideoNetworkConfig)
    labels: Channels = 316
    classes: Channels = 53
    objects: Channels = 32
    looks: Channels = 12
    motions: Channels = 14


@dataclass
class Recognised:
    """Logits for B videos of F frames; the world's `metric_labels` define what each number stands for.

    Attributes:
        labels: (B, labels); sigmoid.
        classes: (B, classes); softmax.
        damage: (B, 9), strength of each of `DAMAGES` in [0, 1]; sigmoid.
        objects: (B, F, objects), shape and colour pairs in each frame, shapes first; sigmoid.
        looks: (B, F, 64, looks), shapes, then colours, in each cell; sigmoid.
        motions: (B, F, 64, motions), what the objects in each cell are doing; sigmoid.
        features: what they are made of.
    """

    labels: Tensor
    classes: Tensor
    damage: Tensor
    objects: Tensor
    looks: Tensor
    motions: Tensor
    features: VideoFeatures


class VideoRecognition(StoredNetwork):
    """Names objects, motions, who does what when, relations, counts; and the damage that a video has suffered.

    The heads for frames and cells serve training. Frames are seen at 64x64, up to 16 of them: see `network_input`.
    """

    CONFIG, NAME = RecognitionConfig, "recognition"

    def __init__(self, config: RecognitionConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.backbone
        self.backbone = VideoNetwork(sizes)
        self.labels = nn.Linear(sizes.features, config.labels)
        self.classes = nn.Linear(sizes.features, config.classes)
        self.damage = nn.Linear(sizes.features, len(DAMAGES))
        self.objects = nn.Linear(sizes.frame_features, config.objects)
        self.looks = nn.Linear(sizes.widths[2], config.looks)
        self.motions = nn.Linear(sizes.widths[2], config.motions)

    @property
    def network(self) -> str:
        """What looked at the pixels, as results name it."""
        return f"embedded recognition network (mov_ai), {self.config.backbone.features} features"

    def forward(self, video: Tensor) -> Recognised:
        """Recognise videos (B, F, 3, 64, 64) in [-1, 1]."""
        backbone_features = self.backbone(video)
        return Recognised(
            self.labels(backbone_features.video),
            self.classes(backbone_features.video),
            self.damage(backbone_features.video),
            self.objects(backbone_features.frames),
            self.looks(backbone_features.cells),
            self.motions(backbone_features.moving),
            backbone_features,
        )

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Features (256,) float32 of a video uint8 (T, H, W, 3), T at least 2, for distances between sets of videos.

        Raises UsageError as `check_video`.
        """
        return self._recognised(frames).features.video[0].float().cpu().numpy()

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, (classes,) with sum 1: the first motion and the shape of what does it.

        Where several things begin together, or nothing moves and several rest, training shares the probability out.
        """
        return self._recognised(frames).classes[0].double().softmax(-1).cpu().numpy()

    def frame_features(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, 128) float32 of each frame by itself, not normalised; for subject consistency."""
        return self.backbone.frame_features(frames)

    @torch.no_grad()
    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """Features of frames at 1/2, 1/4 and 1/8 of their size, for `feature_distance`; frames are not resized.

        Args:
            x: (N, 3, H, W) in [-1, 1]. The network was trained with 64x64.

        Returns:
            (N, 24, H/2, W/2), (N, 48, H/4, W/4), (N, 128, H/8, W/8).
        """
        maps: list[Tensor] = self.backbone.frame(x.to(next(self.parameters()).device))
        return maps

    @torch.no_grad()
    def _recognised(self, frames: np.ndarray) -> Recognised:
        return self(network_input(frames).to(next(self.parameters()).device))
