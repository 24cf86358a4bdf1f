"""What of one clip would be used: its windows, and what is dropped and why."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.data.buckets import Buckets
from mov_ai.data.sampling import Dropped, Sampling, Window
from mov_ai.data.scene_cuts import require_scenedetect, scene_cuts
from mov_ai.errors import MovAIError
from mov_ai.graph.files import sha256_of

if TYPE_CHECKING:
    from mov_ai.data.clips import Clip
    from mov_ai.data.video import VideoReader

#: How PySceneDetect names its own threshold.
CUT_THRESHOLD = 27.0


@dataclass(frozen=True)
class ClipSettings:
    """What decides which windows of a clip become which videos.

    Attributes:
        scenes: cut at scene changes: no window then reaches over one.
        cut_threshold: see `mov_ai.data.scene_cuts.scene_cuts`.

    Raises:
        UsageError: as its parts, and if scenes are wanted without PySceneDetect.
    """

    sampling: Sampling = field(default_factory=Sampling)
    buckets: Buckets = field(default_factory=Buckets)
    scenes: bool = False
    cut_threshold: float = CUT_THRESHOLD

    def __post_init__(self) -> None:
        if self.scenes:
            require_scenedetect()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, flat."""
        scenes = {"cut_threshold": self.cut_threshold} if self.scenes else {}
        return {**asdict(self.sampling), **asdict(self.buckets), "scenes": self.scenes, **scenes}


def choose_windows(
    clip: Clip, reader: VideoReader, settings: ClipSettings
) -> tuple[tuple[int, int], list[Window], list[Dropped]]:
    """The size and the windows of a clip, and what of it is dropped.

    Raises:
        Dropped: if nothing of it can be used.
    """
    info = reader.info
    size = settings.buckets.choose(info.height, info.width)
    start = clip.start or 0.0
    end = min(info.duration, info.duration if clip.end is None else clip.end)
    if end <= start:
        raise Dropped("beyond the video's end", f"begins at {start:.2f} s of {info.duration:.2f} s")
    if not settings.scenes:
        return size, settings.sampling.choose(info.fps, start, end, clip.key), []
    cuts = scene_cuts(reader.frames(start, end), info.fps, settings.cut_threshold)
    windows: list[Window] = []
    dropped: list[Dropped] = []
    edges = [start, *cuts, end]
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        try:
            windows += settings.sampling.choose(info.fps, first, last, f"{clip.key}#{number}")
        except Dropped as reason:
            scene = f"scene {number + 1} of {len(edges) - 1}, {first:.2f}-{last:.2f} s: {reason.detail}"
            dropped.append(Dropped(reason.reason, scene))
    if not windows:
        raise Dropped(dropped[0].reason, "; ".join(part.detail for part in dropped[:3]))
    return size, windows, dropped


def open_clip(clip: Clip) -> VideoReader:
    """A reader of a clip's video. Raises Dropped if it cannot be read."""
    try:
        return clip.open()
    except MovAIError as error:
        raise Dropped("cannot be read", without_path(clip, str(error))) from None


def without_path(clip: Clip, message: str) -> str:
    """A message about a clip's video without the path before it: the clip is named by its key."""
    return message.removeprefix(f"{clip.video}/{clip.member}: ").removeprefix(f"{clip.video}: ")


def clip_digest(clip: Clip) -> str:
    """Digest of all that a clip's samples depend on: its video's bytes, captions, graph and boxes.

    Raises:
        Dropped: if the video cannot be read.
    """
    tracks = [
        [track.label, track.entity, track.instance, *(a.tolist() for a in (track.times, track.boxes, track.visibility))]
        for track in clip.tracks
    ]
    graph = None if clip.graph is None else clip.graph.to_dict()
    said = json.dumps([clip.key, clip.start, clip.end, clip.captions, graph, tracks], ensure_ascii=False)
    try:
        video = _member_digest(clip) if clip.member is not None else _video_digest(clip.video)
    except (OSError, MovAIError) as error:
        raise Dropped("cannot be read", str(error)) from None
    return hashlib.sha256(f"{video}{said}".encode()).hexdigest()[:32]


def _member_digest(clip: Clip) -> str:
    with clip.open_member() as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _video_digest(path: Path) -> str:
    if path.is_dir():
        return sha256_of(sorted(file for file in path.rglob("*") if file.is_file()))
    status = path.stat()
    return _file_digest(path, status.st_size, status.st_mtime_ns)


# Clips of one video follow each other.
@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, changed: int) -> str:
    return sha256_of([path])
