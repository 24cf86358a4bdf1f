"""How many objects and events of captions a pipeline shows: `python -m studies.check.tiny`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.benchmark import Score
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.metrics.bootstrap import share_interval
from mov_ai.evaluation.video_store import Recipe, VideoStore, make_missing, weights_digest
from mov_ai.graph import SceneGraph
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from mov_ai.worlds.tabletop.lexicon import MOTIONS
from mov_ai.worlds.tabletop.world import FPS, caption_and_layout, sample_clip
from studies.check.verdicts import check

#: Kinds of `CheckReport.verdicts` -> titles of their rows.
_TITLES = {
    "objects": "objects right",
    "shapes": "  shape right",
    "colors": "  colour right",
    "events": "events right",
    "motions": "  by the best match",
    **{f"motion:{motion}": motion for motion in MOTIONS},
}
#: Text and seed in, uint8 frames (F, H, W, 3) out.
Generate = Callable[[str, int], np.ndarray]


@dataclass(frozen=True)
class Prompt:
    """A caption of the world, the graph that it means, and the seed that the pipeline gets."""

    text: str
    graph: SceneGraph
    seed: int


def held_out_prompts(number: int = 64) -> list[Prompt]:
    """Captions of the world's test split, clips 0, 1, ...: each shows a pair of shape and colour held out."""
    prompts = []
    for seed in range(number):
        _, caption, _ = caption_and_layout(seed, "test")
        prompts.append(Prompt(caption.text, caption.graph, seed))
    return prompts


def scores(rows: Sequence[dict[str, list[bool]]]) -> dict[str, Score]:
    """Shares right over all rows, kind by kind; things in one video are not independent, so the interval is over rows.

    Args:
        rows: of each video, `CheckReport.verdicts`.
    """
    result = {}
    for kind in _TITLES:
        right = [sum(row.get(kind, [])) for row in rows]
        asked = [len(row.get(kind, [])) for row in rows]
        if not sum(asked):
            result[kind] = Score(float("nan"), float("nan"), float("nan"), 0)
            continue
        low, high = share_interval(right, asked) if len(rows) > 1 else (0.0, 1.0)
        result[kind] = Score(sum(right) / sum(asked), low, high, sum(asked))
    return result


def load_pipeline(model: str, stages: int) -> Generate:
    """The pipeline that is judged, up to the stage of that size."""
    from mov_ai.pipeline import MovAIPipeline

    pipeline = MovAIPipeline.from_pretrained(model)
    return lambda text, seed: pipeline(text, seed=seed, stages=stages).frames


def generated(
    prompts: Sequence[Prompt], model: str, stages: int, cache: Path, console: Console
) -> tuple[VideoStore, float]:
    """The videos of all prompts, those of earlier runs used again; and the seconds that each new one took."""
    store = VideoStore(cache / f"{weights_digest(model)}-{stages}")
    texts = {f"{prompt.seed:05d}": prompt for prompt in prompts}
    pipeline: list[Generate] = []

    def make(recipe: Recipe) -> tuple[np.ndarray, float]:
        if not pipeline:
            pipeline.append(load_pipeline(model, stages))
        prompt = texts[recipe.name]
        return pipeline[0](prompt.text, prompt.seed), FPS

    recipes = [Recipe(name, {"text": prompt.text, "seed": prompt.seed}) for name, prompt in texts.items()]
    waiting = track(recipes, "generating", console=console, transient=True)
    return store, make_missing(store, waiting, make, lambda line: console.print(line, soft_wrap=True), "videos")


def table(generated: dict[str, Score], real: dict[str, Score], title: str) -> Table:
    """The figures side by side."""
    result = Table(title=title)
    for name in ("", "n", "generated", "95 % interval", "real clips"):
        result.add_column(name, justify="left" if not name else "right")
    for kind, name in _TITLES.items():
        score, own = generated[kind], real[kind]
        if kind == "motion:left":
            result.add_section()
        if score.n:
            interval = f"{100 * score.low:.1f}-{100 * score.high:.1f}"
            result.add_row(name, str(score.n), f"{100 * score.share:.1f} %", interval, f"{100 * own.share:.1f} %")
    return result


def run(
    console: Console,
    number: int = 64,
    stages: int = 128,
    model: str = "tiny",
    out: Path | None = None,
    cache: Path = Path("cache/check_tiny"),
) -> dict[str, Any]:
    """Generate, check, print and write.

    Args:
        console: for the table and what goes on.
        number: of captions of the test split, clips 0, 1, ...; 1 or more.
        stages: size of the last stage.
        model: an embedded pipeline, or the folder of a saved one.
        out: JSON file for the figures.
        cache: folder for finished videos.

    Returns:
        What is written.

    Raises:
        UsageError: if there is no such pipeline or stage, or no prompt is asked for.
    """
    if number < 1:
        raise UsageError(f"--prompts: expected 1 or more; found {number}")
    checker = Checker.from_pretrained()
    prompts = held_out_prompts(number)
    store, seconds = generated(prompts, model, stages, cache, console)
    own, real = [], []
    for prompt in track(prompts, "checking", console=console, transient=True):
        own.append(check(checker, prompt.graph, store.frames(f"{prompt.seed:05d}")).verdicts())
        real.append(check(checker, prompt.graph, sample_clip(prompt.seed, "test").video).verdicts())
    figures, ceiling = scores(own), scores(real)
    console.print(table(figures, ceiling, f"{len(prompts)} captions of the test split, stages {stages}"))
    console.print(
        f"{seconds:.1f} s for each video that was made; seeds 0 to {len(prompts) - 1}; {machine()}. Intervals:"
        " bootstrap over prompts. 'real clips': the checker's own score on the world's clips of the same captions."
        " 'events right' asks that the right object does it."
    )
    result = {
        "command": f"python -m studies.check.tiny --prompts {number} --stages {stages}",
        "prompts": len(prompts),
        "split": "test",
        "stages": stages,
        "weights": store.folder.name,
        "seconds_per_video": round(seconds, 2),
        "machine": machine(),
        "generated": {kind: score.to_dict() for kind, score in figures.items()},
        "real": {kind: score.to_dict() for kind, score in ceiling.items()},
    }
    if out is not None:
        write_json(out, result)
    return result


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.check.tiny", description=__doc__)
    parser.add_argument("--prompts", type=int, default=64, help="captions of the test split, clips 0, 1, ...")
    parser.add_argument("--stages", type=int, default=128, help="size of the last stage: 128, 256 or 512")
    parser.add_argument("--model", default="tiny", help="an embedded pipeline, or the folder of a saved one")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--cache", type=Path, default=Path("cache/check_tiny"), help="folder for finished videos")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script(
        "check", lambda: run(Console(), options.prompts, options.stages, options.model, options.out, options.cache)
    )


if __name__ == "__main__":
    sys.exit(main())
