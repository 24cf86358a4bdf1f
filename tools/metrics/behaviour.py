"""Does every metric notice? `python -m tools.metrics.behaviour [--videos 96] [--size 64] [--out FILE]`.

Rendered clips are distorted more and more, or take one another's prompts, and every metric of the report is measured on
them by the same pass as in a report. The table says how each moves and whether it does as it should; where a metric
cannot be asked to get worse, `EXCEPTIONS` says what it does instead, and why. Exit code 1 if one does not as it should.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from scipy.special import softmax

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.evaluation.metrics.folders import Video
from mov_ai.evaluation.metrics.frechet import frechet_distance
from mov_ai.evaluation.metrics.inception_score import inception_score
from mov_ai.evaluation.metrics.kernel_distance import JEDI_KERNEL, KID_KERNEL, mmd2
from mov_ai.evaluation.metrics.result import Absent, Settings, shared_settings
from mov_ai.evaluation.networks import MetricNetworks, load_networks
from mov_ai.evaluation.video_metrics import (
    FEATURES,
    I3D,
    MEANS,
    PAIR_MEANS,
    PROBABILITIES,
    pair_quantities,
    quantities,
)
from mov_ai.evaluation.video_pass import Quantity, Values, measure
from mov_ai.graph.files import write_json
from tools.metrics.distortions import DISTORTIONS, Distortion

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Not of the pixels: a growing share of the videos has the prompt of another.
PROMPTS = "prompts exchanged"
#: Metrics of text and video; all others take no text, so that prompts cannot move them.
SIMILARITIES = ("clipsim", "embedded_clipsim")
#: Steps below this share of the largest value are rounding.
ROUNDING = 1e-6
#: How far a metric that gets worse late may get better before, as a share of its undistorted value.
LATE = 0.02

#: Distances between sets, by their names in a report; its `fvd_infinity` is a line through `fvd` of subsets.
DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "fvd": frechet_distance,
    "kvd": lambda features, reference: mmd2(features, reference, KID_KERNEL),
    "jedi_style_mmd": lambda features, reference: 100 * mmd2(features, reference, JEDI_KERNEL),
}
INCEPTION = "is"
#: Name without "embedded_" -> the direction.
HIGHER_IS_BETTER: dict[str, bool] = {
    name.removeprefix("embedded_"): better
    for name, better in {**MEANS, **PAIR_MEANS, **dict.fromkeys(DISTANCES, False), INCEPTION: True}.items()
}

Move = Literal["worse", "worse late", "better", "up", "down", "still", "free"]


@dataclass(frozen=True)
class Expectation:
    """How a metric moves while a distortion grows.

    Attributes:
        move: "worse" or "better", steadily towards that end; "worse late", worse at the end, and before that nowhere
            better by more than `LATE`; "up" or "down", steadily, of a metric that has no better end; "still", not at
            all; "free", nothing is promised.
        reason: why it is not "worse".
        first: what was promised before the embedded networks had been measured, where that is another move. It counts.
    """

    move: Move
    reason: str = ""
    first: Move | None = None

    @property
    def first_written(self) -> Move:
        """What was promised at first."""
        return self.move if self.first is None else self.first


_HELD = "a frame that is held does not differ from the next, and a jump is no longer than the steps it replaces"
_TINT = "a constant shift cancels between frames, and what clips at the ends of the range differs less"
_DETAIL = "there is less detail to differ"
_TRAINED = "its network saw such clips in training and reads them as well, up to a point"
_SQUARES = (
    "a jump is as long as the steps it replaces, but its distance is a mean of squares, in which a long one weighs more"
)
_TARGET = "it has no better end: a report sets it beside the real clips' value"

#: Metric -> distortion -> what it does instead of getting worse. So does its embedded twin, if that has no own entry.
EXCEPTIONS: dict[str, dict[str, Expectation]] = {
    "temporal_flickering": {
        "blur": Expectation("better", f"{_DETAIL}: a mean over places never lengthens a difference"),
        "drop": Expectation("better", _HELD),
        "colour shift": Expectation("better", _TINT),
    },
    "motion_smoothness": {
        "blur": Expectation("better", _DETAIL),
        "drop": Expectation(
            "free", "a held frame is not half-way between its neighbours, but a video at rest is smooth"
        ),
        "colour shift": Expectation("better", _TINT),
    },
    "warping_error": {
        "blur": Expectation("free", f"{_DETAIL}, and less for the flow to hold on to"),
        "drop": Expectation("better", "a frame that is held warps onto the next without error"),
        "colour shift": Expectation("better", _TINT),
    },
    "subject_consistency": {
        "blur": Expectation(
            "free", "all frames blur alike; whether they look more alike is up to the network", first="better"
        ),
        "drop": Expectation("better", _HELD),
        "colour shift": Expectation(
            "free", "all frames shift alike; whether they look more alike is up to the network"
        ),
    },
    "dynamic_degree": {
        "blur": Expectation("free", "it counts motion, and blurred things still move"),
        "noise": Expectation(
            "free", "it counts motion, and noise is none; flow may take much of it for some", first="better"
        ),
        "shuffle": Expectation("better", "it counts motion, and frames out of order are further apart"),
        "drop": Expectation("free", "fewer pairs of frames move, but each moves further; at the end nothing does"),
        "colour shift": Expectation("free", "it counts motion, and things of other colours still move"),
    },
    "lpips": {
        "blur": Expectation("down", f"{_DETAIL}; {_TARGET}"),
        "noise": Expectation("up", f"noise is another in each frame; {_TARGET}"),
        "shuffle": Expectation("up", f"neighbours are further apart; {_TARGET}"),
        "drop": Expectation("free", f"{_SQUARES}; {_TARGET}", first="down"),
        "colour shift": Expectation("free", f"how alike frames of other colours are is up to the network; {_TARGET}"),
    },
    "is": {
        "colour shift": Expectation("free", "its classes are motions and shapes, not colours"),
    },
    "clipsim": {
        "shuffle": Expectation("still", "it is a mean over frames, which have no order"),
        "drop": Expectation("free", "it is a mean over frames, and those that stand in are as good"),
    },
    "embedded_is": {
        "blur": Expectation("worse late", _TRAINED, first="worse"),
        "drop": Expectation("worse late", _TRAINED, first="worse"),
        "colour shift": Expectation("free", "its classes are motions and shapes, not colours"),
    },
    # Its network sees videos, not frames.
    "embedded_clipsim": {
        "blur": Expectation("worse late", _TRAINED, first="worse"),
        "noise": Expectation("worse late", _TRAINED, first="worse"),
        "drop": Expectation("worse late", _TRAINED, first="worse"),
    },
}


@dataclass(frozen=True)
class Row:
    """One metric under one distortion.

    Attributes:
        metric: name as in a report.
        distortion: one of the distortions, or `PROMPTS`.
        values: one for each strength.
        expectation: what they should do.
        holds: whether they do; None if nothing is promised.
        held_first: whether they do what was promised at first; None if nothing was.
    """

    metric: str
    distortion: str
    values: tuple[float, ...]
    expectation: Expectation
    holds: bool | None
    held_first: bool | None


@dataclass(frozen=True)
class Behaviour:
    """The table.

    Attributes:
        strengths: of the distortions, from 0 to 1.
        rows: by distortion, then by metric.
        absent: metric, or quantity of it, that could not be measured -> why.
    """

    strengths: tuple[float, ...]
    rows: tuple[Row, ...]
    absent: Mapping[str, Absent]

    @property
    def failures(self) -> list[Row]:
        """The rows that are not as expected."""
        return [row for row in self.rows if row.holds is False]

    @property
    def first_promises(self) -> tuple[int, int]:
        """Of the promises as first written, how many hold, and how many there are."""
        made = [row.held_first for row in self.rows if row.held_first is not None]
        return sum(made), len(made)

    def row(self, metric: str, distortion: str) -> Row:
        """The row of a metric under a distortion.

        Raises:
            KeyError: if it was not measured.
        """
        for row in self.rows:
            if (row.metric, row.distortion) == (metric, distortion):
                return row
        raise KeyError((metric, distortion))


def expected(metric: str, distortion: str) -> Expectation:
    """What a metric does under a distortion: gets worse, if there is no exception.

    Args:
        metric: name as in a report, with or without "embedded_".
    """
    exceptions = EXCEPTIONS.get(metric, EXCEPTIONS.get(metric.removeprefix("embedded_"), {}))
    return exceptions.get(distortion, Expectation("worse"))


def holds(values: Sequence[float], move: Move, higher_is_better: bool) -> bool | None:
    """Whether values move as expected: no step the other way, and the last away from the first; None for "free"."""
    steps, rounding = np.diff(values), ROUNDING * float(np.abs(values).max())
    if move == "free":
        return None
    if move == "worse late":
        gains = (np.asarray(values) - values[0]) * (1 if higher_is_better else -1)
        return bool(gains.max() <= LATE * abs(values[0]) and gains[-1] < -rounding)
    if move == "still":
        return bool(np.ptp(values) <= rounding)
    rises = {"up": True, "down": False, "better": higher_is_better, "worse": not higher_is_better}[move]
    steps = steps if rises else -steps
    return bool((steps >= -rounding).all() and steps.sum() > rounding)


def behaviour(
    videos: Sequence[Video],
    prompts: Mapping[str, str],
    networks: MetricNetworks,
    strengths: Sequence[float] = STRENGTHS,
    distortions: Mapping[str, Distortion] = DISTORTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Behaviour:
    """Measure every metric on the videos under each distortion; distances are taken to the videos as they are.

    Args:
        videos: at least 2, of one shape, with different names.
        prompts: video's name -> text.
        networks: what is there to measure with.
        strengths: rising, from 0 (where nothing is changed) to at most 1.
        progress: called with the sets of videos that are measured and their number.

    Raises:
        UsageError: for fewer than 2 videos or strengths.
    """
    if len(videos) < 2 or len(strengths) < 2 or strengths[0] != 0:
        raise UsageError("metric behaviour: expected at least 2 videos, and strengths that rise from 0; give more")
    whole, done = 1 + (len(strengths) - 1) * (len(distortions) + 1), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, whole)

    bench = _Bench(videos, prompts, networks)
    clean = bench.measure(videos)
    step()
    rows: list[Row] = []
    for name, distort in distortions.items():
        sets = [clean]
        for strength in strengths[1:]:
            sets.append(bench.measure(list(_distorted(videos, distort, strength))))
            step()
        rows += _rows(name, [bench.metrics(values, clean) for values in sets])
    exchanged = [bench.similarities(prompts)]
    for strength in strengths[1:]:
        exchanged.append(bench.similarities(exchange(prompts, strength)))
        step()
    rows += _rows(PROMPTS, exchanged)
    return Behaviour(tuple(strengths), tuple(rows), {**clean[0].absent, **clean[1].absent})


def exchange(prompts: Mapping[str, str], strength: float, seed: int = 0) -> dict[str, str]:
    """A share of the videos, drawn at random, exchange prompts in pairs; the pairs of a smaller share among them.

    Args:
        prompts: video's name -> text.
        strength: the share, in [0, 1]; of an odd number one stays as it is.
    """
    names = sorted(prompts)
    drawn = np.random.default_rng(seed).permutation(len(names)).tolist()
    pairs = list(zip(drawn[::2], drawn[1::2], strict=False))[: round(strength * (len(names) // 2))]
    exchanged = dict(prompts)
    for one, other in pairs:
        exchanged[names[one]], exchanged[names[other]] = prompts[names[other]], prompts[names[one]]
    return exchanged


def _distorted(videos: Sequence[Video], distort: Distortion, strength: float) -> Iterator[Video]:
    for number, video in enumerate(videos):
        yield replace(video, frames=distort(video.frames, strength, number))


def _rows(distortion: str, sets: Sequence[Mapping[str, float]]) -> Iterator[Row]:
    # A metric that one of the sets could not bear has no row.
    for metric in [name for name in sets[0] if all(name in values for values in sets)]:
        values, expectation = tuple(values_of_set[metric] for values_of_set in sets), expected(metric, distortion)
        better = HIGHER_IS_BETTER[metric.removeprefix("embedded_")]
        now, first = (holds(values, move, better) for move in (expectation.move, expectation.first_written))
        yield Row(metric, distortion, values, expectation, now, first)


@dataclass(frozen=True)
class _Bench:
    """The passes over a set of videos: of each, and of each with the video that it was."""

    clean: Sequence[Video]
    prompts: Mapping[str, str]
    networks: MetricNetworks

    @property
    def _settings(self) -> Settings:
        return shared_settings(
            Settings(len(v.frames), v.fps, f"{v.frames.shape[2]}x{v.frames.shape[1]}", v.codec) for v in self.clean
        )

    def _quantities(self, prompts: Mapping[str, str]) -> list[Quantity]:
        """Without those of prompts that a report exchanges by itself."""
        measured_names = {*MEANS, FEATURES, PROBABILITIES, I3D}
        return [quantity for quantity in quantities(self.networks, prompts) if quantity.name in measured_names]

    def measure(self, videos: Sequence[Video]) -> tuple[Values, Values]:
        singles = measure(((video,) for video in videos), self._quantities(self.prompts), self._settings)
        pairs = zip(videos, self.clean, strict=True)
        return singles, measure(pairs, pair_quantities(self.networks), self._settings)

    def similarities(self, prompts: Mapping[str, str]) -> dict[str, float]:
        chosen = [quantity for quantity in self._quantities(prompts) if quantity.name in SIMILARITIES]
        return _means(measure(((video,) for video in self.clean), chosen, self._settings), SIMILARITIES)

    def metrics(self, measured: tuple[Values, Values], clean: tuple[Values, Values]) -> dict[str, float]:
        """All metrics of a set, by their names in a report."""
        (singles, pairs), reference = measured, clean[0]
        values: dict[str, float] = {}
        for prefix, quantity in (("", I3D), ("embedded_", FEATURES)):
            if singles.of.get(quantity) and reference.of.get(quantity):
                generated, clean_features = singles.stack(quantity), reference.stack(quantity)
                values |= {prefix + name: distance(generated, clean_features) for name, distance in DISTANCES.items()}
        # In one split: there are few videos.
        if singles.of.get(I3D):
            values[INCEPTION] = inception_score(softmax(singles.stack(I3D), axis=1), 1)
        if singles.of.get(PROBABILITIES):
            values[f"embedded_{INCEPTION}"] = inception_score(singles.stack(PROBABILITIES), 1)
        return values | _means(singles, MEANS) | _means(pairs, PAIR_MEANS)


def _means(values: Values, names: Iterable[str]) -> dict[str, float]:
    return {name: float(values.stack(name).mean()) for name in names if values.of.get(name)}


# -- the command -------------------------------------------------------------------------------------------------------


def rendered(count: int, size: int) -> tuple[list[Video], dict[str, str]]:
    """Clips 0, 1, ... of the world's test split at size × size pixels, and their captions."""
    from mov_ai.worlds.tabletop.world import FPS, sample_clip

    videos, prompts = [], {}
    for seed in range(count):
        clip = sample_clip(seed, "test", size)
        videos.append(Video(f"{seed:05d}", clip.video.numpy(), float(FPS), "none"))
        prompts[videos[-1].name] = clip.caption.text
    return videos, prompts


