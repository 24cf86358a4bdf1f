"""What a trained network loses without each of its parts: `python -m studies.stages.ablation`.

Under gold graphs and gold boxes: the error of the clean latents that the first stage predicts at a few levels of noise,
and the object PSNR of what is sampled. Parts are switched off in sampling (`mov_ai.models.ablation`), not left out of
training: a part without a loss here is one that these weights do not use.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mov_ai.diffusion.process import add_noise, mixed_noise
from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.metrics.refinement import object_psnr
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from mov_ai.models.ablation import PARTS, without
from mov_ai.models.codec import to_unit
from mov_ai.models.conditioning import condition
from mov_ai.pipeline import MovAIPipeline
from studies.stages.clips import GoldClip, gold_clips
from studies.stages.command import options
from studies.stages.figures import Mean, mean

#: Levels of noise that the error is measured at; at 1 the network sees nothing of the clip.
LEVELS = (1.0, 0.7, 0.4)
NOTHING = "nothing"


@torch.no_grad()
def clean_error(pipeline: MovAIPipeline, clip: GoldClip, levels: Sequence[float]) -> list[float]:
    """Mean squared error of the first stage's clean latents, which have a variance of about 1, at each level."""
    cascade, device = pipeline.cascade, pipeline.device
    stage = cascade.config.first_stage
    video = to_unit(torch.from_numpy(clip.render(cascade.config.first)[0]))[None].to(device)
    clean = cascade.codec.encode(video).float()
    generator = torch.Generator().manual_seed(clip.seed)
    noise = mixed_noise(tuple(clean.shape), cascade.config.shared_noise, generator).to(device)
    features = None if pipeline.text_encoder is None else pipeline.text_encoder([clip.graph.caption]).cpu()
    times = cascade.codec.latent_times(video.shape[1])
    asked = condition(clip.graph, clip.layout, pipeline.labels, video.shape[1], features, times).to(device)
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=device)
    errors = []
    for level in levels:
        sigma = torch.full((1,), level, device=device)
        guess: Tensor = cascade.denoiser(stage)(
            add_noise(clean, noise, sigma),
            sigma,
            torch.full((1,), stage, device=device),
            torch.zeros_like(clean),
            window,
            asked,
        )
        errors.append(float((guess.float() - clean).square().mean()))
    return errors


def sampled_psnr(pipeline: MovAIPipeline, clip: GoldClip, size: int) -> float:
    """Object PSNR of the video that is sampled, up to the stage of that size."""
    result = pipeline(clip.graph, seed=clip.seed, layout=clip.layout, stages=size)
    return object_psnr(result.frames, *clip.render(size))


def usable(pipeline: MovAIPipeline, parts: Sequence[str]) -> list[str]:
    """Those of the parts that the pipeline has. Raises UsageError for an unknown one."""
    result = []
    for part in parts:
        try:
            with without(pipeline.cascade.denoisers, part):
                result.append(part)
        except UsageError:
            if part not in PARTS:
                raise
    return result


def measure(pipeline: MovAIPipeline, clip: GoldClip, part: str, size: int, levels: Sequence[float]) -> list[float]:
    """Errors at each level, then the object PSNR in dB, of a clip without a part, or without `NOTHING`."""
    off = nullcontext() if part == NOTHING else without(pipeline.cascade.denoisers, part)
    with off:
        return [*clean_error(pipeline, clip, levels), sampled_psnr(pipeline, clip, size)]


def table(rows: Sequence[dict[str, Any]], levels: Sequence[float], title: str) -> Table:
    """The whole network's own figures, and what changes without each part, with intervals."""
    result = Table(title=title)
    result.add_column("without")
    for name in (*(f"error at {level:g}" for level in levels), "object PSNR, dB"):
        result.add_column(name, justify="right")
    for row in rows:
        own = row["without"] == NOTHING
        shown: list[Mean] = [*row["errors"], row["object_psnr"]]
        digits = [4] * len(levels) + [2]
        result.add_row(row["without"], *(_cell(f, d, own) for f, d in zip(shown, digits, strict=True)), end_section=own)
    return result


def _cell(figure: Mean, digits: int, own: bool) -> str:
    sign = "" if own else "+"
    low_high = figure.interval
    interval = "" if low_high is None else f" ({low_high[0]:{sign}.{digits}f} to {low_high[1]:{sign}.{digits}f})"
    return f"{figure.value:{sign}.{digits}f}{interval}"


def run(
    console: Console,
    number: int = 16,
    checkpoint: str = "tiny",
    split: str = "validation",
    variation: str = "plain",
    stage: int | None = None,
    parts: Sequence[str] = tuple(PARTS),
    device: str = "auto",
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure with nothing off, then with each part off, print and write.

    Args:
        console: for the table and what goes on.
        number, split, variation: of the clips, see `gold_clips`.
        checkpoint: an embedded pipeline, or the folder of a saved one.
        stage: size up to which videos are sampled; None for the first stage's.
        parts: keys of `PARTS`; those that the network lacks are left out.
        device: auto, cpu, cuda or cuda:N.
        out: JSON file for the figures.

    Returns:
        What is written.

    Raises:
        UsageError: if an option names nothing that there is.
    """
    clips = gold_clips(number, split, variation)
    pipeline = MovAIPipeline.from_pretrained(checkpoint, device)
    size = stage or pipeline.cascade.config.first
    present = usable(pipeline, parts)
    # (part, clip, figure)
    values: dict[str, list[list[float]]] = {part: [] for part in (NOTHING, *present)}
    for clip in track(clips, "clips", console=console, transient=True):
        for part, rows in values.items():
            rows.append(measure(pipeline, clip, part, size, LEVELS))
    # Differences of the same clips, so that the spread between clips is no part of the intervals.
    summary: list[dict[str, Any]] = []
    for part, rows in values.items():
        zero = [[0.0] * len(row) for row in rows] if part == NOTHING else values[NOTHING]
        changes = [
            mean([row[i] - base[i] for row, base in zip(rows, zero, strict=True)]) for i in range(len(LEVELS) + 1)
        ]
        summary.append({"without": part, "errors": changes[:-1], "object_psnr": changes[-1]})
    about = f"{number} {variation} clips of the {split} split, {checkpoint}, sampled to {size}"
    console.print(table(summary, LEVELS, f"What is lost without a part: {about}"))
    left_out = [part for part in parts if part not in present]
    console.print(
        f"{machine()}. Error: mean square of the first stage's clean latents at that level of noise, whose variance is"
        " about 1. All rows but the first are changes. Intervals: 95 %, bootstrap over clips. "
        + "; ".join(f"{part}: {PARTS[part]}" for part in present)
        + (f". This network has no {', '.join(left_out)}" if left_out else "")
        + "."
    )
    result = {
        "command": f"python -m studies.stages.ablation --clips {number} --split {split} --variation {variation} "
        f"--stage {size}",
        "checkpoint": checkpoint,
        "clips": number,
        "split": split,
        "variation": variation,
        "stage": size,
        "levels": list(LEVELS),
        "machine": machine(),
        "rows": [
            {
                "without": row["without"],
                "errors": [figure.to_dict() for figure in row["errors"]],
                "object_psnr": row["object_psnr"].to_dict(),
            }
            for row in summary
        ],
    }
    if out is not None:
        write_json(out, result)
    return result


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = options("ablation", __doc__, "size up to which videos are sampled; the first stage's if not given")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args(given)
    return run_script("ablation", lambda: run(Console(), **vars(chosen)))


if __name__ == "__main__":
    sys.exit(main())
