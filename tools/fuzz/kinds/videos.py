"""Videos beside a whole one: mp4 and npz with bytes damaged, mostly of their headers; looked through and read."""

from __future__ import annotations

import io
import random
from functools import cache
from pathlib import Path

import numpy as np

from mov_ai.data.video import encode_video
from mov_ai.evaluation.metrics.folders import Video, read, scan
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_bytes

_WHOLE = "whole"


@cache
def _frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)


@cache
def _files() -> dict[str, bytes]:
    """Suffix -> a whole file."""
    archive = io.BytesIO()
    np.savez_compressed(archive, allow_pickle=False, video=_frames(), fps=np.float64(8))
    return {".mp4": encode_video(_frames()), ".npz": archive.getvalue()}


def _damaged(content: bytes, suffix: str, rng: random.Random) -> tuple[bytes, str]:
    # Of an mp4 the boxes before the pictures say everything about them.
    head = content.index(b"mdat") if suffix == ".mp4" and rng.random() < 0.7 else len(content)
    changed, about = damaged_bytes(content[:head], rng)
    return changed + content[head:], f"{suffix}: {about}"


def make(rng: random.Random, folder: Path) -> Case:
    """A folder of a whole and a damaged video."""
    suffix = rng.choice(list(_files()))
    content, about = _damaged(_files()[suffix], suffix, rng)
    (folder / f"{_WHOLE}.npz").write_bytes(_files()[".npz"])
    (folder / f"damaged{suffix}").write_bytes(content)

    def run() -> tuple[list[Video], tuple[str, ...]]:
        found = scan(folder)
        return list(read(found)), found.notices

    def wrong(result: tuple[list[Video], tuple[str, ...]]) -> str | None:
        videos, notices = {video.name: video for video in result[0]}, result[1]
        if _WHOLE not in videos or not np.array_equal(videos[_WHOLE].frames, _frames()):
            return "the whole video is not read as it is"
        if "damaged" not in videos and not any("damaged" in notice for notice in notices):
            return "the damaged video is left out without a word"
        if any("\n" in notice or not notice.isprintable() for notice in notices):
            return "a notice of more than one line"
        if suffix == ".npz" and "damaged" in videos and not np.array_equal(videos["damaged"].frames, _frames()):
            # An archive has checksums, an mp4 has none.
            return "an archive's damaged frames are taken for whole"
        return None

    # The other video can always be measured.
    return Case(about, run, wrong, "never")


KIND = Kind("videos", 2.0, make)
