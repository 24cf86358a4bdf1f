"""`mov-ai interpolate`: damaged videos, odd ones, and pipelines whose interpolation network is damaged."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path

import numpy as np

from mov_ai.data.video import encode_video, read_video
from mov_ai.pipeline_files import INTERPOLATION
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import Said, command
from tools.fuzz.damage import damaged_bytes, damaged_json, json_text
from tools.fuzz.small_pipeline import small_pipeline
from tools.fuzz.tensor_files import damage_tensors

#: Frames, height, width and rate of whole videos, and whether they may be refused.
_VIDEOS = (
    ((3, 16, 24, 8.0), "never"), ((3, 18, 26, 8.0), "never"), ((1, 16, 16, 8.0), "must"), ((3, 6, 200, 8.0), "must"),
    ((3, 16, 16, 0.5), "never"), ((3, 16, 16, 60.0), "never"), ((3, 16, 16, 61.0), "must"), ((2, 16, 80, 7.3), "never"),
)  # fmt: skip


@cache
def _video(frames: int, height: int, width: int, fps: float) -> bytes:
    return encode_video(np.random.default_rng(0).integers(0, 255, (frames, height, width, 3), dtype=np.uint8), fps)


def _damaged_pipeline(place: Path, rng: random.Random) -> str:
    """Copy the small pipeline, with its interpolation folder damaged; returns how."""
    shutil.copytree(small_pipeline(), place)
    path = place / INTERPOLATION / rng.choice(("config.json", "config.json", "model.safetensors"))
    how = rng.choice(("content", "content", "content", "content", "content", "not there", "no folder"))
    if how == "not there":
        path.unlink()
    elif how == "no folder":
        shutil.rmtree(path.parent)
        path.parent.write_text("no folder", encoding="utf-8")
    elif path.suffix == ".safetensors":
        return f"{path.name}: {damage_tensors(path, rng)}"
    else:
        value, about = damaged_json(json.loads(path.read_text(encoding="utf-8")), rng)
        path.write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))
        return f"{path.name}: {about}"
    return f"{path.name}: {how}"


def make(rng: random.Random, folder: Path) -> Case:
    """A video and a pipeline, one of which is damaged or odd."""
    place, refusal, times = small_pipeline(), "may", 4
    shape, rated = _VIDEOS[0]
    how = rng.choice(("video", "video", "pipeline", "pipeline", "pipeline", "odd"))
    if how == "odd":
        shape, rated = rng.choice(_VIDEOS)
    content, about = _video(*shape), f"{shape}"
    if how == "video":
        # The boxes before the pictures say everything about them.
        head = content.index(b"mdat") if rng.random() < 0.7 else len(content)
        damaged, about = damaged_bytes(content[:head], rng)
        content = damaged + content[head:]
    elif how == "pipeline":
        place = folder / "pipeline"
        about = _damaged_pipeline(place, rng)
    else:
        refusal, times = rated, rng.choice((4, 4, 16))
        if times == 16 and shape[3] > 15:
            refusal = "must"
    video, out = folder / "video.mp4", folder / "new.mp4"
    video.write_bytes(content)
    if rng.random() < 0.2:
        out = video
    old = rng.random() < 0.2
    if old and out != video:
        out.write_bytes(b"an older video")

    def run() -> Said:
        given = ("--times", str(times), "--out", out, "--checkpoint", place, "--device", "cpu")
        return command("interpolate", video, *given, watch=folder)

    def wrong(said: Said) -> str | None:
        frames, fps = read_video(out)
        if how == "video":
            return None if len(frames) % 4 == 1 else f"{len(frames)} frames are not 4n - 3"
        count = times * (shape[0] - 1) + 1
        wanted = (count, shape[1] // 8 * 8, shape[2] // 8 * 8, 3)
        if frames.shape != wanted or abs(fps - times * shape[3]) > 0.01 * fps:
            return f"a video of {frames.shape} at {fps:g} fps, not {wanted} at {times * shape[3]:g}"
        return None

    return Case(f"{how}: {about}", run, wrong, refusal)


KIND = Kind("interpolations", 0.3, make, least=3)
