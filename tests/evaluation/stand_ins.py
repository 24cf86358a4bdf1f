"""Networks, prompts and a pipeline that need no weights, for tests of the suites around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mov_ai.evaluation.benchmark import Score
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.networks import MetricNetworks
from mov_ai.evaluation.video_run import Parts
from mov_ai.graph import Layout, Node, SceneGraph
from tests.evaluation.metrics.videos import simple_features, sprites

CATEGORIES = ("motion", "counts", "order")


class StandInRecognition:
    """Colours and edges for features; the brightest colour for a class."""

    network, weights = "embedded stand-in", "embedded, none"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._backbone = nn.Conv2d(3, 8, 5, 2)

    def features(self, frames: np.ndarray, /) -> np.ndarray:
        # They look nine frames ahead; a short video stands still at its end.
        return simple_features(frames[np.minimum(np.arange(max(10, len(frames))), len(frames) - 1)])

    def frame_features(self, frames: np.ndarray, /) -> np.ndarray:
        return frames.mean((1, 2)) + 1.0

    def feature_maps(self, x: Tensor, /) -> Sequence[Tensor]:
        return [self._backbone(x)]

    def probabilities(self, frames: np.ndarray, /) -> np.ndarray:
        shares = np.exp(frames.mean((0, 1, 2)) / 20)
        return shares / shares.sum()


class StandInFlow:
    """Nothing moves."""

    network, weights = "stand-in flow", None

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.zeros(len(first), 2, *first.shape[-2:])


class StandInText:
    """Likes videos whose mean red is the number of letters."""

    network, weights = "embedded stand-in of text", "embedded, none"

    def similarity(self, text: str, frames: np.ndarray, /) -> float:
        return 1 - abs(frames[..., 0].mean() - len(text)) / 255


def networks(**others: Any) -> MetricNetworks:
    """All that needs no weights."""
    missing = Absent("no such file", "mov-ai weights pull it")
    found = MetricNetworks(
        StandInRecognition(), StandInText(), replace(missing, reason="no CLIP"), missing, missing, StandInFlow()
    )
    return replace(found, **others)


@dataclass(frozen=True)
class StandInPrompt:
    id: str
    category: str
    text: str
    graph: SceneGraph
    seed: int


@dataclass(frozen=True)
class StandInClip:
    frames: np.ndarray
    graph: SceneGraph
    layout: Layout

    @property
    def masks(self) -> np.ndarray:
        """One object, in the middle of every frame."""
        masks = np.zeros(self.frames.shape[:3], np.uint8)
        masks[:, 8:24, 8:24] = 1
        return masks


@dataclass(frozen=True)
class StandInVerdict:
    score: float
    checks: dict[str, bool]


class StandInBenchmark:
    """Four prompts; a video is right where it is nearly the truth."""

    categories, checker = CATEGORIES, "stand-in checker"

    def __init__(self) -> None:
        self.checked = 0
        self.prompts = [
            StandInPrompt(
                f"{CATEGORIES[i % 2]}-{i}",
                CATEGORIES[i % 2],
                f"prompt <{i}> & {'x' * i}",
                SceneGraph(f"prompt <{i}> & {'x' * i}", [Node("s", "scene", "scene")], []),
                i,
            )
            for i in range(4)
        ]

    def identity(self, prompt: StandInPrompt, /) -> str:
        return f"{prompt.id} {prompt.text}"

    def truth(self, prompt: StandInPrompt, size: int, /) -> StandInClip:
        return StandInClip(sprites(prompt.seed), prompt.graph, Layout(12))

    def check(self, prompt: StandInPrompt, frames: np.ndarray, /) -> StandInVerdict:
        self.checked += 1
        near = bool(np.abs(frames.astype(float) - self.truth(prompt, 0).frames).mean() < 3)
        return StandInVerdict(float(near), {"shows <it>": near})

    def scores(self, verdicts: Sequence[tuple[Any, Any]], /) -> dict[str, Score]:
        found = {}
        for category in CATEGORIES:
            own = [verdict.score for prompt, verdict in verdicts if prompt.category == category]
            mean = float(np.mean(own)) if own else float("nan")
            found[category] = Score(mean, mean, mean, len(own))
        return found


class StandInPipeline:
    """From a text, videos of other seeds; from a layout, the truth with a little noise. Counts what it makes."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> StandInClip:
        graph = prompt if isinstance(prompt, SceneGraph) else SceneGraph(prompt, [], [])
        self.made.append((graph.caption, seed))
        video = sprites(seed + 50 if layout is None else seed)
        noisy = video + np.random.default_rng(seed).normal(0, 5, video.shape)
        return StandInClip(noisy.clip(0, 255).round().astype(np.uint8), graph, Layout(12))


def parts(pipeline: StandInPipeline, benchmark: StandInBenchmark | None = None, digest: str = "d0") -> Parts:
    """What a run of the suite takes."""
    return Parts(
        "stand-in <checkpoint>",
        digest,
        lambda: pipeline,
        benchmark or StandInBenchmark(),
        networks(),
        lambda seed, size: sprites(seed),
        load_variant=lambda variant: pipeline,
    )
