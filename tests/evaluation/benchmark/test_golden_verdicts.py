"""Verdicts that stand: whoever changes what the checker says raises `RULES_VERSION` and writes them again.

To write them: `python -m tests.evaluation.benchmark.test_golden_verdicts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mov_ai.evaluation import benchmark

GOLDEN = Path(__file__).with_name("golden_verdicts.json")


def clips(frames: np.ndarray, other: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The right clip of a prompt, and wrong ones."""
    yield "right", frames
    yield "backwards", np.ascontiguousarray(frames[::-1])
    yield "mirrored", np.ascontiguousarray(frames[:, :, ::-1])
    yield "another prompt's", other


def judged() -> dict[str, dict[str, bool]]:
    """Clip -> check -> verdict, on one prompt of each category."""
    checker = benchmark.Benchmark.from_pretrained()
    prompts = benchmark.load_prompts()[: len(benchmark.CATEGORIES)]
    shown = [benchmark.reference_clip(prompt, 128).frames for prompt in prompts]
    return {
        f"{prompt.id}, {name}": checker.check(prompt, frames).checks
        for prompt, right, other in zip(prompts, shown, [*shown[1:], shown[0]], strict=True)
        for name, frames in clips(right, other)
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, bool]]:
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert stored["rules"] == benchmark.RULES_VERSION
    return stored["verdicts"]


def test_the_checker_says_what_it_said(golden: dict[str, dict[str, bool]]) -> None:
    assert judged() == golden


def test_right_clips_pass_and_others_fail(golden: dict[str, dict[str, bool]]) -> None:
    right = [all(checks.values()) for name, checks in golden.items() if name.endswith(", right")]
    wrong = [all(checks.values()) for name, checks in golden.items() if name.endswith(", another prompt's")]
    assert right == [True] * len(benchmark.CATEGORIES)
    assert not any(wrong)


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps({"rules": benchmark.RULES_VERSION, "verdicts": judged()}, indent=1) + "\n", encoding="utf-8"
    )
