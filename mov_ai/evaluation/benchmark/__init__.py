"""The compositional benchmark: prompts in eight categories, what a video must show of each, and the scores."""

from mov_ai.evaluation.benchmark.benchmark import RULES_VERSION, Benchmark, Verdict
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, BenchmarkPrompt, Check, load_prompts
from mov_ai.evaluation.benchmark.scenes import ReferenceClip, reference_clip
from mov_ai.evaluation.benchmark.scores import Score

__all__ = [
    "CATEGORIES",
    "RULES_VERSION",
    "Benchmark",
    "BenchmarkPrompt",
    "Check",
    "ReferenceClip",
    "Score",
    "Verdict",
    "load_prompts",
    "reference_clip",
]
