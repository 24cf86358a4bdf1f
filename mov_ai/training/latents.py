"""Latents of the world's clips, encoded once and kept on disk: what the denoiser trains on."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from mov_ai.data.worker_processes import end_with_parent
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import write_bytes
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.cascade import resize
from mov_ai.models.codec import AnyCodec, to_unit
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.denoiser import STAGES
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.clip_encoder import codec_identity, folder_digest
from mov_ai.training.clip_source import ClipSource, LatentSample, join
from mov_ai.training.earlier_stages import EarlierStages
from mov_ai.training.objective import Progress
from mov_ai.weight_files import tensor_bytes
from mov_ai.worlds.tabletop.completion import gold_graph, without_assumed
from mov_ai.worlds.tabletop.held_out import with_seen_words
from mov_ai.worlds.tabletop.render import render
from mov_ai.worlds.tabletop.scene import FRAMES, simulate
from mov_ai.worlds.tabletop.variation import PLAIN, WorldVariation
from mov_ai.worlds.tabletop.world import caption_and_layout, gold_layout

CHUNK = 50
#: Pixels rendered around a crop and cut off again as latents, so that cells hardly see the crop's edge: what is left is
#: a deviation of 0.01 to 0.02 from the whole frame's latents, whose own is 1.
MARGIN = 16


def make_sample(
    codec: AnyCodec,
    seed: int,
    split: str,
    stage: int,
    stages: tuple[int, ...] = STAGES,
    frames: int = FRAMES,
    variation: WorldVariation = PLAIN,
    crop: int | None = None,
    earlier: EarlierStages | None = None,
    number: int = 0,
) -> LatentSample:
    """Render and encode clip `seed` at a stage: whole at the first, around a random object later on.

    Args:
        codec: encodes frames.
        seed, split: of the clip.
        stage: index into `stages`, sides of the square videos in pixels.
        frames: of the video.
        variation: of the world's clips.
        crop: side in pixels of what is shown of later stages; None for the first stage's side.
        earlier: makes the earlier stage's video of a later one; None to render that too.
        number: of the window, of several of one clip.
    """
    scene, caption, _ = caption_and_layout(seed, split, variation)
    states = simulate(scene, frames)
    layout = gold_layout(scene, states, caption)
    graph = gold_graph(caption.graph, scene, caption.things)
    # Tracks are looked up by entity, so only their number must match.
    assert len(layout.tracks) == len(drawn_entities(graph))
    rng = np.random.default_rng([seed, stage, *([number] if number else [])])
    cell = codec.factor
    size, grid = stages[stage], (crop or stages[0]) // cell
    with torch.no_grad():
        if stage == 0:
            video, _ = render(scene, size, size, states=states)
            latents = codec.encode(to_unit(video)[None])
            low, window = torch.zeros_like(latents), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        else:
            track = layout.tracks[int(rng.integers(len(layout.tracks)))].boxes[int(rng.integers(frames))]
            centre = (track[:2] + track[2:4] * rng.uniform(-0.6, 0.6, 2)) * size / cell
            # In latent cells; even, so that the earlier stage's window falls on whole pixels as well.
            corner = np.clip(np.round((centre - grid / 2) / 2) * 2, 0, size // cell - grid).astype(int)

            def rendered(side: int, area: tuple[int, int, int, int]) -> Tensor:
                return to_unit(render(scene, side, side, crop=area, states=states)[0])[None]

            def made(side: int, area: tuple[int, int, int, int]) -> Tensor:
                top, left, high, wide = area
                assert earlier is not None
                return earlier(seed, graph, layout, stage)[..., top : top + high, left : left + wide]

            latents = _encode_window(codec, rendered, size, corner, grid, 1)
            before = stages[stage - 1]
            low = _encode_window(codec, made if earlier else rendered, before, corner, grid, size // before)
            share = grid * cell / size
            window = torch.tensor([[corner[0] * cell / size, corner[1] * cell / size, share, share]]).float()
    return LatentSample(latents, low, window, torch.tensor([stage]), [graph], [layout], [None])


def _encode_window(
    codec: AnyCodec,
    video_of: Callable[[int, tuple[int, int, int, int]], Tensor],
    size: int,
    corner: np.ndarray,
    grid: int,
    factor: int,
) -> Tensor:
    """Latents of a window of `grid` cells a side, of a video that is enlarged by `factor`.

    Args:
        video_of: gives the window (top, left, height, width) of the video of a size, (1, F, 3, height, width).
        size: of the video before it is enlarged.
        corner: (x, y) of the window in cells.
    """
    cell, pad = codec.factor, MARGIN // factor
    left, top = (int(c) * cell // factor - pad for c in corner)
    side = grid * cell // factor + 2 * pad
    x0, y0, x1, y1 = max(0, left), max(0, top), min(size, left + side), min(size, top + side)
    unit = resize(video_of(size, (y0, x0, y1 - y0, x1 - x0)), (y1 - y0) * factor, (x1 - x0) * factor)
    encoded = codec.encode(unit)
    # Windows at the frame's edge have no margin there, and none is cut off: whole frames have that edge too.
    skip_x, skip_y = (
        (int(corner[0]) * cell // factor - x0) * factor // cell,
        (int(corner[1]) * cell // factor - y0) * factor // cell,
    )
    return encoded[..., skip_y : skip_y + grid, skip_x : skip_x + grid]


class LatentCache:
    """Samples in chunks on disk, memory-mapped.

    Args:
        directory: where chunks lie; the codec's own digest should be part of its name.
        codec: folder or name of the codec.
        factor: pixels along a side of its cells.
        split: of the world.
        clips: clips at the first stage.
        late: share of the clips that also give a sample at each later stage.
        stages: sides of the stages' square videos in pixels, each a multiple of the one before.
        frames: of every video.
        variation: of the world's clips.
        crop, earlier: see `make_sample`; the second is a pipeline's folder.
        windows: of a clip at each later stage that is larger than they are.
    """

    def __init__(
        self,
        directory: Path,
        codec: str,
        factor: int,
        split: str,
        clips: int,
        late: float,
        stages: tuple[int, ...] = STAGES,
        frames: int = FRAMES,
        variation: WorldVariation = PLAIN,
        crop: int | None = None,
        earlier: str | None = None,
        windows: int = 1,
    ) -> None:
        if any(large % small for small, large in itertools.pairwise(stages)) or stages[0] % factor:
            raise UsageError(
                f"stages: expected sizes that are multiples of {factor} and of the size before; found {list(stages)}"
            )
        self.directory, self.codec, self.split, self.clips, self.late = directory, codec, split, clips, late
        self.stages, self.frames, self.variation = tuple(stages), frames, variation
        self.crop, self.earlier, self.windows = crop, earlier, windows
        self._open: dict[int, tuple[dict[str, Tensor], list[tuple[SceneGraph, Layout]]]] = {}
        #: (chunk, row) of every sample, by stage.
        self.index: list[list[tuple[int, int]]] = [[] for _ in self.stages]

    def prepare(self, progress: Progress, workers: int) -> None:
        """Make the chunks that are missing, in `workers` processes of one thread each, and index all of them."""
        self.make(progress, workers)
        chunks = range(-(-self.clips // CHUNK))
        for i in chunks:
            with safe_open(self.path(i), "pt") as file:
                stages = file.get_tensor("stage").tolist()
            for row, stage in enumerate(stages):
                self.index[stage].append((i, row))

    def make(self, progress: Progress, workers: int, process: int = 0, processes: int = 1) -> None:
        """Make those that are missing of every `processes`-th chunk from chunk `process` on."""
        chunks = range(process, -(-self.clips // CHUNK), processes)
        missing = [i for i in chunks if not self.path(i).exists()]
        done = len(chunks) - len(missing)
        total = min(self.clips, len(chunks) * CHUNK)
        progress(done * CHUNK, total, "encoding clips")
        if missing:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
                jobs = [pool.submit(_make_chunk, self, i) for i in missing]
                for job in as_completed(jobs):
                    job.result()
                    done += 1
                    progress(done * CHUNK, total, "encoding clips")

    def clip_samples(self, codec: AnyCodec, seed: int, earlier: EarlierStages | None) -> list[LatentSample]:
        """The samples of a clip: of the first stage, and of the later ones that `late` draws for it.

        Args:
            codec: as loaded.
            seed: of the clip.
            earlier: the pipeline `self.earlier`, as loaded.
        """
        # A pipeline makes what comes before the stage after its last one. The first stage begins with nothing.
        later = range(1, len(self.stages) if earlier is None else min(len(self.stages), earlier.stages + 1))
        draws = np.random.default_rng([seed, 99]).random(len(self.stages) - 1)
        stages = [*([0] if earlier is None else []), *(stage for stage in later if draws[stage - 1] < self.late)]
        given = (self.stages, self.frames, self.variation, self.crop, earlier)
        samples = []
        for stage in stages:
            several = stage > 0 and self.stages[stage] > (self.crop or self.stages[0])
            samples += [
                make_sample(codec, seed, self.split, stage, *given, number)
                for number in range(self.windows if several else 1)
            ]
        return samples

    def path(self, chunk: int) -> Path:
        """The file of a chunk."""
        return self.directory / f"{self.split}_{chunk:05d}.safetensors"

    def get(self, places: list[tuple[int, int]]) -> LatentSample:
        """The samples at these places of `index`, as one float32 batch."""
        return join([self._one(chunk, row) for chunk, row in places])

    def _one(self, chunk: int, row: int) -> LatentSample:
        if chunk not in self._open:
            with safe_open(self.path(chunk), "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            lines = tensors.pop("clips").numpy().tobytes().decode().split("\n")
            entries = [json.loads(line) for line in lines]
            # Read and checked once, not at every step that draws them.
            self._open[chunk] = (
                tensors,
                [(SceneGraph.from_dict(entry["graph"]), Layout.from_dict(entry["layout"])) for entry in entries],
            )
        tensors, clips = self._open[chunk]
        latents, low, window, stage = (tensors[name][row : row + 1] for name in ("latents", "low", "window", "stage"))
        graph, layout = clips[row]
        return LatentSample(latents.float(), low.float(), window, stage, [graph], [layout], [None])


def _make_chunk(cache: LatentCache, chunk: int) -> None:
    torch.set_num_threads(1)
    codec = load_codec(cache.codec)
    earlier = None if cache.earlier is None else EarlierStages(cache.earlier)
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    samples = [sample for seed in seeds for sample in cache.clip_samples(codec, seed, earlier)]
    if not samples:
        raise UsageError(f"data: late={cache.late:g} gives none of clips {chunk * CHUNK} to {(chunk + 1) * CHUNK - 1}")
    write_chunk(cache.path(chunk), join(samples), cache.split, chunk)


def write_chunk(path: Path, batch: LatentSample, split: str, chunk: int) -> None:
    """Write samples as one file: tensors, and a line of JSON for each clip's graph and layout."""
    clips = [
        json.dumps({"graph": graph.to_dict(), "layout": layout and layout.to_dict()})
        for graph, layout in zip(batch.graphs, batch.layouts, strict=True)
    ]
    text = torch.from_numpy(np.frombuffer("\n".join(clips).encode(), dtype=np.uint8).copy())
    tensors = {"latents": batch.latents.half(), "low": batch.low.half(), "window": batch.window, "stage": batch.stage}
    header = {"split": split, "chunk": json.dumps(chunk)}
    write_bytes(path, tensor_bytes({n: t.contiguous() for n, t in {**tensors, "clips": text}.items()}, header))


