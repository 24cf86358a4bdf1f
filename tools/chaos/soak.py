"""Does one process grow while it makes videos? `python -m tools.chaos.soak [--generations 1000] [--size 128]`.

Requests of every kind in turn, at random: texts, graphs, given layouts, latents to go on from, videos to refine, other
seeds, a few that are refused; results are saved and read again. Memory is read after each; its median over the last
fifth must be within two per cent of that over the second fifth (the first is warming up), and no more files may be open
at the end than after the first fifth. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import write_json
from mov_ai.hardware import machine
from mov_ai.pipeline import MovAIPipeline
from mov_ai.result import VideoResult, load_latents

#: Largest difference of memory, as a share.
TOLERANCE = 0.02
#: Requests until memory is compared: with fewer in a fifth, a median says little.
LEAST = 20
_COLOURS, _SHAPES = ("red", "green", "blue", "yellow"), ("ball", "cube", "cone", "cylinder")
_MOVES = ("rolls left", "moves right", "turns blue", "jumps", "slides toward the wall", "vanishes")


@dataclass
class Usage:
    """What the process holds after each request: bytes of memory, open files."""

    memory: list[int]
    files: list[int]

    def note(self) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))
        self.files.append(len(os.listdir("/proc/self/fd")))

    def faults(self) -> list[str]:
        """What has grown, one line each."""
        fifth = len(self.memory) // 5
        before, after = statistics.median(self.memory[fifth : 2 * fifth]), statistics.median(self.memory[-fifth:])
        lines = []
        if abs(after / before - 1) > TOLERANCE:
            lines.append(f"memory went from {before / 2**20:.0f} to {after / 2**20:.0f} MiB")
        if self.files[-1] > self.files[fifth]:
            lines.append(f"open files went from {self.files[fifth]} to {self.files[-1]}")
        return lines


class Requests:
    """What a user may ask of one pipeline, one kind after the other at random."""

    def __init__(self, pipeline: MovAIPipeline, size: int, steps: int, rng: random.Random, folder: Path) -> None:
        self._pipeline, self._rng, self._folder = pipeline, rng, folder
        self._make = functools.partial(pipeline, stages=size, steps=steps)
        self._last: VideoResult | None = None
        self.kinds: list[Callable[[], VideoResult]] = [
            self._text,
            self._graph,
            self._layout,
            self._resumed,
            self._video,
        ]

    def one(self) -> None:
        """Make a video and save it, or ask for what is refused."""
        if self._rng.random() < 0.1:
            with contextlib.suppress(UsageError):
                self._pipeline("a ball", seed=-1)
            return
        # The first is a text: the others go on from what was made before.
        result = self._text() if self._last is None else self._rng.choice(self.kinds)()
        self._last = result
        place = self._folder / "result"
        result.save(place, latents=True)
        SceneGraph.load(place / "graph.json")
        Layout.load(place / "layout.json")
        if self._rng.random() < 0.5:
            shutil.rmtree(place)

    def _seed(self) -> int:
        return self._rng.randrange(2**31)

    def _earlier(self) -> VideoResult:
        assert self._last is not None
        return self._last

    def _text(self) -> VideoResult:
        rng = self._rng
        things = [
            f"a {rng.choice(_COLOURS)} {rng.choice(_SHAPES)} {rng.choice(_MOVES)}" for _ in range(rng.randint(1, 3))
        ]
        return self._make(" and ".join(things), seed=self._seed())

    def _graph(self) -> VideoResult:
        return self._make(self._earlier().graph, seed=self._seed())

    def _layout(self) -> VideoResult:
        before = self._earlier()
        return self._make(before.graph, seed=self._seed(), layout=before.layout)

    def _resumed(self) -> VideoResult:
        before = self._earlier()
        place = self._folder / "resumed"
        before.save(place, latents=True)
        saved = load_latents(place / "latents.safetensors")
        shutil.rmtree(place)
        return self._make(saved.graph, seed=saved.seed, layout=saved.layout, resume=saved)

    def _video(self) -> VideoResult:
        before = self._earlier()
        return self._make(before.graph, seed=self._seed(), video=before.frames)


def run(options: argparse.Namespace) -> None:
    """Make the videos that are asked for. Raises MovAIError if anything grew."""
    if options.generations < LEAST:
        raise UsageError(f"--generations: expected at least {LEAST}; found {options.generations}")
    usage, began = Usage([], []), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mov-ai-soak-") as folder:
        pipeline = MovAIPipeline.from_pretrained(options.checkpoint, options.device)
        requests = Requests(pipeline, options.size, options.steps, random.Random(options.seed), Path(folder))
        for number in range(1, options.generations + 1):
            requests.one()
            usage.note()
            if number % max(1, options.generations // 10) == 0:
                sys.stderr.write(
                    f"{number} of {options.generations}: {usage.memory[-1] / 2**20:.0f} MiB, {usage.files[-1]} files "
                    f"open, {time.monotonic() - began:.0f} s\n"
                )
    sys.stdout.write(
        f"{options.generations} requests: memory {min(usage.memory) / 2**20:.0f} to {max(usage.memory) / 2**20:.0f} "
        f"MiB, {usage.memory[-1] / 2**20:.0f} at the end; {usage.files[-1]} files open\n"
    )
    if options.out is not None:
        write_json(options.out, _record(options, usage, time.monotonic() - began))
    if faults := usage.faults():
        raise MovAIError("; ".join(faults))


def _record(options: argparse.Namespace, usage: Usage, seconds: float) -> dict[str, Any]:
    tenth = max(1, len(usage.memory) // 10)
    tenths = [usage.memory[start : start + tenth] for start in range(0, len(usage.memory), tenth)]
    return {
        "command": f"python -m tools.chaos.soak --generations {options.generations} --size {options.size} "
        f"--steps {options.steps} --seed {options.seed} --checkpoint {options.checkpoint}",
        "machine": machine(),
        "seed": options.seed,
        "requests": len(usage.memory),
        "seconds": round(seconds),
        "memory, MiB, medians of tenths": [round(statistics.median(part) / 2**20, 1) for part in tenths],
        "open files, first fifth and end": [usage.files[len(usage.files) // 5], usage.files[-1]],
        "faults": usage.faults(),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128, help="longer side of the last stage")
    parser.add_argument("--steps", type=int, default=2, help="of the first stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="JSON with memory and open files on the way")
    options = parser.parse_args(arguments)
    return run_script("soak", lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
