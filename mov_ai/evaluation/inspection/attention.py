"""Where the video's tokens look: the first stage of a run made once more, with its cross-attention recorded."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.evaluation.inspection.run_folder import RunFolder
from mov_ai.graph import Layout, Node, SceneGraph
from mov_ai.graph.time import FULL, Interval
from mov_ai.labels.encoder import LabelEncoderConfig
from mov_ai.models.attention_record import cross_attentions, recorded_attention
from mov_ai.models.conditioning import latent_interval, node_interval, word_vectors
from mov_ai.models.registry import reads_graph
from mov_ai.pipeline import MovAIPipeline, text_of

#: A first stage that is further than this from the saved video, in dB over all frames, is another one; what H.264
#: takes away is less.
LEAST_PSNR = 28.0


@dataclass(frozen=True)
class Token:
    """What a video token can look at.

    Attributes:
        kind: "null" (the token that says nothing), "text", or the type of a node.
        name: a word, or a node's label.
        node: its id; None for others.
        interval: when it holds.
    """

    kind: str
    name: str
    node: str | None = None
    interval: Interval = FULL


@dataclass(frozen=True)
class AttentionMaps:
    """Where a run's first stage looked: m tokens of context, F latent frames, h × w places.

    Attributes:
        tokens: m, in the order of the context: the null token, the text's, the graph's nodes.
        maps: float32 (m, F, h, w), means over heads and over the chosen blocks and steps; the weights of a place sum
            to 1 over m.
        by_block: float32 (blocks, m), each token's share of all attention in each chosen block.
        blocks, steps: numbers of those that were chosen, from 1.
        coverage: float32 (m, F, h, w), how much of each place the boxes of what the token stands for cover; zeros
            where it has none.
        frames: uint8 (F, height, width, 3), the video's frame at the middle of each latent frame.
        times: (F,), those middles on [0, 1].
    """

    tokens: list[Token]
    maps: np.ndarray
    by_block: np.ndarray
    blocks: tuple[int, ...]
    steps: tuple[int, ...]
    coverage: np.ndarray
    frames: np.ndarray
    times: np.ndarray

    def to_npz(self, settings: dict[str, Any]) -> bytes:
        """The file's content: the arrays above by their names, the tokens' fields as arrays, and settings as JSON."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            maps=self.maps,
            by_block=self.by_block,
            blocks=np.array(self.blocks),
            steps=np.array(self.steps),
            coverage=self.coverage,
            times=self.times,
            kinds=np.array([token.kind for token in self.tokens]),
            names=np.array([token.name for token in self.tokens]),
            nodes=np.array([token.node or "" for token in self.tokens]),
            intervals=np.array([token.interval for token in self.tokens], np.float32),
            settings=np.array(json.dumps(settings, ensure_ascii=False)),
        )
        return buffer.getvalue()


@dataclass(frozen=True)
class Share:
    """How much is looked at a token, and where; all shares of 1.

    Attributes:
        token: which.
        attention: of all the attention of the video's tokens.
        in_boxes: of the attention to this token, that from inside its boxes; None without boxes.
        box_area: of all places, those inside its boxes: what `in_boxes` would be if places did not matter.
        in_interval: of the attention to this token, that from the frames of its interval.
        interval_length: what `in_interval` would be if frames did not matter.
    """

    token: Token
    attention: float
    in_boxes: float | None
    box_area: float | None
    in_interval: float
    interval_length: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        figures = {name: value for name, value in asdict(self).items() if name != "token"}
        rounded = {name: None if value is None else round(float(value), 5) for name, value in figures.items()}
        return {**asdict(self.token), "interval": list(self.token.interval), **rounded}


