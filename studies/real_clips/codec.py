"""How well and how fast a codec takes natural clips: `python -m studies.real_clips.codec --data DIR [--codec DIR]`.

Sixteen frames of each of four clips at 256x256, resized with antialiasing, encoded, decoded and compared as 8-bit
frames.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from mov_ai.data.video import read_video
from mov_ai.errors import run_script
from mov_ai.hardware import machine
from mov_ai.models.codec import AnyCodec, to_bytes, to_unit
from mov_ai.models.codec_registry import load_codec

#: The clips that TAEF2's own figures are of.
CLIPS = ("man_surfing", "wolf", "rabbit_watermelon", "mallard_water")
FRAMES, SIDE = 16, 256


def natural_clip(data: Path, name: str, frames: int = FRAMES) -> Tensor:
    """The first frames of a clip, (1, frames, 3, 256, 256) in [-1, 1]; the clips are square."""
    pixels, _ = read_video(data / "real_clips" / f"{name}.mp4", frames)
    return functional.interpolate(to_unit(torch.from_numpy(pixels)), size=SIDE, mode="bilinear", antialias=True)[None]


@torch.no_grad()
def reconstruct(codec: AnyCodec, video: Tensor) -> tuple[float, float, float]:
    """PSNR in dB of 8-bit frames, and the seconds of encoding and of decoding."""
    dtype = next(codec.parameters()).dtype
    began = time.perf_counter()
    latents = codec.encode(video.to(dtype))
    encoded = time.perf_counter()
    back = codec.decode(latents)
    decoded = time.perf_counter()
    error = (to_bytes(back.float()).float() - to_bytes(video).float()).square().mean().item() / 255**2
    return -10 * float(np.log10(error)), encoded - began, decoded - encoded


def run(data: Path, source: str) -> None:
    """Print the table."""
    table = Table("precision", *CLIPS, "mean dB", "encoded, frames/s", "decoded, frames/s")
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        codec = load_codec(source).to(dtype)
        rows = np.array([reconstruct(codec, natural_clip(data, clip)) for clip in CLIPS])
        rates = FRAMES / np.median(rows[:, 1:], axis=0)
        psnr = [f"{value:.2f}" for value in (*rows[:, 0], rows[:, 0].mean())]
        table.add_row(name, *psnr, *(f"{rate:.1f}" for rate in rates))
    console = Console(width=140)
    console.print(table)
    console.print(f"{source}; {machine()}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m studies.real_clips.codec", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with real_clips and taef2")
    parser.add_argument("--codec", help="a codec's folder or name; DATA/taef2 if not given")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return run_script("codec", lambda: run(options.data, options.codec or str(options.data / "taef2")))


if __name__ == "__main__":
    sys.exit(main())
