"""The rows beside the score: the same prompts and seeds, with one thing left out, judged in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import BenchmarkPrompt, Verdict
from mov_ai.evaluation.benchmark.scores import score_of
from mov_ai.evaluation.metrics.bootstrap import mean_interval
from mov_ai.evaluation.report.results import StandingRow
from mov_ai.evaluation.variants import Variant
from mov_ai.evaluation.video_store import Recipe, VideoStore, make_missing

#: Of a recipe, a video and its frames per second.
Make = Callable[[Recipe], tuple[np.ndarray, float]]


@dataclass(frozen=True)
class Judge:
    """How the videos of a row are made and judged.

    Attributes:
        prompts: the videos' names -> their prompts, in order.
        whole: the videos' names -> what the whole pipeline scored on them, in [0, 1].
        recipe: of a video's name and a row.
        load: the row's pipeline; UsageError if it cannot be.
        check: a video's verdict.
        folder: of the rows' videos.
        shown: a stream with a bar and a title.
        say: takes a line for the report.
    """

    prompts: Mapping[str, BenchmarkPrompt]
    whole: Mapping[str, float]
    recipe: Callable[[str, Variant], Recipe]
    load: Callable[[Variant], Make]
    check: Callable[[BenchmarkPrompt, np.ndarray], Verdict]
    folder: Path
    shown: Callable[[Iterable[Recipe], str], Iterable[Recipe]]
    say: Callable[[str], None]

    def row(self, variant: Variant) -> StandingRow | None:
        """One row; None, and a line that says why, where the pipeline has nothing to leave out."""
        try:
            make = self.load(variant)
        except UsageError as error:
            self.say(f"row {variant.name} is left out: {error}")
            return None
        store = VideoStore(self.folder / variant.name)
        recipes = [self.recipe(name, variant) for name in self.prompts]
        make_missing(store, self.shown(recipes, variant.title), make, self.say, f"videos with {variant.title}")
        scores = [float(self.check(prompt, store.frames(name)).score) for name, prompt in self.prompts.items()]
        whole = [self.whole[name] for name in self.prompts]
        # Of the same prompts and seeds, so that the spread between prompts is no part of the interval.
        changes = [own - other for own, other in zip(scores, whole, strict=True)]
        score = score_of(scores)
        return StandingRow(
            variant.title,
            score.share,
            (score.low, score.high),
            float(np.mean(changes)),
            mean_interval(changes) if len(changes) > 1 else None,
            len(scores),
            variant.guidance,
            self.by_category(scores),
        )

    def by_category(self, scores: Iterable[float]) -> dict[str, float]:
        """The mean of each category's prompts, of a score for each prompt."""
        found: dict[str, list[float]] = {}
        for prompt, score in zip(self.prompts.values(), scores, strict=True):
            found.setdefault(prompt.category, []).append(score)
        return {category: float(np.mean(values)) for category, values in found.items()}


def standing_rows(judge: Judge, listed: Sequence[Variant], guidance: tuple[float, float]) -> tuple[StandingRow, ...]:
    """The whole pipeline on the rows' prompts, then all rows; nothing if none is asked for.

    Args:
        listed: the rows.
        guidance: strengths of the run itself.
    """
    if not listed or not judge.prompts:
        return ()
    own = score_of([judge.whole[name] for name in judge.prompts])
    categories = judge.by_category(judge.whole[name] for name in judge.prompts)
    whole = StandingRow("as measured above", own.share, (own.low, own.high), 0.0, None, own.n, guidance, categories)
    return (whole, *(row for variant in listed if (row := judge.row(variant)) is not None))
