"""Long videos measured by length: what is right, what drifts, seams, repetition, seconds, memory; and given pictures.

`python -m mov_ai.evaluate suite=long`
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mov_ai.errors import MovAIError, UsageError
from mov_ai.evaluation.benchmark import Benchmark, BenchmarkPrompt
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.given_pictures import Picture, measure_picture, real_pictures, rendered_pictures
from mov_ai.evaluation.long_measures import (
    evenly,
    frame_changes,
    measure_segment,
    repetition,
    seam_error,
    segment_starts,
)
from mov_ai.evaluation.report.environment import environment
from mov_ai.graph.files import check_writable, read_json, write_json
from mov_ai.graph.video_shape import MAX_FRAMES
from mov_ai.long_video.making import Carried, make_windows
from mov_ai.long_video.windows import OVERLAP, plan_windows
from mov_ai.models.denoiser import STAGES

if TYPE_CHECKING:
    from mov_ai.pipeline import MovAIPipeline

#: How a video is made. Beside what users get: without the known latents; with noise of its own in every window, with
#: and without the known latents; in one piece.
WAYS = ("windows", "apart", "fresh", "fresh_apart", "whole")
#: Prompts whose events have an order come first.
_ORDERED = "event_order"
#: Primes between seeds.
_SEED_STEP = 1_000_003


@dataclass(frozen=True)
class LongSuite:
    """What `conf/suite/long.yaml` sets.

    Attributes:
        checkpoint: an embedded pipeline, or the folder of a saved one.
        lengths: frames of the videos.
        num_prompts: for how many prompts of the benchmark each is made: every second one with an order of events, the
            others from all categories.
        ways: of `WAYS`.
        overlap: frames that windows share.
        segments: parts of a video that are looked at, of 16 frames each.
        stage: size of the videos.
        memory: whether a fresh process makes a video of each length, for its seconds and its peak memory.
        pictures: held-out frames of the world that are given as the first frame.
        real_clips: folder of captioned clips whose first frames are given, too; None for none.
        prompts: folder or file of other prompts.
        device: auto, cpu, cuda or cuda:N.
        seed: of generation.
    """

    checkpoint: str = "tiny"
    lengths: Sequence[int] = (16, 61, 121, 241)
    num_prompts: int = 8
    ways: Sequence[str] = ("windows",)
    overlap: int = OVERLAP
    segments: int = 4
    stage: int = 128
    memory: bool = True
    pictures: int = 5
    real_clips: str | None = None
    prompts: str | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = [("lengths", value, 2) for value in self.lengths]
        numbers += [("num_prompts", self.num_prompts, 0), ("segments", self.segments, 1), ("overlap", self.overlap, 1)]
        numbers += [("pictures", self.pictures, 0), ("seed", self.seed, 0)]
        for name, value, least in numbers:
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_FRAMES:
                raise UsageError(f"{name}: expected whole numbers from {least} to {MAX_FRAMES}; found {value!r}")
        chosen: list[tuple[str, Any, tuple[Any, ...]]] = [("ways", way, WAYS) for way in self.ways]
        for name, choice, choices in (*chosen, ("stage", self.stage, STAGES)):
            if choice not in choices:
                raise UsageError(f"{name}: expected some of {', '.join(map(str, choices))}; found {choice!r}")

    @property
    def less_memory(self) -> str:
        """Two settings that need less, where memory has run out."""
        # In one piece a video needs the more, the longer it is.
        choices = ["eval.ways=[windows] for a window at a time"] if "whole" in self.ways else []
        choices += [f"eval.stage={stage} for smaller videos" for stage in STAGES if stage < self.stage][:1]
        choices += ["eval.lengths=[16] for short videos", "eval.memory=false for one process at a time"]
        return f"use {' or '.join(choices[:2])}"

    def run(self, output: Path, console: Console) -> dict[str, Any]:
        """Make, measure, write `results.json` into `output`, print a table.

        What is measured already is not measured again: a run that is stopped goes on.

        Raises:
            UsageError: if a setting is wrong. MovAIError: if the output cannot be written.
        """
        check_writable(output)
        return _LongRun(self, output, console).results()


class _LongRun:
    """One run's parts, loaded when they are first needed."""

    def __init__(self, suite: LongSuite, output: Path, console: Console) -> None:
        self.suite, self.output, self.console = suite, output, console

    @cached_property
    def pipeline(self) -> MovAIPipeline:
        from mov_ai.pipeline import MovAIPipeline

        return MovAIPipeline.from_pretrained(self.suite.checkpoint, self.suite.device, "float32")

    @cached_property
    def guidance(self) -> tuple[float, float]:
        from mov_ai.pipeline_files import own_guidance

        return own_guidance(self.suite.checkpoint)

    @cached_property
    def benchmark(self) -> Benchmark:
        return Benchmark.from_pretrained(self.suite.prompts)

    @cached_property
    def checker(self) -> Checker:
        return Checker.from_pretrained()

    def results(self) -> dict[str, Any]:
        suite = self.suite
        rows = [self._row(way, length) for way in suite.ways for length in suite.lengths if suite.num_prompts]
        memory = [
            self._kept(f"memory/{length}", partial(self._process, length))
            for length in (suite.lengths if suite.memory else ())
        ]
        pictures = self._pictures()
        results = {
            "suite": "long",
            "settings": asdict(suite),
            "environment": environment(),
            "rows": rows,
            "memory": memory,
            "pictures": pictures,
        }
        write_json(self.output / "results.json", _plain(results))
        self._show(rows, memory, pictures)
        return results

    # -- videos --------------------------------------------------------------------------------------------------------

    def _prompts(self) -> list[BenchmarkPrompt]:
        """Prompts with an order of events and others in turn."""
        listed = self.benchmark.prompts
        ordered = iter([prompt for prompt in listed if prompt.category == _ORDERED])
        others = iter([prompt for prompt in listed if prompt.category != _ORDERED])
        turns: list[Iterator[BenchmarkPrompt]] = [ordered, others]
        chosen = (next(turns[number % 2], None) for number in range(self.suite.num_prompts))
        return [prompt for prompt in chosen if prompt is not None]

    def _row(self, way: str, length: int) -> dict[str, Any]:
        measured = []
        for prompt in self._prompts():
            self.console.print(f"{way}, {length} frames: {prompt.id}", markup=False, highlight=False)
            measured.append(
                self._kept(
                    f"{way}-{self.suite.overlap}/{length}/{prompt.id}",
                    partial(self._video, way, length, prompt),
                )
            )
        orders = [passed for video in measured for passed in video["orders"]]
        first, last = ([video["segments"][place] for video in measured] for place in (0, -1))
        return {
            "way": way,
            "frames": length,
            "overlap": self.suite.overlap,
            "videos": len(measured),
            "score": _mean(video["score"] for video in measured),
            "orders_right": _mean(orders),
            "orders": len(orders),
            "segments_right": [
                _mean(video["segments"][place]["right"] for video in measured)
                for place in range(min(len(video["segments"]) for video in measured))
            ],
            "identity_last": _weighted(last, "right"),
            "identity_first": _weighted(first, "right"),
            "color_drift": _weighted(first, "color") - _weighted(last, "color"),
            "shape_drift": _weighted(first, "shape") - _weighted(last, "shape"),
            "seam": _mean(video["seam"] for video in measured),
            "largest_seam": max((video["seam"] for video in measured if video["seam"] is not None), default=None),
            "change": _mean(video["change"] for video in measured),
            "repetition": _mean(video["repetition"] for video in measured),
            "seconds": _mean(video["seconds"] for video in measured),
        }

    def _video(self, way: str, length: int, prompt: BenchmarkPrompt) -> dict[str, Any]:
        started = time.perf_counter()
        seed = (prompt.seed + _SEED_STEP * self.suite.seed) % 2**31
        video, borders = make_video(self.pipeline, prompt.text, length, seed, self.suite.stage, way, self.suite.overlap)
        seconds = time.perf_counter() - started
        verdict = self.benchmark.check(prompt, evenly(video))
        starts = segment_starts(length, self.suite.segments)
        segments = [
            asdict(measure_segment(self.checker, prompt.graph, video[start : start + 16], start, length))
            for start in starts
        ]
        stride = self.pipeline.shape.frames - self.suite.overlap
        return {
            "prompt": prompt.text,
            "seed": seed,
            "score": verdict.score,
            "orders": [verdict.checks[check.name] for check in prompt.checks if check.kind == "order"],
            "segments": segments,
            "seam": seam_error(video, borders),
            "change": float(frame_changes(video).mean()),
            "repetition": repetition(video, stride),
            "seconds": seconds,
        }

    # -- processes, pictures -------------------------------------------------------------------------------------------

    def _process(self, length: int) -> dict[str, Any]:
        """Seconds and peak memory of a fresh process that makes a video of that length."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "mov_ai.cli.main", "generate"]
            command += ["A red ball rolls to the left, then turns blue.", "--frames", str(length)]
            command += [
                "--stages",
                str(self.suite.stage),
                "--checkpoint",
                self.suite.checkpoint,
                "--out",
                f"{folder}/v",
            ]
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise MovAIError(f"memory: `{' '.join(command)}` ended with {process.returncode}; run it to see why")
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "frames": length,
            "peak_memory_mb": round(usage.ru_maxrss * unit / 1e6, 1),
            "seconds": time.perf_counter() - started,
            "processor_seconds": usage.ru_utime + usage.ru_stime,
        }

    def _pictures(self) -> list[dict[str, Any]]:
        sources: list[Callable[[], list[Picture]]] = []
        suite = self.suite
        if suite.pictures:
            sources.append(lambda: rendered_pictures(suite.pictures, suite.stage))
        if suite.real_clips is not None:
            sources.append(lambda: real_pictures(Path(str(suite.real_clips)), suite.pictures or 5))
        measured = []
        for source in sources:
            for picture in source():
                name = f"pictures-{suite.stage}/{picture.name}"
                measured.append(self._kept(name, partial(self._picture, picture)))
        return measured

    def _picture(self, picture: Picture) -> dict[str, Any]:
        return measure_picture(self.pipeline, picture, self.suite.stage)

    # -- records -------------------------------------------------------------------------------------------------------

    def _kept(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is in a file of that name, or what is measured now."""
        path = self.output / "measured" / f"{name}.json"
        settings = {"checkpoint": self.suite.checkpoint, "stage": self.suite.stage, "seed": self.suite.seed}
        settings["segments"] = self.suite.segments
        settings["guidance"] = list(self.guidance)
        if path.is_file():
            found = read_json(path)
            if isinstance(found, dict) and found.get("settings") == settings:
                return dict(found["measured"])
        measured = _plain(measure())
        write_json(path, {"settings": settings, "measured": measured})
        return dict(measured)

    def _show(self, rows: list[dict[str, Any]], memory: list[dict[str, Any]], pictures: list[dict[str, Any]]) -> None:
        for title, listed, names in (
            (
                "by length",
                rows,
                (
                    "way",
                    "frames",
                    "videos",
                    "score",
                    "orders_right",
                    "identity_first",
                    "identity_last",
                    "seam",
                    "repetition",
                ),
            ),
            ("memory", memory, ("frames", "peak_memory_mb", "seconds", "processor_seconds")),
            (
                "given as the first frame: PSNR in dB",
                pictures,
                ("name", "kind", "psnr", "psnr_codec", "psnr_rest", "psnr_rest_latents", "psnr_rest_without"),
            ),
        ):
            if listed:
                table = Table(*names, title=title)
                for row in listed:
                    values = [row.get(name) for name in names]
                    table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values))
                self.console.print(table)


