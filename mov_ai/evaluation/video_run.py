"""One run of the video suite: videos made or found, measured, checked, and put together as results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.benchmark import Benchmark, BenchmarkPrompt, Verdict
from mov_ai.evaluation.metrics.folders import VideoFolder, read
from mov_ai.evaluation.metrics.result import Absent, Reference
from mov_ai.evaluation.networks import MetricNetworks
from mov_ai.evaluation.report.environment import environment
from mov_ai.evaluation.report.pictures import write_pictures
from mov_ai.evaluation.report.results import CategoryScore, Results, StandingRow, VideoRow
from mov_ai.evaluation.standing import Judge, Make, standing_rows
from mov_ai.evaluation.variants import Variant, variants
from mov_ai.evaluation.video_metrics import (
    FEATURES,
    I3D,
    MEANS,
    ReferenceValues,
    figures,
    pair_figures,
    pair_quantities,
    quantities,
)
from mov_ai.evaluation.video_pass import Quantity, Values, alone, measure, shown
from mov_ai.evaluation.video_store import Recipe, VideoStore, make_missing
from mov_ai.evaluation.video_values import kept_values, short_digest
from mov_ai.graph import Layout, SceneGraph
from mov_ai.worlds.tabletop.world import WORLD_VERSION

if TYPE_CHECKING:
    from mov_ai.evaluation.video_suite import VideoSuite

#: Clips of the reference: seeds of the world's test split from here on, which nothing else draws from.
REFERENCE_SEED = 500_000
#: Primes between the generator's seeds of runs, and of takes of one prompt in a run.
_RUN_STEP, _TAKE_STEP = 1_000_003, 7_919


class Frames(Protocol):
    """What a pipeline returns."""

    @property
    def frames(self) -> np.ndarray: ...


class Pipeline(Protocol):
    """What is measured: a text, or a graph and its layout, in; a video of 8 frames a second out."""

    def __call__(self, prompt: str | SceneGraph, /, *, seed: int, layout: Layout | None = None) -> Frames: ...


@dataclass(frozen=True)
class Parts:
    """What a run works with.

    Attributes:
        checkpoint: the pipeline's name for the report.
        digest: of everything that decides its videos.
        load_pipeline: called only if a video is not there yet.
        real_clip: (seed, size) -> frames of a clip of the world.
        load_variant: the pipeline of a row beside the score; UsageError if it has no such thing to leave out.
        guidance: the checkpoint's own strengths by text and by graph.
    """

    checkpoint: str
    digest: str
    load_pipeline: Callable[[], Pipeline]
    benchmark: Benchmark
    networks: MetricNetworks
    real_clip: Callable[[int, int], np.ndarray]
    load_variant: Callable[[Variant], Pipeline]
    fps: float = 8.0
    guidance: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Job:
    """One video to make: a prompt, a name, and the pipeline's seed."""

    name: str
    prompt: BenchmarkPrompt
    seed: int


def jobs(settings: VideoSuite, prompts: Sequence[BenchmarkPrompt]) -> list[Job]:
    """The first `num_videos` prompts; after the last, the first again with another seed."""
    if not prompts:
        raise UsageError("the benchmark has no prompts; give others with eval.prompts")
    listed = []
    for number in range(settings.num_videos):
        turn, place = divmod(number, len(prompts))
        prompt = prompts[place]
        seed = (prompt.seed + _RUN_STEP * settings.seed + _TAKE_STEP * turn) % 2**31
        listed.append(Job(prompt.id if turn == 0 else f"{prompt.id}-take{turn + 1}", prompt, seed))
    return listed


