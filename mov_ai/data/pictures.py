"""Reading a picture as it is shown, whatever its file keeps it as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from mov_ai.errors import UsageError

#: Levels of 8 bits in one of 16.
_FINER = 257


def open_picture(path: Path, option: str) -> PIL.Image.Image:
    """A picture in mode RGBA, upright; of several, the first.

    Args:
        option: that names it, for the message.

    Raises:
        UsageError: if it is no picture that can be read.
    """
    try:
        with PIL.Image.open(path) as opened:
            return _in_8_bits(PIL.ImageOps.exif_transpose(opened)).convert("RGBA")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UsageError(f"{option}: {path}: not a picture that can be read ({type(error).__name__})") from None


def _in_8_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Pillow brings grey of 16 or 32 bits to 8 by cutting off all above 255, so that nearly everything is white."""
    if picture.mode[0] not in "IF":
        return picture
    values = np.asarray(picture, np.float32)
    # Grey of 32 bits, whole or not, says nowhere what white is.
    is_finer = picture.mode.startswith("I;16") or (picture.mode == "I" and values.max(initial=0) > 255)
    levels = values / _FINER if is_finer else values
    return PIL.Image.fromarray(np.nan_to_num(levels).round().clip(0, 255).astype(np.uint8))