def attention_of_run(
    run: RunFolder, pipeline: MovAIPipeline, blocks: Sequence[int] = (), steps: Sequence[int] = ()
) -> AttentionMaps:
    """Make a run's first stage again and record where its tokens look.

    Args:
        pipeline: that made the run, in the run's precision.
        blocks, steps: which, from 1; none for all.

    Raises:
        UsageError: if the denoiser has no cross-attention or no such block, the run no such step, or the stage comes
            out otherwise than it was saved.
    """
    config = run.record.config
    denoiser = pipeline.cascade.denoiser(pipeline.cascade.config.first_stage)
    known = list(cross_attentions(denoiser))
    if not known:
        raise UsageError(
            f"checkpoint: {pipeline.name}: its denoiser ({type(denoiser).__name__}) has no cross-attention to text or "
            "graph, so there is nowhere that it looks; give a run of another pipeline"
        )
    _check_numbers("--block", blocks, known)
    saved = run.video(run.stages[0])
    height, width = saved.shape[1:3]
    if len(config.steps) != len(pipeline.cascade.config.stages):
        raise UsageError(
            f"{run.folder}: the run has steps for {len(config.steps)} stages, {pipeline.name} has "
            f"{len(pipeline.cascade.config.stages)}: its weights have changed since; generate the video again"
        )
    _check_numbers("--step", steps, range(1, config.steps[pipeline.cascade.config.first_stage] + 1))
    with recorded_attention(denoiser, tuple(blocks), tuple(steps)) as record:
        result = pipeline(
            run.graph,
            seed=run.record.seed,
            layout=run.layout,
            shape=replace(config.shape, height=height, width=width),
            steps=config.steps,
            guidance_text=config.guidance_text,
            guidance_graph=config.guidance_graph,
            guidance_interval=config.guidance_interval,
            stages=run.stages[:1],
        )
    _check_same(run, pipeline, result.frames, saved)
    frames = len(saved)
    maps, by_block = _joined(record.maps(), height / width)
    times = pipeline.cascade.codec.latent_times(frames)
    tokens = _tokens(run.graph, pipeline, len(maps))
    layout = run.layout if len(times) == run.layout.frames else run.layout.sampled(times)
    return AttentionMaps(
        tokens=[replace(t, interval=latent_interval(t.interval, times, frames)) for t in tokens],
        maps=maps,
        by_block=by_block,
        blocks=tuple(record.sums),
        steps=tuple(steps) or tuple(range(1, record.passes + 1)),
        coverage=np.stack([box_coverage(run.graph, layout, token, maps.shape[1:]) for token in tokens]),
        frames=result.frames[np.minimum((times * frames).astype(int), frames - 1)],
        times=times,
    )


def shares(looked: AttentionMaps) -> list[Share]:
    """The figures of every token, in the order of the context."""
    frames = looked.maps.shape[1]
    edges = np.linspace(0, 1, frames + 1)
    result = []
    for token, weights, covered in zip(looked.tokens, looked.maps, looked.coverage, strict=True):
        # Nobody looks at a token that only fills up a text.
        total = max(float(weights.sum()), 1e-12)
        within = _overlap(edges, *token.interval)
        boxed = bool(covered.any())
        result.append(
            Share(
                token=token,
                attention=float(weights.mean()),
                in_boxes=float((weights * covered).sum()) / total if boxed else None,
                box_area=float(covered.mean()) if boxed else None,
                in_interval=float((weights.sum((1, 2)) * within).sum()) / total,
                interval_length=float(within.mean()),
            )
        )
    return result


def box_coverage(graph: SceneGraph, layout: Layout, token: Token, grid: tuple[int, ...]) -> np.ndarray:
    """How much of each place the boxes of a token's node cover, float32 (frames, h, w); where boxes overlap, the most.

    An entity has its own boxes, an attribute those of its entities, an event those of its agents and patients.

    Args:
        layout: complete, with as many frames as the grid.
        grid: frames, h, w.
    """
    frames, height, width = grid
    covered = np.zeros(grid, np.float32)
    entities = [] if token.node is None else boxed_entities(graph, graph.node(token.node))
    rows, columns = np.linspace(0, 1, height + 1), np.linspace(0, 1, width + 1)
    for track in layout.tracks:
        if track.entity in entities:
            for f in range(frames):
                x, y, w, h, _, visible = track.boxes[f]
                if visible > 0:
                    box = np.outer(_overlap(rows, y - h / 2, y + h / 2), _overlap(columns, x - w / 2, x + w / 2))
                    covered[f] = np.maximum(covered[f], box)
    return covered