class VideoRun:
    """One run's state: stores, clock, notices."""

    def __init__(self, suite: VideoSuite, parts: Parts, output: Path, console: Console) -> None:
        self.suite, self.parts, self.output, self.console = suite, parts, output, console
        self.jobs = jobs(suite, parts.benchmark.prompts)
        # Another take of a prompt has the same truth, and the checker's ceiling counts each prompt once.
        self.truths = [
            Job(prompt.id, prompt, 0) for prompt in {job.prompt.id: job.prompt for job in self.jobs}.values()
        ]
        self.layout_jobs = self.jobs[: min(suite.layout_videos, len(self.truths), len(self.jobs))]
        world = Path(suite.cache) / f"world-{WORLD_VERSION}"
        self.generated = VideoStore(output / "generated")
        self.from_layout = VideoStore(output / "generated_from_gold_layout")
        self.truth = VideoStore(world / f"truth-{suite.stage}")
        self.reference = VideoStore(world / f"reference-{suite.stage}")
        self.seconds: dict[str, float] = {}
        self.notices: list[str] = []
        self._pipeline: Pipeline | None = None

    def results(self) -> Results:
        suite, parts = self.suite, self.parts
        started = time.perf_counter()
        self._timed("generating", self._generate)
        self._timed("rendering real clips", self._render)
        prompts = {job.name: job.prompt.text for job in self.jobs}
        named = {"prompts": self._prompts_digest()}
        wanted = quantities(parts.networks, prompts)
        generated = self._timed(
            "measuring generated videos",
            lambda: self._measure(self.generated.files(job.name for job in self.jobs), wanted),
        )
        reference, real = self._timed("measuring real clips", lambda: self._real(wanted))
        pairs = self._timed("measuring pairs", self._pairs)
        metrics = self._timed(
            "distances and intervals",
            lambda: figures(parts.networks, generated, reference, real, named, suite.seed),
        )
        to = None
        if not isinstance(pairs, Absent):
            clips = self.truth.files(pairs.names)
            to = Reference(f"the prompts' own clips, world {WORLD_VERSION}", len(clips.files), clips.settings)
        made_from = {**named, "made from": "gold layout"}
        metrics |= pair_figures(parts.networks, pairs, to, made_from, suite.seed, objects=True)
        verdicts, compositional = self._timed("checking", self._check)
        standing = self._timed("rows beside the score", lambda: self._standing(verdicts))
        rows = self._timed("pictures", lambda: self._rows(verdicts, generated))
        self.seconds["in all"] = time.perf_counter() - started
        return Results(
            title=f"{parts.checkpoint}, {suite.stage} px",
            settings=self._settings(),
            environment=environment(),
            seed=suite.seed,
            metrics=metrics,
            compositional=compositional,
            standing=standing,
            checked={**named, "checker": parts.benchmark.checker, "stage": suite.stage},
            videos=tuple(rows),
            seconds=self.seconds,
            notices=tuple(self.notices),
            real="the world's own clips of the same prompts, measured in the same way",
        )

    # -- videos --------------------------------------------------------------------------------------------------------

    def _pipe(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = self.parts.load_pipeline()
        return self._pipeline

    def _recipe(self, job: Job, made_from: str) -> Recipe:
        suite = self.suite
        settings = {
            "checkpoint": self.parts.digest,
            "prompt": job.prompt.text,
            "made from": made_from,
            "seed": job.seed,
            "stage": suite.stage,
            "steps": suite.steps,
            "guidance": list(self._guidance()),
            "dtype": suite.dtype,
        }
        return Recipe(job.name, settings)

    def _generate(self) -> None:
        by_name = {job.name: job for job in self.jobs}

        def from_text(recipe: Recipe) -> tuple[np.ndarray, float]:
            job = by_name[recipe.name]
            return self._pipe()(job.prompt.text, seed=job.seed).frames, self.parts.fps

        def from_layout(recipe: Recipe) -> tuple[np.ndarray, float]:
            job = by_name[recipe.name]
            truth = self.parts.benchmark.truth(job.prompt, self.suite.stage)
            return self._pipe()(truth.graph, seed=job.seed, layout=truth.layout).frames, self.parts.fps

        work: list[tuple[VideoStore, list[Recipe], Callable[[Recipe], tuple[np.ndarray, float]], str]] = [
            (self.generated, [self._recipe(job, "text") for job in self.jobs], from_text, "videos"),
            (
                self.from_layout,
                [self._recipe(job, "gold layout") for job in self.layout_jobs],
                from_layout,
                "videos from the gold layout",
            ),
        ]
        for store, recipes, make, what in work:
            each = make_missing(store, self._bar(recipes, f"generating {what}"), make, self._say, what)
            if each:
                self.seconds[f"generating, each of the {what}"] = each

    def _render(self) -> None:
        size = self.suite.stage
        prompts = {job.name: job.prompt for job in self.truths}

        def truth(recipe: Recipe) -> tuple[np.ndarray, float]:
            return self.parts.benchmark.truth(prompts[recipe.name], size).frames, self.parts.fps

        recipes = [
            Recipe(job.name, {"size": size, "prompt": self.parts.benchmark.identity(job.prompt)}) for job in self.truths
        ]
        make_missing(self.truth, self._bar(recipes, "rendering the truth"), truth, self._quiet, "real clips")

        def clip(recipe: Recipe) -> tuple[np.ndarray, float]:
            return self.parts.real_clip(int(recipe.settings["seed"]), size), self.parts.fps

        seeds = range(REFERENCE_SEED, REFERENCE_SEED + self.suite.reference_videos)
        recipes = [Recipe(f"{seed:06d}", {"size": size, "seed": seed}) for seed in seeds]
        make_missing(self.reference, self._bar(recipes, "rendering the reference"), clip, self._quiet, "real clips")

    # -- figures -------------------------------------------------------------------------------------------------------

    def _measure(self, files: VideoFolder, wanted: Sequence[Quantity]) -> Values:
        stream = self._bar(read(files), f"measuring {files.folder.name}", len(files.files))
        return measure(alone(stream), wanted, files.settings, self.suite.batch)

    def _real(self, wanted: Sequence[Quantity]) -> tuple[ReferenceValues, Values]:
        """The reference's features, and everything on the truth."""
        names = [f"{REFERENCE_SEED + number:06d}" for number in range(self.suite.reference_videos)]
        features = [quantity for quantity in wanted if quantity.name in (FEATURES, I3D)]
        reference = kept_values(self.reference, names, features, self._measure)
        truth = kept_values(self.truth, [job.name for job in self.truths], wanted, self._measure)
        name = f"tabletop test clips from seed {REFERENCE_SEED}, world {WORLD_VERSION}"
        return ReferenceValues(name, reference), truth

    def _pairs(self) -> Values | Absent:
        if not self.layout_jobs:
            return Absent("no video was generated from the gold layout", "set eval.layout_videos above 0")
        names = [job.name for job in self.layout_jobs]
        generated, truth = self.from_layout.files(names), self.truth.files(names)
        pairs = self._bar(zip(read(generated), read(truth), strict=True), "measuring pairs", len(names))
        prompts = {job.name: job.prompt for job in self.layout_jobs}

        @lru_cache(self.suite.batch)
        def masks(name: str) -> np.ndarray:
            return self.parts.benchmark.truth(prompts[name], self.suite.stage).masks

        wanted = pair_quantities(self.parts.networks, masks)
        return measure(pairs, wanted, generated.settings, self.suite.batch)

    def _check(self) -> tuple[dict[str, Verdict], dict[str, CategoryScore | Absent]]:
        benchmark = self.parts.benchmark

        def verdicts(store: VideoStore, jobs: Sequence[Job]) -> dict[str, tuple[BenchmarkPrompt, Verdict]]:
            prompts = {job.name: job.prompt for job in jobs}
            stream = self._bar(read(store.files(prompts)), f"checking {store.folder.name}", len(prompts))
            return {v.name: (prompts[v.name], benchmark.check(prompts[v.name], v.frames)) for v in stream}

        own, real = verdicts(self.generated, self.jobs), verdicts(self.truth, self.truths)
        scores, ceilings = (benchmark.scores(list(categories.values())) for categories in (own, real))
        categories: dict[str, CategoryScore | Absent] = {}
        for category in benchmark.categories:
            score, ceiling = scores.get(category), ceilings.get(category)
            if score is None or ceiling is None or not score.n or not ceiling.n:
                categories[category] = Absent("no prompt of this run belongs to it", "raise eval.num_videos")
            else:
                categories[category] = CategoryScore(
                    score.share, (score.low, score.high), score.n, ceiling.share, (ceiling.low, ceiling.high)
                )
        return {name: verdict for name, (_, verdict) in own.items()}, categories

    def _standing(self, verdicts: Mapping[str, Verdict]) -> tuple[StandingRow, ...]:
        suite, jobs = self.suite, {job.name: job for job in self.jobs[: self.suite.row_videos]}

        def recipe(name: str, variant: Variant) -> Recipe:
            whole = self._recipe(jobs[name], "text")
            guidance = whole.settings["guidance"] if variant.guidance is None else list(variant.guidance)
            return Recipe(name, {**whole.settings, **variant.settings, "guidance": guidance})

        def load(variant: Variant) -> Make:
            pipeline = self.parts.load_variant(variant)

            def make(recipe: Recipe) -> tuple[np.ndarray, float]:
                job = jobs[recipe.name]
                return pipeline(job.prompt.text, seed=job.seed).frames, self.parts.fps

            return make

        judge = Judge(
            {name: job.prompt for name, job in jobs.items()},
            {name: float(verdicts[name].score) for name in jobs},
            recipe,
            load,
            self.parts.benchmark.check,
            self.output / "rows",
            self._bar,
            self._say,
        )
        return standing_rows(judge, variants(suite.rows, suite.guidances), self._guidance())

    # -- the report ----------------------------------------------------------------------------------------------------

    def _rows(self, verdicts: Mapping[str, Verdict], measured: Values) -> list[VideoRow]:
        jobs = {job.name: job for job in self.jobs}
        rows = []
        for video in self._bar(read(self.generated.files(jobs)), "pictures", len(jobs)):
            job, verdict = jobs[video.name], verdicts[video.name]
            truth = self.truth.frames(job.prompt.id)
            clip, sheet = write_pictures(self.output, job.name, video.frames, video.fps, truth)
            values = {key: float(of[job.name]) for key, of in measured.of.items() if key in MEANS and job.name in of}
            checks = {name: bool(ok) for name, ok in verdict.checks.items()}
            rows.append(
                VideoRow(
                    job.name,
                    job.prompt.text,
                    job.prompt.category,
                    job.seed,
                    float(verdict.score),
                    checks,
                    values,
                    clip,
                    sheet,
                )
            )
        order = {category: place for place, category in enumerate(self.parts.benchmark.categories)}
        return sorted(rows, key=lambda row: (order.get(row.category or "", len(order)), row.name))

    def _guidance(self) -> tuple[float, float]:
        """Strengths by text and by graph: those asked for, or the checkpoint's own."""
        text, graph = self.parts.guidance
        asked_text, asked_graph = self.suite.guidance_text, self.suite.guidance_graph
        return text if asked_text is None else asked_text, graph if asked_graph is None else asked_graph

    def _settings(self) -> dict[str, Any]:
        suite = self.suite
        text, graph = self._guidance()
        return {
            "checkpoint": f"{self.parts.checkpoint} ({self.parts.digest})",
            "videos": f"{len(self.jobs)} from text, {len(self.layout_jobs)} from the gold layout",
            "reference": f"{suite.reference_videos} clips of the world's test split",
            "stage": suite.stage,
            "steps": suite.steps if suite.steps is not None else "the checkpoint's own",
            "guidance": f"text {text:g}, graph {graph:g}",
            "prompts": f"{len(self.truths)} of the benchmark, sha256 {self._prompts_digest()}",
            "checker": self.parts.benchmark.checker,
            "stored as": 'lossless frames (npz, codec "none"); the mp4 beside the report are for looking only',
            "dtype": suite.dtype,
        }

    def _prompts_digest(self) -> str:
        return short_digest(*(self.parts.benchmark.identity(job.prompt) for job in self.jobs))

    def _timed(self, part: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[part] = time.perf_counter() - started

    def _bar(self, stream: Iterable[Any], title: str, total: int | None = None) -> Iterable[Any]:
        return shown(stream, title, self.console, total)

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self.notices.append(line)

    def _quiet(self, line: str) -> None:
        """Clips of the cache are used again as a matter of course."""
