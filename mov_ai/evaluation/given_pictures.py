"""How exactly a video begins with a picture that is given, and whether it goes on from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.data.clip_windows import open_clip
from mov_ai.data.formats import read_clips
from mov_ai.evaluation.metrics.image_quality import psnr
from mov_ai.graph import Layout, SceneGraph
from mov_ai.long_video.beginning import encoded
from mov_ai.long_video.details import known_picture, with_details
from mov_ai.long_video.making import Carried, make_windows
from mov_ai.long_video.windows import OVERLAP, plan_windows
from mov_ai.pipeline import MovAIPipeline
from mov_ai.worlds.tabletop.world import sample_clip

#: Clips of the world's test split from here on.
_FIRST_SEED = 700_000


@dataclass(frozen=True)
class Picture:
    """A picture that is given as the first frame.

    Attributes:
        name: of its clip.
        kind: "rendered" by the world from a scene that no training saw, or "real".
        pixels: uint8 (height, width, 3).
        prompt: what the video shows, with its boxes where they are known.
        video: uint8 (n, height, width, 3), the true frames from it on, at the pipeline's frame rate.
    """

    name: str
    kind: str
    pixels: np.ndarray
    prompt: str | SceneGraph
    layout: Layout | None = None
    video: np.ndarray | None = None


def rendered_pictures(count: int, size: int) -> list[Picture]:
    """First frames of held-out clips, with their graphs, boxes and what follows."""
    pictures = []
    for seed in range(_FIRST_SEED, _FIRST_SEED + count):
        clip = sample_clip(seed, "test", size)
        video = clip.video.numpy()
        pictures.append(Picture(f"rendered-{seed}", "rendered", video[0], clip.caption.graph, clip.layout, video))
    return pictures


def real_pictures(folder: Path, count: int) -> list[Picture]:
    """First frames of captioned clips, of any layout of `read_clips`; errors as of that."""
    pictures = []
    for clip in itertools.islice(read_clips(folder), count):
        with open_clip(clip) as reader:
            first = reader.frames_at([clip.start or 0.0])[0]
        pictures.append(Picture(clip.key, "real", first, clip.captions[0]))
    return pictures


def measure_picture(pipeline: MovAIPipeline, picture: Picture, stage: int) -> dict[str, Any]:
    """Make a video that begins with a picture, and one of the same prompt and seed that does not.

    Returns:
        PSNR in dB. psnr: of the first frame to the picture, cropped to the centre and brought to the video's size.
        psnr_codec: of the picture that has gone through the codec alone, the most that latents can hold.
        psnr_second: of the second frame to the picture. psnr_rest: of all frames but the first to the true ones, if
        they are known.
        `_latents`: the same of the video without what the codec cannot hold of the picture, see `with_details`.
        `_without`: of the video that is not given the picture.
    """
    shape = replace(pipeline.shape if picture.layout is None else picture.layout.shape or pipeline.shape)
    shape = replace(shape, frames=pipeline.shape.frames, height=pipeline.shape.height, width=pipeline.shape.width)
    layout = None if picture.layout is None else replace(picture.layout.resampled(shape.frames), shape=None)
    request = pipeline.check(0, layout, shape, None, pipeline.guidance(), stage, None, None, "default")
    prepared = pipeline.prepare(picture.prompt, request, layout)
    windows = plan_windows(shape.frames, shape.frames, min(OVERLAP, shape.frames - 1))
    given = encoded(pipeline, request, picture.pixels[None], [0])
    by_latents, without = (
        next(make_windows(pipeline, prepared, 0, windows, Carried(), pictures, OVERLAP)).frames
        for pictures in (given, Carried())
    )
    known = known_picture(pipeline, request, 0, picture.pixels)
    videos = {"": np.stack(list(with_details(by_latents, [known]))), "_latents": by_latents, "_without": without}
    figures: dict[str, float | None] = {"psnr_codec": float(psnr(known.coded[None], known.pixels[None])[0])}
    for name, video in videos.items():
        figures[f"psnr{name}"] = float(psnr(video[:1], known.pixels[None])[0])
        figures[f"psnr_second{name}"] = float(psnr(video[1:2], known.pixels[None])[0])
        following = None if picture.video is None else float(psnr(video[1:], picture.video[1:]).mean())
        figures[f"psnr_rest{name}"] = following
    return {"name": picture.name, "kind": picture.kind, "stage": stage, **figures}