def table(measured: Behaviour) -> Table:
    """Values, what is expected and whether it is so."""
    result = Table(caption="Distances are to the undistorted videos; prompts move no other metric than those shown.")
    result.add_column("")
    for strength in measured.strengths:
        result.add_column(f"{strength:g}", justify="right")
    result.add_column("expected")
    result.add_column("so it is")
    words = {True: "yes", False: "NO", None: ""}
    for distortion in dict.fromkeys(row.distortion for row in measured.rows):
        result.add_section()
        result.add_row(f"[bold]{distortion}[/bold]")
        for row in (row for row in measured.rows if row.distortion == distortion):
            values = (f"{value:.5g}" for value in row.values)
            result.add_row(row.metric, *values, row.expectation.move, words[row.holds])
    return result


def to_json(measured: Behaviour) -> dict[str, Any]:
    """The table as plain values."""
    return {
        "strengths": list(measured.strengths),
        "rows": [asdict(row) for row in measured.rows],
        "absent": {name: absent.to_json()["absent"] for name, absent in measured.absent.items()},
        "as_expected": not measured.failures,
        "first_promises": dict(zip(("hold", "made"), measured.first_promises, strict=True)),
    }


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.metrics.behaviour", description=__doc__)
    parser.add_argument("--videos", type=int, default=96, help="clips of the test split, 0, 1, ...")
    parser.add_argument("--size", type=int, default=64, help="height and width of the clips in pixels")
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the table")
    return parser.parse_args(given)