def boxed_entities(graph: SceneGraph, node: Node) -> list[str]:
    """Ids of the entities whose boxes a node speaks of."""
    if node.type == "entity":
        return [node.id]
    if node.type == "attribute":
        return [edge.source for edge in graph.edges_to(node.id, "has_attribute")]
    return [edge.target for kind in ("agent", "patient") for edge in graph.edges_from(node.id, kind)]


def _overlap(edges: np.ndarray, start: float, end: float) -> np.ndarray:
    """How much of each cell between neighbouring edges lies in [start, end]."""
    low, high = edges[:-1], edges[1:]
    return np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None) / (high - low)


def _check_numbers(option: str, chosen: Sequence[int], known: Sequence[int]) -> None:
    for number in chosen:
        if number not in known:
            raise UsageError(f"{option}: expected one of {', '.join(map(str, known))}; found {number}")


def _check_same(run: RunFolder, pipeline: MovAIPipeline, made: np.ndarray, saved: np.ndarray) -> None:
    error = np.inf
    if made.shape == saved.shape:
        error = float(np.square(made.astype(np.float32) - saved).mean())
    likeness = 10 * np.log10(255**2 / max(error, 1e-9))
    if likeness < LEAST_PSNR:
        raise UsageError(
            f"{run.folder}: made again, its first stage is another video ({likeness:.1f} dB; expected {LEAST_PSNR:g} "
            f"or more): the weights of {pipeline.name} have changed since, or the run began with a video or with "
            "latents of another seed; generate it again"
        )


def _joined(maps: dict[int, Tensor], aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Maps (m, F, h, w) of the mean block, and each block's shares (blocks, m).

    Args:
        maps: block -> (F, places, m). Where blocks have grids of several sizes, those of the smaller ones are enlarged.
        aspect: height over width.
    """
    grids = {}
    for block, weights in maps.items():
        height = max(1, round((weights.shape[1] * aspect) ** 0.5))
        grids[block] = rearrange(weights, "f (h w) m -> f m h w", h=height)
    largest = max((tuple(grid.shape[-2:]) for grid in grids.values()), key=lambda sides: sides[0] * sides[1])
    mean = sum(functional.interpolate(grid, largest, mode="nearest") for grid in grids.values())
    by_block = torch.stack([weights.mean((0, 1)) for weights in maps.values()])
    return rearrange(torch.as_tensor(mean) / len(grids), "f m h w -> m f h w").numpy(), by_block.numpy()


def _tokens(graph: SceneGraph, pipeline: MovAIPipeline, number: int) -> list[Token]:
    """The names of a context of that many tokens: null token, text, nodes."""
    denoiser: Any = pipeline.cascade.denoiser(pipeline.cascade.config.first_stage)
    nodes = []
    if getattr(denoiser, "graph", None) is not None:
        nodes = [Token(node.type, node.label, node.id, node_interval(graph, node)) for node in graph.nodes]
    text = text_of(graph) if reads_graph(denoiser.config) else graph.caption
    words = _words(text, pipeline, number - 1 - len(nodes))
    return [Token("null", "(nothing)"), *(Token("text", word) for word in words), *nodes]


def _words(text: str, pipeline: MovAIPipeline, number: int) -> list[str]:
    """The text's tokens, as many as the network has."""
    words: list[str] = []
    if pipeline.text_encoder is not None:
        tokenizer = pipeline.text_encoder.tokenizer
        words = list(tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]))
    else:
        word_vectors(text, _Listener(words))
    words = words[:number]
    return words + ["(none)"] * (number - len(words))


class _Listener:
    """Stands in for a label encoder, to learn which words of a text it is asked for."""

    config = LabelEncoderConfig(width=1)
    width = 1

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def __call__(self, labels: Sequence[tuple[str, str]]) -> Tensor:
        self._words += [word for _, word in labels]
        return torch.zeros(len(labels), self.width)
