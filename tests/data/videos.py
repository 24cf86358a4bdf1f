"""Small video files for tests, written with PyAV in many forms."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SMALL = (32, 48)


def moving(frames: int = 12, size: tuple[int, int] = SMALL) -> np.ndarray:
    """uint8 (frames, height, width, 3): smooth, no two frames alike, no symmetry: a bright blob goes right and down."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(float)
    video = np.empty((frames, height, width, 3))
    for number in range(frames):
        at = (number + 0.5) / frames
        blob = np.exp(-(((x / width - at) / 0.2) ** 2) - ((y / height - 0.2 - 0.5 * at) / 0.2) ** 2)
        video[number] = np.stack([60 + 60 * x / width + 100 * blob, 60 + 120 * y / height, 90 + 100 * blob], -1)
    return video.round().astype(np.uint8)


def write(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int = 10,
    times: Sequence[float] | None = None,
    turn: tuple[float, bool, bool] | None = None,
    aspect: Fraction | None = None,
    matrix: int | None = None,
    colour_range: int | None = None,
    format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a file.

    Args:
        frames: uint8 (N, H, W, 3) RGB or (N, H, W, 4) RGBA.
        times: of each frame, seconds in whole milliseconds, instead of a constant rate.
        turn: degrees against the clock, mirrored left to right, upside down, in the display matrix.
        matrix, colour_range: FFmpeg's numbers: 1 BT.709, 6 BT.601, 9 BT.2020; 1 limited, 2 full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    given = "rgba" if frames.shape[-1] == 4 else "rgb24"
    with (
        path.open("wb+") as file,
        av.open(file, "w", format=format or _container(path), options=container_options or {}) as container,
    ):
        quality = {"crf": "10", "preset": "veryfast", "threads": "1"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=fps, options=quality | (options or {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        if not quality:
            stream.bit_rate = 4_000_000
        stream.metadata.update(metadata or {})
        context = stream.codec_context
        conversion: dict[str, Any] = {}
        if times is not None:
            context.time_base = Fraction(1, 1000)
        if turn is not None:
            stream.set_display_rotation(turn[0], hflip=turn[1], vflip=turn[2])
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if matrix is not None:
            context.colorspace = matrix
            conversion["dst_colorspace"] = {1: "ITU709", 6: "ITU601", 9: "BT2020"}[matrix]
        if colour_range is not None:
            context.color_range = conversion["dst_color_range"] = colour_range
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=given)
            if conversion:
                frame = frame.reformat(format=pix_fmt, **conversion)
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _container(path: Path) -> str:
    known = {"mkv": "matroska", "ts": "mpegts", "m4v": "mp4", "mpg": "mpeg", "wmv": "asf"}
    return known.get(path.suffix[1:], path.suffix[1:])


def cut_without_decoding(source: Path, target: Path, start: float) -> Path:
    """Copy packets from the last keyframe before `start`, as `ffmpeg -c copy`: an edit list hides what is before it."""
    with av.open(str(source)) as original, av.open(str(target), "w") as container:
        stream = original.streams.video[0]
        copy = container.add_stream_from_template(stream)
        base = stream.time_base
        assert base is not None
        offset = round(start / base)
        packets = [packet for packet in original.demux(stream) if packet.dts is not None]
        keyframes = [i for i, p in enumerate(packets) if p.is_keyframe and p.pts is not None and p.pts <= offset]
        for packet in packets[keyframes[-1] :]:
            assert packet.pts is not None
            assert packet.dts is not None
            packet.stream, packet.pts, packet.dts = copy, packet.pts - offset, packet.dts - offset
            container.mux(packet)
    return target


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of two uint8 videos, over all frames."""
    assert a.shape == b.shape
    error = float(((a.astype(float) - b) ** 2).mean())
    return 100.0 if error == 0 else float(10 * np.log10(255**2 / error))
