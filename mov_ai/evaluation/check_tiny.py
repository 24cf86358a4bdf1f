"""The compositional benchmark of the embedded model: `python -m mov_ai.evaluation.check_tiny [--prompts 64]`."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.evaluation.checker import Checker
from mov_ai.evaluation.compositional import (
    OVERALL,
    Pipeline,
    Prompt,
    RealPipeline,
    Row,
    Score,
    Video,
    check_prompt,
    held_out_prompts,
    scores,
)
from mov_ai.graph import SceneGraph
from mov_ai.graph.files import read_json, write_json
from mov_ai.hardware import machine
from mov_ai.worlds.tabletop.lexicon import MOTIONS

ASSETS = Path(__file__).resolve().parents[1] / "assets"
#: Changes when rows of an earlier run must not be used again.
_SCHEMA = 1
_TITLES = {
    "objects": "objects right",
    "shapes": "  shape right",
    "colors": "  colour right",
    "events": "events right",
    "motions": "  by the best match",
}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mov_ai.evaluation.check_tiny", description=__doc__)
    parser.add_argument("--prompts", type=int, default=64, help="captions of the test split, clips 0, 1, ...")
    parser.add_argument("--stages", type=int, default=128, help="size of the last stage: 128, 256 or 512")
    parser.add_argument("--model", default=None, help="folder of a pipeline; the embedded one if not given")
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the figures")
    parser.add_argument("--sheets", type=Path, default=None, help="folder for a contact sheet per prompt")
    parser.add_argument("--cache", type=Path, default=Path("cache/check_tiny"), help="folder for finished prompts")
    return parser.parse_args(given)


def load_pipeline(model: str | None, stages: int) -> Pipeline:
    """The pipeline that is judged, up to the stage of that size."""
    from mov_ai.pipeline import MovAIPipeline

    pipeline = MovAIPipeline.from_pretrained("tiny" if model is None else model)

    def run(prompt: str | SceneGraph, /, *, seed: int) -> Video:
        return pipeline(prompt, seed=seed, stages=stages)

    return run


def digest(folders: list[Path], stages: int) -> str:
    """What decides a row besides its prompt: every weight and setting in these folders, and the stages."""
    whole = hashlib.sha256(repr((_SCHEMA, stages)).encode())
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors")):
            whole.update(str(path.relative_to(folder)).encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def collect(
    load: Callable[[], Pipeline],
    prompts: list[Prompt],
    checker: Checker,
    folder: Path,
    prefix: str,
    sheets: Path | None,
    console: Console,
) -> tuple[list[Row], float]:
    """Rows of all prompts, those of earlier runs read from `folder`; and the seconds that making the videos took.

    Args:
        load: gives the pipeline; called only if a prompt is not finished yet.
        prefix: of the rows' files.
    """
    rows, seconds = [], 0.0
    loaded: Pipeline | None = None
    for prompt in track(prompts, f"checking {prefix} videos", console=console, transient=True):
        place = folder / f"{prefix}-{prompt.seed:05d}.json"
        kept = _kept(place, prompt)
        if kept is None:
            if loaded is None:
                loaded = load()
            started = time.perf_counter()
            row, report, video = check_prompt(loaded, prompt, checker)
            kept = {
                "text": prompt.text,
                "seed": prompt.seed,
                "seconds": round(time.perf_counter() - started, 3),
                "verdicts": row.verdicts,
                "report": report.to_dict(),
            }
            write_json(place, kept)
            if sheets is not None:
                _save_sheet(video.frames, sheets / f"{prefix}-{prompt.seed:05d}.png")
        rows.append(Row(kept["verdicts"]))
        seconds += kept["seconds"]
    return rows, seconds


def _kept(place: Path, prompt: Prompt) -> dict[str, Any] | None:
    """An earlier run's row, or None if there is none that can be used."""
    if not place.exists():
        return None
    try:
        value = read_json(place)
    except MovAIError:
        return None  # cut off while it was written; it is made again
    usable = isinstance(value, dict) and value.get("text") == prompt.text and "verdicts" in value
    return value if usable else None


def _save_sheet(frames: Any, path: Path) -> None:
    import torch

    from mov_ai.worlds.tabletop.world import contact_sheet

    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(torch.as_tensor(frames)).save(path)


def table(generated: dict[str, Score], real: dict[str, Score], title: str) -> Table:
    """The figures side by side."""
    result = Table(title=title)
    for name in ("", "n", "generated", "95 % interval", "real clips"):
        result.add_column(name, justify="left" if not name else "right")
    for kind in (*OVERALL, *(f"motion:{motion}" for motion in MOTIONS)):
        score, own = generated[kind], real[kind]
        if kind == "motion:left":
            result.add_section()
        if score.n == 0:
            continue
        interval = f"{100 * score.low:.1f}-{100 * score.high:.1f}"
        name = _TITLES.get(kind, kind.removeprefix("motion:"))
        result.add_row(name, str(score.n), f"{100 * score.share:.1f} %", interval, f"{100 * own.share:.1f} %")
    return result


def run(options: argparse.Namespace, console: Console, pipeline: Pipeline | None = None) -> dict[str, Any]:
    """Check, print and write; returns what is written.

    Args:
        pipeline: what to judge instead of the one that `options` name; its rows are not mixed up with theirs.
    """
    if options.prompts < 1:
        raise UsageError(f"--prompts: expected 1 or more; found {options.prompts}")
    checker = Checker.from_pretrained()
    prompts = held_out_prompts(options.prompts)
    folders = [ASSETS, *([Path(options.model)] if options.model else [])]
    name = digest(folders, options.stages) if pipeline is None else f"given-{id(pipeline):x}"
    folder = options.cache / name
    started = time.perf_counter()

    def load() -> Pipeline:
        return load_pipeline(options.model, options.stages) if pipeline is None else pipeline

    rows, seconds = collect(load, prompts, checker, folder, "generated", options.sheets, console)
    own_rows, _ = collect(RealPipeline, prompts, checker, folder, "real", None, console)
    generated, real = scores(rows), scores(own_rows)
    console.print(table(generated, real, f"{len(prompts)} captions of the test split, stages {options.stages}"))
    each = seconds / len(prompts)
    console.print(
        f"{seconds:.0f} s for {len(prompts)} videos ({each:.1f} s each, checking included); seeds 0 to"
        f" {len(prompts) - 1}; {machine()}. Intervals: bootstrap over prompts. 'real clips': the checker's own score on"
        " the world's clips of the same captions. 'events right' asks that the right object does it."
    )
    result = {
        "command": f"python -m mov_ai.evaluation.check_tiny --prompts {options.prompts} --stages {options.stages}",
        "prompts": len(prompts),
        "split": "test",
        "seeds": [prompt.seed for prompt in prompts],
        "stages": options.stages,
        "digest": name,
        "seconds": round(seconds, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "machine": machine(),
        "generated": {kind: score.to_dict() for kind, score in generated.items()},
        "real": {kind: score.to_dict() for kind, score in real.items()},
    }
    if options.out is not None:
        write_json(options.out, result)
    return result


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("check_tiny", lambda: run(options, Console()))


if __name__ == "__main__":
    sys.exit(main())