def run(options: argparse.Namespace, console: Console, networks: MetricNetworks | None = None) -> Behaviour:
    """Measure, print and write.

    Args:
        networks: what to measure with; what is on this machine if None.

    Raises:
        UsageError: for fewer than 2 videos, or a size below 32.
    """
    if options.videos < 2:
        raise UsageError(f"--videos: expected 2 or more; found {options.videos}")
    if options.size < 32:
        raise UsageError(f"--size: expected 32 or more, as LPIPS needs; found {options.size}")
    networks = load_networks() if networks is None else networks
    videos, prompts = rendered(options.videos, options.size)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring")

        def report(done: int, whole: int) -> None:
            progress.update(task, completed=done, total=whole)

        measured = behaviour(videos, prompts, networks, STRENGTHS, DISTORTIONS, report)
    console.print(table(measured))
    for row in measured.rows:
        if row.expectation.reason:
            console.print(f"{row.metric}, {row.distortion}: {row.expectation.move}: {row.expectation.reason}")
        if row.held_first is False:
            console.print(
                f"{row.metric}, {row.distortion}: promised at first {row.expectation.first_written}, and is not"
            )
    held, made = measured.first_promises
    console.print(f"promises as first written: {held} of {made} hold", highlight=False)
    for name, absent in measured.absent.items():
        console.print(f"{name}: not measured: {absent.reason}")
    if options.out is not None:
        command = f"python -m tools.metrics.behaviour --videos {options.videos} --size {options.size}"
        sources = {q.name: {"network": q.network, "weights": q.weights} for q in quantities(networks, prompts)}
        write_json(options.out, {"command": command, "sources": sources, **to_json(measured)})
    return measured


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)

    def check() -> None:
        failures = run(options, Console()).failures
        if failures:
            wrong = (f"{row.metric}, {row.distortion}: expected {row.expectation.move}" for row in failures)
            raise MovAIError("; ".join(wrong))

    return run_script("behaviour", check)


if __name__ == "__main__":
    sys.exit(main())
