"""`mov-ai interpolate`: a video in, a smoother one out, whatever its length."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import say, tell
from mov_ai.errors import UsageError
from mov_ai.hardware import loading

if TYPE_CHECKING:
    import numpy as np

    from mov_ai.data.video import VideoReader

#: Frames that come of one -> how often the network is applied.
_TIMES = {4: 1, 16: 2}


def interpolate(
    video: Path = typer.Argument(help="The video.", show_default=False),
    times: int = typer.Option(4, help="4 or 16 times as many frames a second."),
    out: Path | None = typer.Option(
        None, help="The MP4 file to write; outputs/NAME-x4.mp4, or -x16, if not given.", show_default=False
    ),
    seed: int = typer.Option(0, min=0, max=2**31 - 1, help="Same seed, same video."),
    checkpoint: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or cuda:N."),
) -> None:
    """Put three frames between each two of a video, once or twice, so that it moves as fast as before."""
    if times not in _TIMES:
        raise UsageError(f"--times: expected 4 or 16; found {times}")
    if out is None:
        from mov_ai.cli.outputs import numbered

        out = next(path for path in numbered(f"{video.stem}-x{times}", ".mp4") if not path.exists())
    if out.suffix.lower() != ".mp4":
        raise UsageError(f"--out: expected the name of an .mp4 file; found {out}")
    if out.exists() and video.exists() and out.samefile(video):
        raise UsageError(f"--out: {out}: is the video itself; give another name")

    from mov_ai.data.video import encode_frames, open_video
    from mov_ai.graph.files import check_writable, write_bytes
    from mov_ai.long_video.details import with_own_frames
    from mov_ai.smoothing import check_smooth, encoded, smooth_fps, smooth_frames

    check_writable(out.parent)
    with open_video(video, "VIDEO") as reader:
        fps = reader.info.fps
        check_smooth(_TIMES[times], 2, fps)
        with loading():
            import torch

            from mov_ai.hardware import choose_device
            from mov_ai.models.codec import to_unit
            from mov_ai.pipeline_files import load_codec_and_interpolation, pipeline_folder

            place = choose_device(device)
            codec, network = load_codec_and_interpolation(pipeline_folder(checkpoint))
            codec, network = codec.to(place), network.to(place)
        height, width = _kept_sides(reader, codec.factor)
        # What is read for the latents is kept until the frames made of them come.
        given, own = tee(_frames(reader, height, width))
        latents = encoded(codec, (to_unit(torch.from_numpy(frame)).to(place) for frame in given))
        made = 0

        def coded() -> Iterator[np.ndarray]:
            for piece in smooth_frames(latents, codec, network, fps, _TIMES[times], seed):
                yield from piece.numpy()

        def pictures() -> Iterator[np.ndarray]:
            nonlocal made
            for picture in with_own_frames(coded(), own, times):
                made += 1
                yield picture

        content = encode_frames(pictures(), height, width, smooth_fps(fps, _TIMES[times]))
        for notice in reader.notices:
            say(f"warning: {notice}")
    write_bytes(out, content)
    tell(f"{out}: {made} frames of {height}x{width} at {smooth_fps(fps, _TIMES[times]):g} fps")


def _kept_sides(reader: VideoReader, factor: int) -> tuple[int, int]:
    """Height and width that the codec can make of a video's, and says so where something is cut off."""
    info = reader.info
    multiple = factor if factor % 2 == 0 else 2 * factor
    height, width = (side // multiple * multiple for side in (info.height, info.width))
    if not height or not width:
        raise UsageError(f"{info.height}x{info.width}: expected sides of {multiple} pixels or more")
    if (height, width) != (info.height, info.width):
        found = f"{info.height}x{info.width}"
        say(f"warning: only the middle {height}x{width} of {found} is kept: the codec needs multiples of {multiple}")
    return height, width


def _frames(reader: VideoReader, height: int, width: int) -> Iterator[np.ndarray]:
    """Middles of the frames, uint8 (height, width, 3)."""
    from mov_ai.data.video import at_constant_rate

    for _, frame in at_constant_rate(reader):
        top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
        yield frame[top : top + height, left : left + width]
