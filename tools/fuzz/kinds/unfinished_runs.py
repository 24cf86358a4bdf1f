"""Long videos that were stopped, with `OUT/unfinished` damaged, and the same command once more."""

from __future__ import annotations

import json
import random
import shutil
from functools import cache
from pathlib import Path
from unittest import mock

from mov_ai.cli.progress import FrameProgress
from mov_ai.errors import MovAIError
from mov_ai.long_video.saving import UNFINISHED
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import BadRefusal, Said, contents, generate, wrong_video
from tools.fuzz.damage import damaged_bytes, damaged_json, json_text
from tools.fuzz.small_pipeline import small_pipeline
from tools.fuzz.tensor_files import damage_tensors

_FRAMES = 4
#: Of the user, beside what the command wrote.
_OWN = ("notes.txt", f"{UNFINISHED}/notes.txt")


class _Stopped(Exception):
    """In place of a process that is killed."""


@cache
def _stopped(smooth: bool) -> Path:
    """A folder of a video two of whose three windows are made."""
    out = small_pipeline().parent / f"stopped-{smooth}"
    made = 0

    def stop(*_: object) -> None:
        nonlocal made
        made += 1
        if made == 2:
            raise _Stopped

    # The error is no one's business here.
    with mock.patch.object(FrameProgress, "report_frames", stop):
        try:
            generate(out.parent, out, *_asked(smooth))
        except _Stopped:
            return out
    raise AssertionError("the run was not stopped")


@cache
def _whole(smooth: bool) -> dict[str, str]:
    """What the folder holds if the video is made without a stop."""
    out = small_pipeline().parent / f"unstopped-{smooth}"
    generate(out.parent, out, *_asked(smooth))
    return contents(out)


def _asked(smooth: bool) -> tuple[str, ...]:
    return ("--frames", str(_FRAMES), *(("--smooth", "1") if smooth else ()))


def _damage(place: Path, rng: random.Random) -> str:
    """Change one file of an unfinished run; returns which, and how."""
    path = rng.choice(sorted(path for path in place.iterdir() if path.name != "notes.txt"))
    how = rng.choice(("content", "content", "content", "content", "not there", "folder", "part"))
    about = f"{path.name}: {how}"
    if how == "part":
        # What a process that was killed leaves.
        shutil.copy(path, path.with_suffix(".1234.part"))
        (place.parent / f".mov-ai-{rng.randrange(10**6)}").mkdir()
    elif how != "content":
        path.unlink()
        if how == "folder":
            path.mkdir()
    elif path.name == "carried.safetensors":
        about = f"{path.name}: {damage_tensors(path, rng, is_checked=True)}"
    elif path.suffix == ".json":
        value, about = damaged_json(json.loads(path.read_text(encoding="utf-8")), rng)
        path.write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))
        about = f"{path.name}: {about}"
    else:
        content, about = damaged_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
        about = f"{path.name}: {about}"
    return about


def make(rng: random.Random, folder: Path) -> Case:
    """A stopped run, damaged, in a folder with something of the user's."""
    smooth = rng.random() < 0.15
    out = folder / "out"
    shutil.copytree(_stopped(smooth), out)
    own = rng.choice(_OWN) if rng.random() < 0.3 else None
    if own is not None:
        (out / own).write_text("mine", encoding="utf-8")
    about = _damage(out / UNFINISHED, rng)

    def run() -> Said:
        try:
            return generate(folder, out, *_asked(smooth), watch=folder)
        except MovAIError as error:
            # What to do next: nobody finds the folder by themselves.
            if UNFINISHED not in str(error) and "--out" not in str(error):
                raise BadRefusal(f"nothing says where: {error}") from None
            raise

    def wrong(said: Said) -> str | None:
        if own is not None and not (out / own).exists():
            return f"{own} of the user is gone"
        found = wrong_video(out / "video.mp4", 4 * _FRAMES - 3 if smooth else _FRAMES)
        if found is not None:
            return found
        whole, made = _whole(smooth), contents(out)
        same = ("video.mp4", "layout.json", "graph.json", "carried.safetensors")
        differing = [name for name in same if made.get(name) != whole[name]]
        return f"{differing} not the same as without a stop" if differing else None

    return Case(about, run, wrong)


KIND = Kind("unfinished_runs", 0.2, make, least=3)