def make_video(
    pipeline: MovAIPipeline, prompt: str, frames: int, seed: int, stage: int, way: str, overlap: int
) -> tuple[np.ndarray, list[int]]:
    """A video, uint8 (frames, height, width, 3), and the first frames of its windows but the first.

    Args:
        way: one of `WAYS`.
        overlap: frames that windows share.
    """
    shape = replace(pipeline.shape, frames=frames)
    windows = plan_windows(frames, pipeline.shape.frames, overlap)
    borders = [window.begin for window in windows[1:]]
    if way == "whole":
        return pipeline(prompt, seed=seed, shape=shape, stages=stage).frames, borders
    request = pipeline.check(seed, None, shape, None, pipeline.guidance(), stage, None, None, "default")
    prepared = pipeline.prepare(prompt, request)
    if way == "windows":
        made = make_windows(pipeline, prepared, 0, windows, Carried(), Carried(), overlap)
        return np.concatenate([each.frames for each in made]), borders
    carried, parts = Carried(), []
    for window, following in itertools.zip_longest(windows, windows[1:]):
        own = prepared
        if way.startswith("fresh"):
            own = replace(prepared, request=replace(request, seed=(seed + window.number) % 2**31))
        # As many frames are kept as the next window shares.
        shared = overlap if following is None else window.first + window.frames - following.first
        (made_window,) = make_windows(pipeline, own, 0, [window], carried, Carried(), shared)
        parts.append(made_window.frames)
        carried = made_window.carried if way == "fresh" else Carried()
    return np.concatenate(parts), borders


def _mean(values: Any) -> float | None:
    """Of the numbers that are; None of none."""
    numbers = [float(value) for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else None


def _weighted(segments: Sequence[dict[str, Any]], name: str) -> float:
    """Mean over things rather than over videos; NaN of none."""
    counted = [(segment[name], segment["things"]) for segment in segments if segment[name] is not None]
    total = sum(things for _, things in counted)
    return sum(value * things for value, things in counted) / total if total else float("nan")


def _plain(value: Any) -> Any:
    """JSON values: None for what is no number."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
