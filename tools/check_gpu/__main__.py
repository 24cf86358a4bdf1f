"""Everything once on the device that is here: `python -m tools.check_gpu [--device cuda] [--minutes 6] [--out FILE]`.

Attention of every backend against float64, training steps and videos of `tiny` and `base` in bf16 with and without
`torch.compile`, and codec, denoiser and planner trained one after another, resumed half-way. One JSON file, one table;
exit code 1 if anything failed. What no time is left for is named.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hydra.utils
import numpy as np
import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from mov_ai.errors import MovAIError, run_script
from mov_ai.graph.files import write_json
from mov_ai.hardware import choose_device, machine
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.pipeline import MovAIPipeline
from mov_ai.shipped_files import shipped
from tools.check_gpu import attention, runs, steps
from tools.check_gpu.device import TYPES, current, matrix_peak

log = logging.getLogger("check_gpu")
Rows = list[dict[str, Any]]


class Check:
    """What is checked so far, and how much time is left.

    Args:
        minutes: after which no other part is begun.
    """

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes
        self.rows: dict[str, Rows] = {}

    def part(self, group: str, name: str, work: Callable[[], Iterable[dict[str, Any]]]) -> None:
        """Do a part; what goes wrong in it is a row of its own, and the other parts go on."""
        rows = self.rows.setdefault(group, [])
        if time.monotonic() > self._end:
            rows.append({"name": name, "skipped": "no time was left"})
            return
        log.info("%s: %s", group, name)
        try:
            rows += [{"name": name, **row} for row in work()]
        # Whatever a device or a compiler raises is what this command is there to report.
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            rows.append({"name": name, "ok": False, "failed": f"{type(error).__name__}: {reason}"[:300]})

    @property
    def failures(self) -> list[str]:
        """The parts that failed, by name."""
        return [
            f"{group}: {row['name']}" for group, rows in self.rows.items() for row in rows if row.get("ok") is False
        ]


def preset(name: str) -> dict[str, Any]:
    """The configs of `conf/model/NAME.yaml`; captions are read as words, so that no text encoder has to be there."""
    read = OmegaConf.load(shipped(f"conf/model/{name}.yaml"))
    parts: dict[str, Any] = hydra.utils.instantiate(read, _convert_="all")
    parts["denoiser"] = replace(parts["denoiser"], text_encoder=None, text_width=0)
    return parts


def small(parts: dict[str, Any]) -> dict[str, Any]:
    """The same design in small, for a CPU and seconds."""
    tiny = replace(
        parts["denoiser"], dim=64, heads=4, depth=1, stem=8, stem_blocks=1, graph_encoder=GraphEncoderConfig(16, 1, 2)
    )
    codec = replace(parts["codec"], widths=(8, 8, 8), blocks=(1, 1, 1))
    planner = replace(parts["planner"], dim=16, layers=1, heads=2, expansion=1)
    return {**parts, "denoiser": replace(tiny, stages=(32, 64, 128)), "codec": codec, "planner": planner}


def run(device: torch.device, minutes: float, is_quick: bool, out: Path | None, console: Console) -> dict[str, Any]:
    """Check everything, print the table, write the file.

    Args:
        minutes: after which no other part is begun.
        is_quick: small networks and few repetitions.
        out: JSON file; None for none.

    Raises:
        MovAIError: if a part failed; the file is written before.
    """
    start = time.monotonic()
    check = Check(minutes)
    presets = {name: preset(name) for name in (("tiny",) if is_quick else ("tiny", "base"))}
    if is_quick:
        presets = {name: small(parts) for name, parts in presets.items()}
    side, times = (256, 1) if is_quick else (8192, 5)
    types = {name: dtype for name, dtype in TYPES.items() if name != "fp16" or device.type == "cuda"}
    peak = {name: matrix_peak(device, dtype, side, 2 * times) for name, dtype in types.items()}
    work = steps.Work(1, 4, 1, False) if is_quick else steps.Work(4, 16, 5, True)
    for name, parts in presets.items():
        config = parts["denoiser"]
        sizes = (1, 4, 4) if is_quick else (work.videos, 32, 16)
        check.part("attention", name, partial(attention.checks, config, device, *sizes, times))
    has_xformers = find_spec("xformers") is not None
    if not has_xformers:
        check.rows["attention"].append({"name": "xformers", "skipped": "not installed"})
    with tempfile.TemporaryDirectory() as folder:
        for compiled in (False, True) if work.compiles else (False,):
            for name, parts in presets.items():
                config = parts["denoiser"]
                title = f"{name}{', compiled' if compiled else ''}"
                check.part("training step", title, partial(_step, config, work, device, compiled, peak["bf16"]))
                check.part("video", title, partial(_video, parts, device, compiled, config.stages[0]))
            if not compiled:
                chain = partial(_chain, presets["tiny"], Path(folder), device, is_quick)
                check.part("training", "codec to pipeline", chain)
                if not is_quick:
                    check.part("video", "embedded tiny against the CPU", partial(_against_cpu, device))
    with current(device):
        where = machine()
    result = {
        "machine": where,
        "device": str(device),
        "versions": {"torch": torch.__version__, "xformers": has_xformers},
        "quick": is_quick,
        "peak_flops": peak,
        **check.rows,
        "failures": check.failures,
        "seconds": time.monotonic() - start,
    }
    if out is not None:
        write_json(out, result)
    print_table(result, console)
    if check.failures:
        raise MovAIError(f"{len(check.failures)} failed: {'; '.join(check.failures)}")
    return result


def _chain(parts: dict[str, Any], folder: Path, device: torch.device, is_quick: bool) -> Iterable[dict[str, Any]]:
    precision = "bf16" if device.type == "cuda" else "no"
    count, clips = (2, 2) if is_quick else (50, 32)
    return runs.chain(parts["codec"], parts["denoiser"], parts["planner"], folder, device, count, clips, precision)


def _step(config: DenoiserConfig, work: steps.Work, device: torch.device, compiled: bool, peak: float) -> Rows:
    return [steps.training_step(config, "bf16", work, device, compiled, peak)]


def _video(parts: dict[str, Any], device: torch.device, compiled: bool, side: int) -> Rows:
    config: DenoiserConfig = parts["denoiser"]
    row = steps.sampled_video(steps.untrained(config, parts["codec"], device), "bf16", device, side, compiled)
    return [{name: value for name, value in row.items() if name != "frames"}]


def _against_cpu(device: torch.device) -> Rows:
    """The embedded pipeline's video here in fp32 and bf16 beside the one that the CPU makes in fp32."""
    cpu = torch.device("cpu")
    expected = steps.sampled_video(MovAIPipeline.from_pretrained("tiny", "cpu"), "fp32", cpu, None, False)["frames"]
    pipeline = MovAIPipeline.from_pretrained("tiny", str(device))
    differences: dict[str, float] = {}
    for name in ("fp32", "bf16"):
        row = steps.sampled_video(pipeline, name, device, None, False)
        # Of 255 steps of brightness, on average over all pixels.
        differences[name] = float(np.abs(row.pop("frames").astype(float) - expected).mean())
    return [{**row, "differences": differences, "ok": differences["fp32"] < 0.5 and differences["bf16"] < 4}]


