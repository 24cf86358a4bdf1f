"""Picture files of every format and mode that somebody might have, whole or damaged."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import numpy as np
import PIL.Image

from tools.fuzz.damage import damaged_bytes

#: Format -> modes that it can hold.
_MODES = {
    "PNG": ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("P", "L"),
    "TIFF": ("RGB", "I;16", "I", "F", "CMYK"),
    "BMP": ("RGB", "1"),
}
#: Height and width of pictures that nobody takes, but somebody may have.
_STRANGE_SIDES = ((1, 1), (2, 1), (1, 4000), (4000, 1), (3, 9000), (31, 33), (4500, 4500))
#: Bits that a channel has.
_DEEP = ("I;16", "I")


@dataclass(frozen=True)
class PictureFile:
    """A file, and what it shows.

    Attributes:
        content: its bytes. suffix: that its name should have. about: how it is odd.
        grey: 0 to 255, of the whole picture; None if it is damaged, or not of one colour.
    """

    content: bytes
    suffix: str
    about: str
    grey: int | None


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file of a format."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def of_mode(grey: np.ndarray, mode: str) -> PIL.Image.Image:
    """Grey levels, uint8 (height, width), as a picture of a mode that shows them."""
    if mode in _DEEP:
        # All 16 bits, as cameras and renderers write them.
        return PIL.Image.fromarray(grey.astype(np.uint16) * 257).convert(mode)
    if mode == "F":
        return PIL.Image.fromarray(grey.astype(np.float32))
    return PIL.Image.fromarray(grey).convert(mode)


def picture_file(rng: random.Random, grey: np.ndarray) -> PictureFile:
    """What is drawn in grey as a file: of any mode and size, often damaged.

    Args:
        grey: uint8 (height, width); of one value, if it is to be known what the file shows.
    """
    kind = rng.choice(list(_MODES))
    mode = rng.choice(_MODES[kind])
    about = f"{kind} {mode}"
    same = int(grey.flat[0]) if (grey == grey.flat[0]).all() else None
    if rng.random() < 0.25:
        height, width = rng.choice(_STRANGE_SIDES)
        about += f" {height}x{width}"
        # What lies at the middle is drawn larger.
        grey = np.asarray(PIL.Image.fromarray(grey).resize((width, height)))
    picture, options = of_mode(grey, mode), {}
    if kind in ("GIF", "WEBP", "PNG", "TIFF") and mode in ("P", "L", "RGB", "RGBA") and rng.random() < 0.3:
        options = {"save_all": True, "append_images": [picture.copy(), of_mode(255 - grey, mode)]}
        about += " animated"
    content = encoded(picture, kind, **options)
    # A picture of two levels has none of those between.
    shown = None if same is None or mode == "1" else same
    if rng.random() < 0.4:
        content, damage = damaged_bytes(content, rng)
        return PictureFile(content, kind.lower(), f"{about}: {damage}", None)
    return PictureFile(content, kind.lower(), about, shown)