class TabletopClips(ClipSource):
    """The embedded world's clips, rendered and encoded once and kept on disk.

    Args:
        cache: folder for encoded clips.
        clips, late: see `LatentCache`.
        validation_clips: clips of the validation split.
        drop_assumed: how often a graph is left as it was said, without what the world completes.
        workers: processes that encode clips.
        variation: what clips may show beyond the plain ones; nothing if None.
        crop: side in pixels of the windows of later stages; None for the first stage's side.
        windows: of each clip at a later stage that is larger than they are.
        earlier: folder of a pipeline; what later stages begin with is then made by it, from the clips' own graphs and
            boxes, and there are samples of later stages only. None to render it.
    """

    about = """Trained on clips of the embedded world's training split, which this
repository renders and describes itself; no other data. It never saw the shape and colour pairs of
`mov_ai.worlds.tabletop.lexicon.HELD_OUT_PAIRS`. It knows no natural video."""

    def __init__(
        self,
        cache: str = "cache/latents",
        clips: int = 3000,
        late: float = 0.35,
        validation_clips: int = 50,
        drop_assumed: float = 0.1,
        workers: int = 2,
        variation: WorldVariation | None = None,
        crop: int | None = None,
        windows: int = 1,
        earlier: str | None = None,
    ) -> None:
        self.variation, self.crop, self.windows, self.earlier = variation or PLAIN, crop, windows, earlier
        self.cache, self.clips, self.late, self.validation_clips = cache, clips, late, validation_clips
        self.drop_assumed, self.workers = drop_assumed, workers

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        self.trained_on = TrainedOn(VideoShape(frames, height=stages[-1], width=stages[-1]), "tabletop")
        digest = codec_identity(codec_source)["sha256"]
        folder = Path(self.cache) / "-".join(
            [
                f"{digest[:12]}_{self.late:g}",
                *(str(n) for n in (*stages, frames)),
                *([self.variation.name] if self.variation.name else []),
                *([f"crop{self.crop}"] if self.crop else []),
                *([f"windows{self.windows}"] if self.windows > 1 else []),
                *([f"after_{folder_digest(Path(self.earlier))}"] if self.earlier else []),
            ]
        )
        further = (self.late, stages, frames, self.variation, self.crop, self.earlier, self.windows)
        self._train, self._validation = (
            LatentCache(folder, codec_source, codec.factor, split, clips, *further)
            for split, clips in (("train", self.clips), ("validation", self.validation_clips))
        )

    def prepare(self, progress: Progress) -> None:
        self._train.prepare(progress, self.workers)
        self._validation.prepare(progress, self.workers)

    def prepare_share(self, progress: Progress, process: int, processes: int) -> None:
        self._train.make(progress, self.workers, process, processes)
        # From the other end, for the processes that had the shorter share.
        self._validation.make(progress, self.workers, processes - 1 - process, processes)

    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        places = self._train.index[stage]
        if not places:
            raise UsageError(
                f"data: none of {self.clips} clips gives a sample at the stage of {self._train.stages[stage]}; raise "
                "data.late or data.clips, or set the stage's share to 0"
            )
        return self._train.get([places[int(i)] for i in rng.integers(len(places), size=batch_size)])

    def varied(self, graphs: list[SceneGraph], rng: np.random.Generator) -> list[SceneGraph]:
        as_said = rng.random(len(graphs)) < self.drop_assumed
        return [
            with_seen_words(without_assumed(graph) if bare else graph)
            for graph, bare in zip(graphs, as_said, strict=True)
        ]

    def validation(self, stage: int, most: int) -> LatentSample | None:
        places = self._validation.index[stage][:most]
        return self._validation.get(places) if places else None

    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        places = self._train.index[stage]
        for first in range(0, len(places), 200):
            yield from map(with_seen_words, self._train.get(places[first : first + 200]).graphs)