def print_table(result: dict[str, Any], console: Console) -> None:
    """What came out, a line each."""
    table = Table(title=result["machine"])
    for title in ("part", "what", "ok", "seconds", "GiB", "peak share", "error"):
        table.add_column(title)
    for name, value in result["peak_flops"].items():
        table.add_row("matrix product", name, "", "", "", f"{value / 1e12:.2f} TFLOP/s", "")
    for group in ("attention", "training step", "video", "training"):
        for row in result.get(group, []):
            what = [row["name"], *(str(row[key]) for key in ("network", "shape", "backend", "dtype") if key in row)]
            seconds = row.get("seconds", row["milliseconds"] / 1000 if "milliseconds" in row else None)
            share, gib, error = row.get("share_of_peak"), row.get("gib"), row.get("error")
            table.add_row(
                group,
                " ".join(what),
                row.get("failed") or row.get("skipped") or ("yes" if row["ok"] else "NO"),
                "" if seconds is None else f"{seconds:.4g}",
                "" if gib is None else f"{gib:.2f}",
                "" if share is None else f"{share:.0%}",
                "" if error is None else f"{error:.1e}",
            )
    console.print(table)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m tools.check_gpu", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    minutes = "after which no other part is begun; one that has begun goes on to its end, which may take two more"
    parser.add_argument("--minutes", type=float, default=6.0, help=minutes)
    parser.add_argument("--quick", action="store_true", help="small networks, few repetitions: for a CPU and seconds")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script(
        "check_gpu",
        lambda: run(choose_device(options.device), options.minutes, options.quick, options.out, Console()),
    )


if __name__ == "__main__":
    sys.exit(main())
