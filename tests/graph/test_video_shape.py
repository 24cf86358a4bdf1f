"""Sizes of videos: in range or refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import VideoShape, parse_size


def test_default_is_sixteen_square_frames() -> None:
    assert str(VideoShape()) == "16 frames of 512x512 at 8 fps"
    assert VideoShape(24, 12.0).seconds == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 0}, "frames: expected a whole number from 1 to 16384; found 0"),
        ({"frames": 16385}, "found 16385"),
        ({"frames": 16.0}, "frames: expected a whole number"),
        ({"frames": True}, "found True"),
        ({"fps": 0}, "fps: expected a number above 0 and up to 240; found 0"),
        ({"fps": -8.0}, "found -8.0"),
        ({"fps": 240.5}, "found 240.5"),
        ({"fps": float("nan")}, "found nan"),
        ({"fps": "8"}, "found '8'"),
        ({"height": 15}, "height: expected a whole number from 16 to 4096; found 15"),
        ({"width": 4097}, "width: expected a whole number from 16 to 4096; found 4097"),
    ],
)
def test_sizes_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        VideoShape(**values)
    assert message in str(caught.value)


def test_a_size_is_height_by_width() -> None:
    assert parse_size("320x512") == (320, 512)
    assert parse_size(" 512X320 ") == (512, 320)
    assert parse_size("512") == (512, 512)


@pytest.mark.parametrize(
    "text", ["", "512x", "x512", "-512", "512x-16", "0x512", "8", "5000", "512 x 320", "5e2", "1x2x3"]
)
def test_what_is_no_size_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="size: ") as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)
    assert "found" in str(caught.value)
