"""The world's clips as they are rendered, in the order in which a training on shards sees their exported twins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from mov_ai.data.shards import ShardSet
from mov_ai.graph import SceneGraph
from mov_ai.models.codec import AnyCodec
from mov_ai.training.clip_source import LatentSample
from mov_ai.training.latents import LatentCache, TabletopClips
from mov_ai.worlds.tabletop.completion import without_assumed
from studies.exported_clips.export import as_annotated, clip_seed


class DirectClips(TabletopClips):
    """Clips without what a video file does to them; of graph and boxes only what an annotated file tells as well.

    Graphs are as captions say them, and depth is as annotated boxes have it.

    Args:
        shards: of the exported clips; they decide which clip comes when.
        split: of the clips, train or validation.
        cache: see `TabletopClips`.
        clips: of the training split. validation_clips: of the validation split.
        parsed: graphs and boxes are those of the shards, of which only the frames are left out.
    """

    def __init__(
        self, shards: ShardSet, split: str, cache: str, clips: int, validation_clips: int, parsed: bool = False
    ) -> None:
        super().__init__(cache, clips, 0.0, validation_clips, drop_assumed=1.0, workers=1)
        self._shards, self._split, self._parsed = shards, split, parsed

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        super().bind(codec_source, codec, stages, frames, seed)
        self._seed = seed

    @property
    def _clips(self) -> LatentCache:
        return self._train if self._split == "train" else self._validation

    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        chosen = self._shards.batch_at(step, self._seed, batch_size)
        places = self._clips.index[stage]
        drawn = self._clips.get([places[clip_seed(self._shards.keys[int(i)])] for i in chosen])
        if self._parsed:
            samples = [self._shards[int(i)] for i in chosen]
            drawn.graphs, drawn.layouts = [s.graph for s in samples], [s.layout for s in samples]
        else:
            drawn.layouts = [layout and as_annotated(layout) for layout in drawn.layouts]
        return drawn

    def varied(self, graphs: list[SceneGraph], rng: np.random.Generator) -> list[SceneGraph]:
        return [without_assumed(graph) for graph in graphs]

    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        for place in self._clips.index[stage]:
            yield from map(without_assumed, self._clips.get([place]).graphs)

    def latents(self) -> dict[int, Tensor]:
        """The latents of every clip, by its number; (frames, channels, h, w)."""
        return {seed: self._clips.get([place]).latents[0] for seed, place in enumerate(self._clips.index[0])}
