"""What each stage adds under gold graphs and gold boxes: `python -m studies.stages.measure`.

Each size has these rows: the stage's own video; the first stage's, enlarged bilinearly, which costs nothing; that of
the stage before, enlarged, where it is another one; and the true frames through the codec and back, which is the most
that a stage can reach.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.evaluation.enlarging import enlarged
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from mov_ai.models.codec import AnyCodec, to_bytes, to_unit
from mov_ai.pipeline import MovAIPipeline
from studies.stages.clips import GoldClip, gold_clips
from studies.stages.command import options
from studies.stages.figures import Figures, Mean, figures, mean, means

STAGE, ENLARGED, BEFORE, CODEC = "stage", "first stage enlarged", "stage before enlarged", "codec alone"
#: Figure -> title of its column, digits.
_COLUMNS = {
    "object_psnr": ("object PSNR, dB", 2),
    "frame_psnr": ("frame PSNR, dB", 2),
    "edge_gradient": ("edge gradient", 3),
    "flicker": ("floor flicker", 4),
    "flicker_to_codec": ("times codec", 2),
    "gain": ("gain, dB", 2),
    "gain_on_before": ("on the stage before", 2),
    "seconds": ("s", 1),
}


@dataclass
class Measured:
    """Figures of clips, in order, by size and kind of row; and the seconds of each stage, and of the whole run."""

    rows: dict[tuple[int, str], list[Figures]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, size: int, kind: str, video: np.ndarray, truth: tuple[np.ndarray, np.ndarray]) -> None:
        """Measure a clip's video beside its true frames and masks."""
        self.rows.setdefault((size, kind), []).append(figures(video, *truth))


@torch.no_grad()
def through_codec(codec: AnyCodec, video: np.ndarray, device: torch.device | str = "cpu") -> np.ndarray:
    """A video, uint8 (F, H, W, 3), encoded and decoded."""
    unit = to_unit(torch.from_numpy(video))[None].to(device)
    decoded = codec.decode(codec.encode(unit), len(video)).float().clamp(-1, 1)
    return to_bytes(decoded)[0].cpu().numpy()


def measure_clip(pipeline: MovAIPipeline, clip: GoldClip, stage: int | None, measured: Measured) -> None:
    """Run the cascade for a clip up to a stage, and measure every stage."""
    result = pipeline(clip.graph, seed=clip.seed, layout=clip.layout, stages=stage)
    first = before = min(result.stages)
    for size, video in sorted(result.stages.items()):
        truth = clip.render(size)
        measured.add(size, STAGE, video, truth)
        if size > first:
            measured.add(size, ENLARGED, enlarged(result.stages[first], size, size), truth)
        if before > first:
            measured.add(size, BEFORE, enlarged(result.stages[before], size, size), truth)
        before = size
        measured.add(size, CODEC, through_codec(pipeline.cascade.codec, truth[0], pipeline.device), truth)
        measured.seconds.setdefault(str(size), []).append(result.run["seconds"][str(size)])
    measured.seconds.setdefault("whole run", []).append(sum(result.run["seconds"].values()))


def summary(measured: Measured) -> list[dict[str, Any]]:
    """A row for each size and kind: `size`, `row`, and a `Mean` for each figure that it has.

    Those of stages also have `object_psnr_of_clips`, in the order of the clips, to be compared with other runs'.
    """
    rows: list[dict[str, Any]] = []
    for (size, kind), values in measured.rows.items():
        row = {"size": size, "row": kind, **means(values, measured.rows[size, CODEC])}
        if kind == STAGE:
            row["seconds"] = mean(measured.seconds[str(size)])
            row["object_psnr_of_clips"] = [round(own.object_psnr, 4) for own in values]
            for name, kind_before in (("gain", ENLARGED), ("gain_on_before", BEFORE)):
                if (size, kind_before) in measured.rows:
                    # Of the same clips, so that the spread between clips is no part of the interval.
                    pairs = zip(values, measured.rows[size, kind_before], strict=True)
                    row[name] = mean([own.object_psnr - other.object_psnr for own, other in pairs])
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]], title: str) -> Table:
    """The rows, each figure with its interval below it."""
    result = Table(title=title)
    for name in ("size", "", *(column for column, _ in _COLUMNS.values())):
        result.add_column(name, justify="left" if not name else "right")
    size = rows[0]["size"]
    for row in rows:
        if row["size"] != size:
            result.add_section()
            size = row["size"]
        cells = [_cell(row.get(name), digits) for name, (_, digits) in _COLUMNS.items()]
        result.add_row(str(size), row["row"], *cells)
    return result


def _cell(figure: Mean | None, digits: int) -> str:
    if figure is None:
        return ""
    interval = figure.interval
    return f"{figure.value:.{digits}f}" + (
        "" if interval is None else f"\n{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"
    )


def run(
    console: Console,
    number: int = 16,
    checkpoint: str = "tiny",
    split: str = "validation",
    variation: str = "plain",
    stage: int | None = None,
    device: str = "auto",
    out: Path | None = None,
) -> dict[str, Any]:
    """Generate, measure, print and write.

    Args:
        console: for the table and what goes on.
        number: of clips, 0, 1, ... of the split.
        checkpoint: an embedded pipeline, or the folder of a saved one.
        split, variation: see `gold_clips`.
        stage: size of the last stage; None for the pipeline's own.
        device: auto, cpu, cuda or cuda:N.
        out: JSON file for the figures.

    Returns:
        What is written.

    Raises:
        UsageError: if an option names nothing that there is.
    """
    clips = gold_clips(number, split, variation)
    pipeline = MovAIPipeline.from_pretrained(checkpoint, device)
    if pipeline.shape.height != pipeline.shape.width:
        raise UsageError(f"checkpoint: expected one of square videos, as the world's are; found {pipeline.shape}")
    measured = Measured()
    for clip in track(clips, "clips", console=console, transient=True):
        measure_clip(pipeline, clip, stage, measured)
    rows = summary(measured)
    about = f"{number} {variation} clips of the {split} split, {checkpoint}"
    console.print(table(rows, f"Stages under gold graphs and gold boxes: {about}"))
    whole = mean(measured.seconds["whole run"]).value
    console.print(
        f"{whole:.1f} s for a whole run; {machine()}. 'edge gradient': sum of gradients around objects, truth = 1."
        " 'floor flicker': mean change from frame to frame of floor that stands still in the truth, in grey levels;"
        " 'times codec': the same over that of the codec alone. 'gain': object PSNR above the first stage enlarged;"
        " 'on the stage before': above that one enlarged."
        " 's': of a stage without decoding. Intervals: 95 %, bootstrap over clips."
    )
    result = {
        "command": f"python -m studies.stages.measure --clips {number} --split {split} --variation {variation}",
        "checkpoint": checkpoint,
        "clips": number,
        "split": split,
        "variation": variation,
        "machine": machine(),
        "seconds": {part: round(float(np.mean(values)), 3) for part, values in measured.seconds.items()},
        "rows": [
            {name: value.to_dict() if isinstance(value, Mean) else value for name, value in row.items()} for row in rows
        ],
    }
    if out is not None:
        write_json(out, result)
    return result


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    chosen = options("measure", __doc__, "size of the last stage; the pipeline's own if not given").parse_args(given)
    return run_script("stages", lambda: run(Console(), **vars(chosen)))


if __name__ == "__main__":
    sys.exit(main())
