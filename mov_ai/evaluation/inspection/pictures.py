"""Strips of frames for pages: plain, with boxes, under a heat map, or as a difference; JPEG within the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw

#: Places on the colour ramp of heat, 0 to 1, with their red, green and blue.
_RAMP = (
    (0.0, (20, 11, 52)),
    (0.3, (107, 24, 110)),
    (0.55, (203, 65, 73)),
    (0.8, (251, 155, 6)),
    (1.0, (252, 255, 164)),
)
_BOX_COLOUR = (255, 255, 255)


def chosen_frames(number: int, most: int) -> np.ndarray:
    """Indices of at most so many frames, evenly spread, the first and the last among them."""
    return np.unique(np.round(np.linspace(0, number - 1, min(number, most))).astype(int))


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """Colours of values in [0, 1], dark to bright: float32 (..., 3) in [0, 255]."""
    places = [place for place, _ in _RAMP]
    channels = [np.interp(heat, places, [colour[c] for _, colour in _RAMP]) for c in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def under_heat(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A frame in grey under the colours of a heat map.

    Args:
        frame: uint8 (H, W, 3).
        heat: (h, w) in [0, 1]; enlarged smoothly.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = frame.shape[:2]
    picture = PIL.Image.fromarray(heat.astype(np.float32))
    large = np.clip(np.asarray(picture.resize((width, height), PIL.Image.Resampling.BICUBIC)), 0, 1)
    grey = frame.astype(np.float32).mean(-1, keepdims=True) * 0.8
    share = 0.85 * large[..., None]
    mixed: np.ndarray = ((1 - share) * grey + share * heat_colours(large)).round().astype(np.uint8)
    return mixed


def strip(frames: Sequence[np.ndarray], height: int, boxes: Sequence[np.ndarray] = ()) -> PIL.Image.Image:
    """Frames side by side with a gap of two pixels.

    Args:
        frames: uint8 (H, W, 3) each.
        height: of the strip in pixels.
        boxes: tracks (frames, 6), columns as `mov_ai.graph.BOX_FIELDS`, whose outlines are drawn where visible.
    """
    tall, wide = frames[0].shape[:2]
    width = max(1, round(wide * height / tall))
    whole = PIL.Image.new("RGB", (len(frames) * (width + 2) - 2, height), (255, 255, 255))
    for f, frame in enumerate(frames):
        picture = PIL.Image.fromarray(frame).resize((width, height), PIL.Image.Resampling.LANCZOS)
        draw = PIL.ImageDraw.Draw(picture)
        for track in boxes:
            x, y, w, h, _, visible = track[f] * [width, height, width, height, 1, 1]
            if visible > 0:
                draw.rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2), outline=_BOX_COLOUR)
        whole.paste(picture, (f * (width + 2), 0))
    return whole


def as_jpeg(picture: PIL.Image.Image, quality: int = 82) -> bytes:
    """JPEG with full colour."""
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def data_address(jpeg: bytes) -> str:
    """An address that holds the picture itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
