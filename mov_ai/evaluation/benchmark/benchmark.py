"""The benchmark: its prompts, their rendered truth, and what a video shows of what a prompt asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark.observe import Observed
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt, load_prompts
from mov_ai.evaluation.benchmark.questions import answer
from mov_ai.evaluation.benchmark.scenes import ReferenceClip, reference_clip
from mov_ai.evaluation.benchmark.scores import Score, score_of
from mov_ai.evaluation.checker import EMBEDDED, Checker
from mov_ai.graph.files import sha256_of
from mov_ai.models.component import WEIGHTS_FILE
from mov_ai.models.metric_networks.checker import SIZE
from mov_ai.worlds.tabletop.world import WORLD_VERSION

#: Raise it with every change of what the checker says of a video: figures of different rules are not compared.
RULES_VERSION = 1


@dataclass(frozen=True)
class Verdict:
    """What a video shows of a prompt.

    Attributes:
        score: share of the asked checks that it passes, in [0, 1]; 0 if it fails one that is needed.
        checks: the name of each check -> whether it passes.
    """

    score: float
    checks: dict[str, bool]
    tracks: int = 0


class Benchmark:
    """Prompts and the checker that judges videos of them by the pixels alone.

    The checker's network follows objects, rules answer the questions. The network is trained on rendered clips of seeds
    of its own and shares nothing with any generator. `checker` says in words which network and which rules.
    """

    categories = CATEGORIES

    def __init__(self, prompts: Sequence[BenchmarkPrompt], checker: Checker) -> None:
        self.prompts, self._checker = prompts, checker
        self.checker = f"embedded checker (sha256 {sha256_of([EMBEDDED / WEIGHTS_FILE])}), rules {RULES_VERSION}"

    @classmethod
    def from_pretrained(cls, prompts: str | Path | None = None, device: torch.device | str = "cpu") -> Benchmark:
        """The repository's prompts, or those of a folder or file, and the embedded checker."""
        loaded = load_prompts(None if prompts is None else Path(prompts))
        return cls(loaded, Checker.from_pretrained(device=device))

    def identity(self, prompt: BenchmarkPrompt) -> str:
        """Changes with whatever decides a prompt's truth."""
        return hashlib.sha256(f"{WORLD_VERSION} {json.dumps(prompt.to_dict())}".encode()).hexdigest()[:16]

    def truth(self, prompt: BenchmarkPrompt, size: int) -> ReferenceClip:
        """The world's own clip of a prompt, in frames of `size` by `size` pixels."""
        return reference_clip(prompt, size)

    def check(self, prompt: BenchmarkPrompt, frames: np.ndarray) -> Verdict:
        """Judge a video: uint8 (T, H, W, 3), sRGB, T from 2 to 64, which show the time from 0 to 1 at any rate.

        Raises:
            UsageError: as `squared`.
        """
        tracks = self._checker.follow(squared(frames))
        observed = Observed.of(prompt.graph, tracks, len(frames))
        checks = {check.name: answer(check, observed) for check in prompt.checks}
        needed = all(checks[check.name] for check in prompt.checks if check.needed)
        answers = [checks[check.name] for check in prompt.checks if not check.needed]
        return Verdict(float(np.mean(answers)) if needed else 0.0, checks, len(tracks))

    @staticmethod
    def scores(verdicts: Sequence[tuple[BenchmarkPrompt, Verdict]]) -> dict[str, Score]:
        """The score of each category, in the order of `CATEGORIES`; `n` is how many prompts were judged."""
        return {
            category: score_of([verdict.score for prompt, verdict in verdicts if prompt.category == category])
            for category in CATEGORIES
        }


def squared(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 (T, H, W, 3), T from 2 to 64, as squares that the checker's network takes: (T, S, S, 3), S ≥ `SIZE`.

    The shorter side is filled with the outermost row or column: other proportions would be other shapes.

    Raises:
        UsageError: if it is not such a video.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not 2 <= len(frames) <= 64:
        shape = f"{frames.dtype} {frames.shape}"
        raise UsageError(f"video: expected uint8 (frames, height, width, 3) with 2 to 64 frames; found {shape}")
    height, width = frames.shape[1:3]
    if min(height, width) < 1:
        raise UsageError(f"video: expected frames of at least one pixel; found {height}x{width}")
    side = max(height, width)
    if height != width:
        above, before = (side - height) // 2, (side - width) // 2
        around = ((0, 0), (above, side - height - above), (before, side - width - before), (0, 0))
        frames = np.pad(frames, around, mode="edge")
    if side >= SIZE:
        return frames
    planes = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    large = functional.interpolate(planes, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return large.round().byte().permute(0, 2, 3, 1).numpy()
