"""How fast it is here, in one run, medians: `python -m tools.bench [--device cpu] [--quick]`.

Attention on TSAM's shapes, steps of the denoisers, diffusers' networks of equal parameters beside ours, the cascade
beside one stage, a sentence to a video in the pipeline and from the shell. One JSON file in `benchmarks/`, one table,
which goes into the README too. On two cores it takes about six minutes.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import write_bytes, write_json
from mov_ai.hardware import choose_device, machine
from mov_ai.pipeline import MovAIPipeline
from tools.bench import shell, work
from tools.bench.peers import Shape
from tools.check_gpu.__main__ import preset, small
from tools.check_gpu.device import matrix_peak

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- bench: make bench -->", "<!-- end of bench -->"


def run(device: torch.device, is_quick: bool, console: Console) -> dict[str, Any]:
    """Everything, from small to large.

    Args:
        is_quick: small networks, one repetition: for tests.
    """
    start = time.monotonic()
    times = 1 if is_quick else 5
    side = 256 if is_quick else (8192 if device.type == "cuda" else 2048)
    types = work.precisions(device)
    peaks = {name: matrix_peak(device, work.TYPES[name], side, 2 * times) for name in types}
    presets = {name: preset(name)["denoiser"] for name in ("tiny", "base", "movai")}
    if is_quick:
        presets = {"tiny": small(preset("tiny"))["denoiser"]}
    else:
        presets["movai, one block"] = work.a_slice(presets.pop("movai"))
    tiny = presets["tiny"]
    shape = Shape(channels=tiny.latent_channels)
    result: dict[str, Any] = {"machine": machine(), "device": str(device), "torch": torch.__version__}
    result["peak_flops"] = peaks

    def part(name: str, rows: Any) -> None:
        console.log(name)
        result[name] = rows() if callable(rows) else rows

    part("attention", lambda: list(work.attentions(tiny, device, times)))
    part("peers", lambda: list(work.beside_peers(tiny, device, times, peaks, shape)))
    result["steps"] = []
    for name, config in presets.items():
        repeats = times if name == "tiny" or device.type == "cuda" else 1
        part("steps", result["steps"] + list(work.denoiser_steps(name, config, device, repeats, peaks, True)))
    if not is_quick:
        pipe = MovAIPipeline.from_pretrained("tiny", str(device))
        part("videos", lambda: list(work.videos(pipe, 2)))
        part("cascade", lambda: work.cascade_against_one_stage(pipe, device, 2))
        del pipe
        part("shell", lambda: shell.commands(3, ["128", "512"]))
    else:
        part("shell", lambda: [shell.command(["--help"], 1)])
    result["seconds"] = time.monotonic() - start
    return result


def table(result: dict[str, Any]) -> list[str]:
    """The lines of the table in Markdown."""
    peaks = ", ".join(f"{name} {value / 1e9:,.0f} GFLOP/s" for name, value in result["peak_flops"].items())
    lines = [f"{result['machine']}; a large matrix product: {peaks}.", "", "| what | seconds | |", "|---|---|---|"]
    for row in result.get("shell", []):
        lines.append(f"| `{row['command']}` | {row['seconds']:.2f} | {row['gib']:.2f} GiB at most |")
    for row in result.get("videos", []):
        frames, height, width = row["size"][:3]
        said = f"{frames} frames of {height}x{width}, {_types(row['computed_in'])}"
        lines.append(f"| a video in a loaded pipeline, `{row['quality']}` | {row['seconds']:.2f} | {said} |")
    if "cascade" in result:
        row = result["cascade"]
        single = f"one stage at {row['size']}: {row['one_stage_seconds']:.1f} s"
        said = f"{single}, {row['times_cheaper']:.1f} times as long"
        lines.append(
            f"| the cascade, {row['steps']} steps at the first stage | {row['cascade_seconds']:.2f} | {said} |"
        )
    for row in result["steps"]:
        said = f"{row['parameters'] / 1e6:,.1f} M parameters, {row['share_of_peak']:.0%} of the peak"
        lines.append(f"| {row['step']} step, {row['network']}, {row['dtype']} | {row['seconds']:.3f} | {said} |")
    for row in result["peers"]:
        said = f"{row['parameters'] / 1e6:.1f} M parameters, {row['flops'] / 1e9:.0f} GFLOP"
        if row["network"] != "TSAM":
            said += f": {row['times_ours']:.2f} times ours"
        lines.append(f"| {row['network']}, {row['tokens']} tokens, {row['dtype']} | {row['seconds']:.3f} | {said} |")
    return lines


def _types(parts: dict[str, str]) -> str:
    return "float32" if set(parts.values()) == {"float32"} else "convolutions in bfloat16"


def with_table(readme: str, lines: list[str]) -> str:
    """A README with this table in its place. Raises UsageError if it has no place for one."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise UsageError(f"README.md: expected one {BEGIN!r} and one {END!r}; put them where the table belongs")
    before, rest = readme.split(BEGIN)
    return "\n".join([before + BEGIN, *lines, END + rest.split(END)[1]])


def slug(name: str) -> str:
    """A file's name for a machine."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("(r)", "")).strip("-")


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quick", action="store_true", help="small networks, once, and the README stays as it is")
    parser.add_argument("--out", type=Path, help="JSON file; benchmarks/MACHINE.json if not given")
    options = parser.parse_args(given)

    def work_on() -> None:
        console = Console()
        result = run(choose_device(options.device), options.quick, console)
        write_json(options.out or ROOT / "benchmarks" / f"{slug(result['machine'])}.json", result)
        lines = table(result)
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        if not options.quick:
            readme = ROOT / "README.md"
            write_bytes(readme, with_table(readme.read_text(encoding="utf-8"), lines).encode("utf-8"))

    return run_script("bench", work_on)


if __name__ == "__main__":
    sys.exit(main())
