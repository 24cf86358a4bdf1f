"""The study's clips as latents, encoded once and kept on disk for all of its trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.codec import AnyCodec, to_unit
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.clip_encoder import codec_identity
from mov_ai.training.clip_source import LatentSample
from mov_ai.training.earlier_stages import EarlierStages
from mov_ai.training.latents import LatentCache, TabletopClips
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import simulate
from mov_ai.worlds.tabletop.world import WORLD_VERSION, gold_layout
from studies.graph_vs_text.world import FRAMES, SIZE, Told, tell

#: Raise it with every change of what a seed shows or says: cached clips are then made again.
VERSION = 2


def layout_of(told: Told) -> Layout:
    """The true boxes of a clip."""
    return gold_layout(told.scene, simulate(told.scene, FRAMES), told.caption)


def frames_of(told: Told) -> torch.Tensor:
    """The clip itself, uint8 (FRAMES, SIZE, SIZE, 3), sRGB."""
    return render(told.scene, SIZE, SIZE, states=simulate(told.scene, FRAMES))[0]


def encoded(codec: AnyCodec, told: Told) -> LatentSample:
    """A clip's latents with its gold graph and its boxes."""
    with torch.no_grad():
        clean = codec.encode(to_unit(frames_of(told))[None])
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    graph, layout = told.caption.graph, layout_of(told)
    return LatentSample(clean, torch.zeros_like(clean), window, torch.tensor([0]), [graph], [layout], [None])


class _Cache(LatentCache):
    """Chunks of the study's clips."""

    def clip_samples(self, codec: AnyCodec, seed: int, earlier: EarlierStages | None) -> list[LatentSample]:
        return [encoded(codec, tell(seed, self.split))]


class StudyClips(TabletopClips):
    """Clips of `studies.graph_vs_text.world`.

    Args:
        cache: folder for encoded clips.
        clips, validation_clips: of the two splits.
    """

    about = """Trained on the clips of `studies.graph_vs_text.world`: one or two things that move or change
colour, told in few words, rendered by this repository; no other data."""

    def __init__(self, cache: str = "cache/graph_vs_text", clips: int = 4000, validation_clips: int = 100) -> None:
        super().__init__(cache, clips, 0.0, validation_clips, drop_assumed=0.0)

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        if stages != (SIZE,) or frames != FRAMES:
            raise UsageError(
                f"graph_vs_text: expected a network of {FRAMES} frames and stage {SIZE}; found {frames} and {stages}"
            )
        self.trained_on = TrainedOn(VideoShape(frames, height=SIZE, width=SIZE), "tabletop")
        digest = codec_identity(codec_source)["sha256"][:12]
        folder = Path(self.cache) / f"{digest}_{WORLD_VERSION}_{VERSION}"
        self._train, self._validation = (
            _Cache(folder, codec_source, codec.factor, split, clips, 0.0, stages, frames)
            for split, clips in (("train", self.clips), ("validation", self.validation_clips))
        )

    def varied(self, graphs: list[SceneGraph], rng: np.random.Generator) -> list[SceneGraph]:
        return graphs
