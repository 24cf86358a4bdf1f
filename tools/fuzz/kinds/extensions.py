"""`mov-ai generate --extend`: runs of which a file is damaged or not there, and damaged videos."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path

from mov_ai.data.video import VideoReader, at_constant_rate
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import Said, contents, generate, wrong_video
from tools.fuzz.damage import damaged_bytes, damaged_json, json_text
from tools.fuzz.small_pipeline import small_pipeline
from tools.fuzz.tensor_files import damage_tensors

#: Frames of the runs, and those that are asked for.
_BEFORE, _MORE = 4, 3


@cache
def _run(keeps_all: bool) -> Path:
    """A whole run: of windows, or in one piece with the latents of all frames."""
    place = small_pipeline().parent
    name = "piece" if keeps_all else "windows"
    generate(place, place / name, "--frames", str(_BEFORE), *(("--save-latents",) if keeps_all else ()))
    return place / name


def _damage(run: Path, rng: random.Random) -> str:
    """Change one file of a run; returns which, and how."""
    kept = "latents.safetensors" if (run / "latents.safetensors").exists() else "carried.safetensors"
    name = rng.choice((kept, kept, kept, "video.mp4", "graph.json", "layout.json", "layout.json", "run.json", "scenes"))
    path = run / name
    if name == "scenes":
        # As of several scenes, whose last one counts.
        (run / "scenes" / rng.choice(("01", "notes", "02"))).mkdir(parents=True)
        (run / "scenes" / "zz").write_text("of somebody", encoding="utf-8")
        return "scenes"
    how = rng.choice(("content", "content", "content", "content", "not there", "folder"))
    if how != "content":
        path.unlink()
        if how == "folder":
            path.mkdir()
        return f"{name}: {how}"
    if path.suffix == ".safetensors":
        return f"{name}: {damage_tensors(path, rng)}"
    if path.suffix == ".json":
        value, about = damaged_json(json.loads(path.read_text(encoding="utf-8")), rng)
        path.write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))
    else:
        content, about = damaged_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
    return f"{name}: {about}"


def make(rng: random.Random, folder: Path) -> Case:
    """A damaged run, or a video alone."""
    run, out = folder / "run", folder / "out"
    shutil.copytree(_run(rng.random() < 0.3), run)
    alone = rng.random() < 0.2
    if alone:
        content, about = damaged_bytes((run / "video.mp4").read_bytes(), rng)
        (run / "video.mp4").write_bytes(content)
        about = f"video alone: {about}"
    else:
        about = _damage(run, rng)
    source = run / "video.mp4" if alone else run
    if rng.random() < 0.1 and ": folder" not in about:
        # What is gone on from is what is written.
        out = run
    smooth = ("--smooth", "1") if rng.random() < 0.1 else ()
    before = contents(run)

    def go() -> Said:
        return generate(folder, out, "--extend", source, "--frames", str(_MORE), *smooth, watch=folder)

    def wrong(said: Said) -> str | None:
        if out != run and contents(run) != before:
            return "the run that was extended is not as it was"
        if smooth:
            return None
        count = _BEFORE
        if "video" in about:
            with VideoReader((run if out != run else out) / "video.mp4") as reader:
                count = len(list(at_constant_rate(reader))) - (_MORE if out == run else 0)
        return wrong_video(out / "video.mp4", count + _MORE)

    return Case(about, go, wrong)


KIND = Kind("extensions", 0.2, make, least=3)
