"""The earlier stages of the world's clips as a pipeline makes them: what the cascade's later stages are trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mov_ai.graph import Layout, SceneGraph
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.models.conditioning import condition
from mov_ai.models.registry import channels_last
from mov_ai.pipeline_files import load_parts, pipeline_folder
from mov_ai.worlds.tabletop.held_out import with_seen_words


class EarlierStages:
    """Makes clips' earlier stages from the clips' own graphs and boxes.

    Args:
        folder: of the pipeline.

    Attributes:
        stages: how many of the cascade's stages the pipeline makes.
    """

    def __init__(self, folder: str) -> None:
        self._cascade = channels_last(load_parts(pipeline_folder(folder))["cascade"])
        config: Any = self._cascade.denoiser(0).config
        self._labels = load_label_encoder(config.labels)
        self.stages = len(self._cascade.config.trained)
        self._seed, self._videos = -1, list[Tensor]()

    @torch.no_grad()
    def __call__(self, seed: int, graph: SceneGraph, layout: Layout, stage: int) -> Tensor:
        """The video of the stage before, (1, F, 3, side, side) in [-1, 1].

        Args:
            seed: of the noise; a clip's videos are kept until another seed is asked for.
            graph, layout: of the clip; the boxes are all given.
            stage: that is to be trained, at most `stages`.
        """
        if seed != self._seed:
            self._seed, self._videos = seed, []
        if len(self._videos) < stage:
            given = condition(with_seen_words(graph), layout, self._labels, layout.frames)
        while len(self._videos) < stage:
            before = self._videos[-1] if self._videos else None
            number = len(self._videos)
            guidance = self._cascade.config.own_guidance
            latents = self._cascade.run_stage(number, given, [seed], guidance, before, frames=layout.frames)
            self._videos.append(self._cascade.decode(latents, layout.frames))
        return self._videos[stage - 1]
