"""How exactly a video begins with a picture that is given, and whether it goes on from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mov_ai.data.clip_windows import open_clip
from mov_ai.data.formats import read_clips
from mov_ai.evaluation.metrics.image_quality import psnr
from mov_ai.graph import Layout, SceneGraph
from mov_ai.long_video.beginning import encoded, fitted
from mov_ai.long_video.making import Carried, make_windows
from mov_ai.long_video.windows import OVERLAP, plan_windows
from mov_ai.models.codec import to_bytes
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
    """

    name: str
    kind: str
    pixels: np.ndarray
    prompt: str | SceneGraph
    layout: Layout | None = None


def rendered_pictures(count: int, size: int) -> list[Picture]:
    """First frames of held-out clips, with their graphs and boxes."""
    pictures = []
    for seed in range(_FIRST_SEED, _FIRST_SEED + count):
        clip = sample_clip(seed, "test", size, frames=np.arange(1))
        pictures.append(Picture(f"rendered-{seed}", "rendered", clip.video[0].numpy(), clip.caption.graph, clip.layout))
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
        psnr: of the first frame to the picture, cropped to the centre and brought to the video's size, in dB.
        psnr_codec: of the picture that has gone through the codec alone, the most that latents can hold.
        psnr_second, psnr_second_without: of the second frame to the picture, and of that of the video without it.
    """
    shape = replace(pipeline.shape if picture.layout is None else picture.layout.shape or pipeline.shape)
    shape = replace(shape, frames=pipeline.shape.frames, height=pipeline.shape.height, width=pipeline.shape.width)
    layout = None if picture.layout is None else replace(picture.layout.resampled(shape.frames), shape=None)
    request = pipeline.check(0, layout, shape, None, pipeline.guidance(1.0, 1.0), stage, None, None, "default")
    prepared = pipeline.prepare(picture.prompt, request, layout)
    windows = plan_windows(shape.frames, shape.frames, min(OVERLAP, shape.frames - 1))
    given = encoded(pipeline, request, picture.pixels[None], [0])
    videos = [
        next(make_windows(pipeline, prepared, 0, windows, Carried(), pictures, OVERLAP)).frames
        for pictures in (given, Carried())
    ]
    truth = fitted(picture.pixels[None], request.shape.height, request.shape.width)
    with torch.no_grad():
        through = pipeline.cascade.decode(given.latents[request.stages[-1].size].to(pipeline.device))
    second, second_without = (float(psnr(video[1:2], truth)[0]) for video in videos)
    return {
        "name": picture.name,
        "kind": picture.kind,
        "stage": stage,
        "psnr": float(psnr(videos[0][:1], truth)[0]),
        "psnr_codec": float(psnr(to_bytes(through)[0].cpu().numpy(), truth)[0]),
        "psnr_second": second,
        "psnr_second_without": second_without,
    }
