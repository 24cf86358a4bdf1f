"""Fifteen real videos, from a folder to a pipeline: `python -m studies.real_clips.study`, or make demo-real.

Each part is a command that anybody with a folder of videos can give; what is there already is not made again, and a
training that was stopped goes on. What comes out is memory, not generalisation: fifteen clips teach nothing else.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

from mov_ai.data.formats import read_clips
from mov_ai.errors import MovAIError, UsageError, run_script
from mov_ai.graph.files import parse_json, write_json
from mov_ai.hardware import machine
from mov_ai.pipeline import MovAIPipeline
from studies.real_clips.memory import RealClip, load_clips, nearest

#: The shortest clip lasts 1.07 s.
FRAMES, FPS = 16, 15.0
#: Training steps by size; those of 128 take an hour of one core, those of 64 a sixth of it.
STEPS = {64: 1000, 128: 1600}
#: Captions that no clip has, each with the clip whose caption it was.
EDITED = {
    "A brown rabbit eats a slice of watermelon on a table.": "rabbit_watermelon",
    "A black and white rabbit eats a slice of watermelon in the snow.": "rabbit_watermelon",
    "A man in a red jacket skis down a snowy slope.": "man_skiing",
    "A woman in a yellow jacket runs beside a lake.": "woman_running",
    "A gray wolf walks toward the camera.": "wolf",
}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.real_clips.study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with real_clips and taef2")
    parser.add_argument("--size", type=int, default=128, choices=sorted(STEPS), help="pixels along a side")
    parser.add_argument("--runs", type=Path, default=Path("runs/real_clips"), help="folder of shards and training")
    parser.add_argument("--out", type=Path, default=Path("experiments/real_clips"), help="folder of the figures")
    parser.add_argument("--train", nargs="+", default=[], metavar="K=V", help="settings for mov_ai.train, for trials")
    return parser.parse_args(given)


def commands(data: Path, size: int, runs: Path, train: list[str]) -> list[tuple[Path, list[str]]]:
    """The three commands from a folder of videos to a pipeline, each with the file that it makes last."""
    folder, codec = runs / str(size), str(data / "taef2")
    shards, run, pipeline = folder / "shards", folder / "denoiser", folder / "pipeline"
    mov_ai = [sys.executable, "-m", "mov_ai.cli.main"]
    prepare = ["data", "prepare", str(data / "real_clips"), "--out", str(shards), "--codec", codec]
    prepare += ["--size", str(size), "--frames", str(FRAMES), "--fps", f"{FPS:g}"]
    training = [f"data.path={shards}", f"codec={codec}", f"size={size}", f"trainer.max_steps={STEPS[size]}"]
    training += [f"hydra.run.dir={run}", *train]
    join = ["assemble", "--codec", codec, "--denoiser", str(run), "--out", str(pipeline)]
    return [
        (shards / "index.json", [*mov_ai, *prepare]),
        (run / "result.json", [sys.executable, "-m", "mov_ai.train", "experiment=video/denoiser", *training]),
        (pipeline / "pipeline.json", [*mov_ai, *join]),
    ]


def measure(pipeline: MovAIPipeline, clips: list[RealClip], seed: int) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """A video of every caption: which clip it is nearest to, and the PSNR to the best moment of its own."""
    rows, videos = [], []
    for clip in clips:
        video = pipeline(clip.caption, seed=seed).frames
        name, psnr = nearest(video, clips)
        rows.append({"clip": clip.name, "nearest": name, "psnr": round(psnr[clip.name], 2)})
        videos.append(video)
    return rows, videos


def sheet(rows: list[list[np.ndarray]], frames: int = 6) -> PIL.Image.Image:
    """Videos side by side, each as a few of its frames: one list of videos a row; uint8 (frames, h, w, 3) each."""
    strips = []
    for videos in rows:
        shown = [video[np.linspace(0, len(video) - 1, frames).round().astype(int)] for video in videos]
        strips.append(np.concatenate([np.concatenate(list(frames), 1) for frames in shown], 1))
    return PIL.Image.fromarray(np.concatenate(strips))


def run(options: argparse.Namespace) -> None:
    """Prepare, train, join, generate, measure.

    Raises:
        UsageError: if the data is not there. MovAIError: if a command fails; it has said why.
    """
    console = Console()
    for part in ("real_clips", "taef2"):
        if not (options.data / part).is_dir():
            raise UsageError(f"--data: {options.data}: expected a folder with real_clips and taef2; found no {part}")
    for made, command in commands(options.data, options.size, options.runs, options.train):
        if not made.is_file():
            console.print(f"$ {shlex.join(command)}", highlight=False)
            if code := subprocess.run(command, check=False).returncode:
                raise MovAIError(f"the command above ended with {code}; give this command again to go on")
    folder = options.runs / str(options.size)
    clips = load_clips(list(read_clips(options.data / "real_clips")), options.size, FRAMES, FPS)
    pipeline = MovAIPipeline.from_pretrained(folder / "pipeline")
    rows, videos = measure(pipeline, clips, seed=0)
    edited = {caption: pipeline(caption, seed=0).frames for caption in EDITED}
    real = {clip.name: clip.frames for clip in clips}
    sheet([[real[clip.name][:FRAMES], video] for clip, video in zip(clips, videos, strict=True)]).save(
        folder / "real_and_generated.png"
    )
    options.out.mkdir(parents=True, exist_ok=True)
    generated = [videos[i : i + 3] for i in range(0, len(videos), 3)]
    sheet(generated, 4).save(options.out / f"generated_{options.size}.jpg", quality=85)
    sheet([[video] for video in edited.values()], 6).save(options.out / f"edited_{options.size}.jpg", quality=85)
    training = parse_json((folder / "denoiser" / "result.json").read_text(), "result.json")
    own = sum(row["clip"] == row["nearest"] for row in rows)
    mean = float(np.mean([row["psnr"] for row in rows]))
    result = {
        "size": options.size,
        "own_clip_nearest": own,
        "clips": len(rows),
        "psnr": round(mean, 2),
        "each": rows,
        "edited": [
            {"caption": caption, "of": EDITED[caption], "nearest": nearest(video, clips)[0]}
            for caption, video in edited.items()
        ],
        "steps": training["steps"],
        "seconds": training["seconds"],
        "parameters": training["parameters"],
        "trained_on": training["hardware"],
        "machine": machine(),
        "seed": 0,
    }
    write_json(options.out / f"results_{options.size}.json", result)
    table = Table("clip", "nearest", "PSNR, dB")
    for row in rows:
        table.add_row(row["clip"], row["nearest"], f"{row['psnr']:.2f}")
    console.print(table)
    console.print(f"own clip nearest: {own} of {len(rows)}; PSNR {mean:.2f} dB; {folder / 'real_and_generated.png'}")


if __name__ == "__main__":
    sys.exit(run_script("real_clips", lambda: run(arguments()), "stopped; give the same command again to go on"))
