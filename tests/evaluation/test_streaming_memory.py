"""Measuring many videos takes the memory of one: nothing of a video is kept but its figures."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mov_ai.data.video import write_video
from mov_ai.evaluation.metrics.folders import Video
from mov_ai.evaluation.metrics.result import Settings
from mov_ai.evaluation.video_pass import Quantity, alone, each, measure, shown
from tests.evaluation.metrics.videos import FPS, sprites

FEW, MANY = 10, 200
FRAMES, SIDE = 16, 96
#: Decoded, the many videos would be three times this.
BOUND = 28 * 2**20

SCRIPT = """
import json, resource, sys
import numpy as np, torch
from mov_ai.evaluation.metrics.folders import common_shape, measured_settings, read, scan
from mov_ai.evaluation.metrics.temporal import temporal_flickering
from mov_ai.evaluation.video_pass import Quantity, each, measure

torch.set_num_threads(1)

def features(frames):
    return frames[::4, ::12, ::12].reshape(-1, 64)[:, :].mean(0) / 255

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def work(folder):
    found = scan(folder)
    shape = common_shape(found, max_frames=12)
    chosen = [
        Quantity("features", each(lambda video: features(video.frames))),
        Quantity("flickering", each(lambda video: temporal_flickering(video.frames))),
    ]
    values = measure(((video,) for video in read(found, shape)), chosen, measured_settings(found, shape))
    assert len(values.stack("flickering")) == len(values.stack("features")) == len(found.files)
    return len(found.files)

work(sys.argv[1])
before = peak()
count = work(sys.argv[2])
print(json.dumps({"count": count, "grown": peak() - before}))
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders, of few and of many videos; the many are some in turn."""
    some = []
    for seed in range(5):
        some.append(tmp_path / f"{seed}.mp4")
        write_video(some[-1], sprites(seed, FRAMES, SIDE), fps=FPS)
    made = []
    for count in (FEW, MANY):
        made.append(tmp_path / f"{count} videos")
        made[-1].mkdir()
        for number in range(count):
            os.link(some[number % len(some)], made[-1] / f"{number:04d}.mp4")
    return made[0], made[1]


def test_200_videos_take_no_more_memory_than_10(folders: tuple[Path, Path]) -> None:
    assert MANY * FRAMES * SIDE * SIDE * 3 > 3 * BOUND
    command = [sys.executable, "-c", SCRIPT, *map(str, folders)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["count"] == MANY
    assert told["grown"] < BOUND, f"{told['grown'] / 2**20:.0f} MiB more"


def test_a_video_is_let_go_before_the_next_is_read() -> None:
    size = 8 * 2**20

    def videos() -> Iterator[Video]:
        for number in range(4):
            yield Video(str(number), np.zeros((2, size // 6, 1, 3), np.uint8), 8.0, "none")

    def total(video: Video) -> float:
        return float(video.frames[:, ::64].sum())

    shape = Settings(2, 8.0, "1x1", "none")
    tracemalloc.start()
    try:
        stream = shown(videos(), "videos", Console(file=io.StringIO()))
        measure(alone(stream), [Quantity("total", each(total))], shape, batch=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * size
