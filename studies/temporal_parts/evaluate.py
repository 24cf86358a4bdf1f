"""Videos of an arm for captions that it was not trained on, and what is measured of them beside graph_vs_text's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.evaluation.metrics.bootstrap import set_interval
from mov_ai.evaluation.metrics.inception_score import inception_score
from mov_ai.evaluation.metrics.refinement import flicker, still_floor
from mov_ai.graph.files import write_json
from mov_ai.models.cascade import CASCADE_FILE
from mov_ai.models.metric_networks.recognition import VideoRecognition
from mov_ai.models.metric_networks.text_video import TextVideo
from mov_ai.models.registry import save_denoiser
from mov_ai.training.objectives.denoiser import DenoiserObjective
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import simulate
from studies.graph_vs_text.evaluate import MEASURE_VERSION, Judges
from studies.graph_vs_text.projection import built
from studies.graph_vs_text.world import FRAMES, SIZE

#: Raise the second with every change of what is measured here: earlier figures are then measured again.
VERSION = [MEASURE_VERSION, 1]


class TemporalJudges(Judges):
    """The judges of graph against text, and three figures more.

    Args:
        prompts: how many captions.
    """

    def __init__(self, prompts: int) -> None:
        super().__init__(prompts)
        self._classes, self._text_video = VideoRecognition.from_pretrained(), TextVideo.from_pretrained()
        rendered = (render(told.scene, SIZE, SIZE, states=simulate(told.scene, FRAMES)) for told in self.told)
        #: Where no clip has a thing or its shadow in any frame: a video may show what it was told in other places.
        self._still = np.logical_and.reduce([still_floor(video.numpy(), masks.numpy()) for video, masks in rendered])

    @property
    def networks(self) -> dict[str, str]:
        """Figure -> the network that it is taken with."""
        return {"is": self._classes.network, "similarity": self._text_video.network}

    def figures(self, videos: Sequence[np.ndarray]) -> dict[str, Any]:
        """As `Judges.figures`, and `is` with its interval, `similarity` to the caption and `flicker` of each video.

        The inception score is that of the embedded recognition network's classes, over all videos in one split;
        similarities are cosines of the embedded text-video network. Neither is the literature's. Flicker is in grey
        levels, see `mov_ai.evaluation.metrics.refinement.flicker`.
        """
        classes = np.stack([self._classes.probabilities(video) for video in videos])
        score = inception_score(classes, splits=1)
        interval = set_interval(lambda drawn: inception_score(drawn, splits=1), (classes,), score, minimum=1.0)
        pairs = zip(self.told, videos, strict=True)
        return {
            **super().figures(videos),
            "version": VERSION,
            "networks": self.networks,
            "is": {"value": round(score, 4), "ci95": [round(end, 4) for end in interval]},
            "similarity": [round(self._text_video.similarity(told.caption.text, video), 5) for told, video in pairs],
            "flicker": [round(flicker(video, self._still), 5) for video in videos],
            "still": round(float(self._still.mean()), 4),
        }


def save_alone(experiment: str, image_model: Path, folder: Path, settings: Sequence[str] = ()) -> None:
    """Write a video network that is the frozen image model alone: what is around it adds nothing before training.

    Args:
        experiment: an arm around an image model. settings: overrides of its configuration.
    """
    objective = built(experiment, [*settings, f"image_model={image_model}"])
    assert isinstance(objective, DenoiserObjective)
    assert objective.cascade is not None
    save_denoiser(objective.module(), folder)
    write_json(folder / CASCADE_FILE, asdict(objective.cascade))
