"""The compositional benchmark: prompts in eight categories, what a video must show of each, and the scores."""

from mov_ai.evaluation.benchmark.checker import BenchmarkChecker, Verdict
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt, Check, load_prompts
from mov_ai.evaluation.benchmark.scenes import ReferenceClip, reference_clip
from mov_ai.evaluation.benchmark.scores import category_scores

__all__ = [
    "CATEGORIES",
    "BenchmarkChecker",
    "BenchmarkPrompt",
    "Check",
    "ReferenceClip",
    "Verdict",
    "category_scores",
    "load_prompts",
    "reference_clip",
]
