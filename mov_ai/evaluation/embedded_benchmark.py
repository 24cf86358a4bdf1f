"""The compositional benchmark as the video suite takes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mov_ai.evaluation import benchmark
from mov_ai.evaluation.checker import EMBEDDED
from mov_ai.evaluation.compositional import Score
from mov_ai.graph.files import sha256_of
from mov_ai.models.component import WEIGHTS_FILE

if TYPE_CHECKING:
    from mov_ai.evaluation.video_suite import Clip, Verdict

#: Modules of the benchmark that decide a verdict, or that those read, beside the checker's own.
RULES = ("checker.py", "geometry.py", "observe.py", "prompts.py", "questions.py", "scenes.py", "timing.py")


class EmbeddedBenchmark:
    """Prompts on the embedded world, their rendered truth, and the checker.

    Attributes:
        categories: all there are.
        prompts: interleaved, so that the first few cover all categories.
        checker: the checker in words.
    """

    def __init__(self, prompts: Sequence[Any], checker: benchmark.BenchmarkChecker) -> None:
        """The benchmark with these prompts."""
        self.categories, self.prompts, self._checker = benchmark.CATEGORIES, prompts, checker
        folder = Path(str(benchmark.__file__)).parent
        rules = sha256_of([*(folder / name for name in RULES), *sorted(folder.parent.glob("checker*.py"))])[:12]
        weights = sha256_of([EMBEDDED / WEIGHTS_FILE])
        self.checker = f"embedded checker (sha256 {weights}), rules {rules}"

    @classmethod
    def from_pretrained(cls, prompts: str | Path | None = None) -> EmbeddedBenchmark:
        """The repository's prompts, or those of a folder or file, and the embedded checker.

        Raises:
            UsageError: if the prompts cannot be read.
        """
        found = benchmark.load_prompts(None if prompts is None else Path(prompts))
        return cls(found, benchmark.BenchmarkChecker.from_pretrained())

    def identity(self, prompt: Any, /) -> str:
        """Of everything that decides a prompt's truth: what it says, its scene, and the code that stages scenes."""
        code = sha256_of([Path(str(benchmark.__file__)).parent / "scenes.py"])
        return hashlib.sha256((json.dumps(prompt.to_dict()) + code).encode()).hexdigest()[:16]

    def truth(self, prompt: Any, size: int, /) -> Clip:
        """The rendered truth of a prompt."""
        return benchmark.reference_clip(prompt, size)

    def check(self, prompt: Any, frames: np.ndarray, /) -> Verdict:
        """The checker's verdict on a video."""
        return self._checker.check(prompt, frames)

    def scores(self, verdicts: Sequence[tuple[Any, Any]], /) -> Mapping[str, Score]:
        """Category -> score."""
        return benchmark.category_scores(verdicts)
