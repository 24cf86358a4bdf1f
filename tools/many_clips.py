"""Is any clip lost or doubled when `prepare` is killed again and again? `python -m tools.many_clips [--clips 10000]`.

Makes a folder of tiny videos, a few of them broken or too short, looks through it with `mov-ai data check`, prepares
it with `mov-ai data prepare`, which is killed (SIGKILL) at random moments and started again until it ends. Then every
clip must have its one sample, or its reason, and a run that nobody killed must give the same bytes. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mov_ai.data.shard_writing import JOURNAL_FILE
from mov_ai.data.shards import ShardSet
from mov_ai.data.video import encode_video
from mov_ai.errors import MovAIError, run_script
from mov_ai.graph.files import sha256_of

#: Every so many clips, one is cut short, and another has too few frames.
BROKEN, SHORT = 500, 300
FRAMES, SIDE = 2, 16
#: Videos that differ; more would only take longer to make.
_DIFFERENT = 64
_COMMAND = (sys.executable, "-m", "mov_ai.cli.main", "data")
_OPTIONS = ("--frames", str(FRAMES), "--size", str(SIDE), "--no-parse", "--shard-mb", "2")


def make_videos(folder: Path, count: int) -> None:
    """Write `count` videos and their captions.csv."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (_DIFFERENT, FRAMES, 2, 2, 3)).repeat(SIDE // 2, 2).repeat(SIDE // 2, 3)
    whole = [encode_video(video.astype(np.uint8)) for video in pictures]
    short = encode_video(pictures[0, :1].astype(np.uint8))
    folder.mkdir(parents=True)
    lines = ["file_name,caption"]
    for number in range(count):
        content = whole[number % _DIFFERENT]
        if number % BROKEN == BROKEN - 1:
            content = content[: len(content) // 3]
        elif number % SHORT == SHORT - 1:
            content = short
        (folder / f"{number:05d}.mp4").write_bytes(content)
        lines.append(f"{number:05d}.mp4,Clip number {number}.")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def wanted(count: int) -> dict[str, str | None]:
    """Clip -> why it is dropped, None if it is used."""
    reasons: dict[str, str | None] = {}
    for number in range(count):
        is_broken, is_short = number % BROKEN == BROKEN - 1, number % SHORT == SHORT - 1
        reasons[f"{number:05d}.mp4"] = (
            "cannot be read" if is_broken else f"shorter than {FRAMES} frames at 8 fps" if is_short else None
        )
    return reasons


def check_shards(folder: Path, count: int) -> None:
    """Raises MovAIError if a clip is lost, doubled or otherwise not as it should be."""
    shards = ShardSet(folder)
    clips = [shards[i].source["clip"] for i in range(len(shards))]
    expected = wanted(count)
    if clips != [clip for clip, reason in expected.items() if reason is None]:
        raise MovAIError(f"{folder}: expected the sample of every whole clip once, in order; found {len(clips)}")
    with (folder / JOURNAL_FILE).open(encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    reasons = {entry["clip"]: entry["dropped"][0][0] if entry["dropped"] else None for entry in records}
    if len(records) != count or reasons != expected:
        raise MovAIError(f"{folder}: expected a line for each of {count} clips, with the right reasons")


def run(count: int, kills: int, codec: str, workers: int, place: Path, seed: int = 0) -> None:
    """Do all of it in a folder that is not there yet."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:7.1f} s  {text}\n")
        sys.stdout.flush()

    make_videos(place / "videos", count)
    say(f"{count} videos made")
    options = (*_OPTIONS, "--workers", str(workers))
    check = [*_COMMAND, "check", str(place / "videos"), *options[:4], "--workers", str(workers)]
    report = subprocess.run(check, check=True, capture_output=True, text=True).stdout
    say("checked:\n" + report)
    used = sum(reason is None for reason in wanted(count).values())
    if f"{used:,} samples of {used:,} clips" not in report:
        raise MovAIError(f"{place}: expected the check to find {used:,} usable clips")
    prepare = [*_COMMAND, "prepare", str(place / "videos"), "--codec", codec, *options]
    subprocess.run([*prepare, "--out", str(place / "whole")], check=True, capture_output=True)
    say("prepared in one go")
    rng = random.Random(seed)
    journal = place / "killed" / JOURNAL_FILE
    stops = sorted(rng.randrange(count) for _ in range(kills))
    for stop in stops:
        # In a group of its own, as its workers must end with it by themselves.
        process = subprocess.Popen([*prepare, "--out", str(place / "killed")], stderr=subprocess.DEVNULL)
        while process.poll() is None and lines_of(journal) <= stop:
            time.sleep(0.01 + 0.02 * rng.random())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        say(f"killed after {lines_of(journal)} clips")
    subprocess.run([*prepare, "--out", str(place / "killed")], check=True, capture_output=True)
    say("prepared to the end")
    for name in ("whole", "killed"):
        check_shards(place / name, count)
    files = sorted(path.name for path in (place / "whole").iterdir())
    if files != sorted(path.name for path in (place / "killed").iterdir()) or any(
        sha256_of([place / "whole" / name]) != sha256_of([place / "killed" / name]) for name in files
    ):
        raise MovAIError(f"{place}: the run that was killed did not give the same files as the other")
    say(f"no clip of {count} is lost or doubled after {kills} kills; both runs gave the same {len(files)} files")


def lines_of(journal: Path) -> int:
    """Whole lines of a journal that may not be there yet."""
    return journal.read_bytes().count(b"\n") if journal.is_file() else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--codec", default="mov_ai/assets/tiny/codec", help="folder or name of a codec")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        return run_script(
            "many_clips",
            lambda: run(options.clips, options.kills, options.codec, options.workers, Path(folder) / "clips"),
        )


if __name__ == "__main__":
    sys.exit(main())
