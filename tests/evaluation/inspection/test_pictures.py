"""Strips of frames: which frames, what heat looks like, how large they are."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.evaluation.inspection.pictures import (
    as_jpeg,
    chosen_frames,
    data_address,
    heat_colours,
    strip,
    under_heat,
)


@given(st.integers(1, 200), st.integers(1, 20))
def test_frames_are_spread_from_the_first_on(number: int, most: int) -> None:
    chosen = chosen_frames(number, most)
    assert len(chosen) == min(number, most)
    assert chosen[0] == 0
    assert chosen[-1] == (number - 1 if most > 1 else 0)
    steps = np.diff(chosen)
    assert not steps.size or steps.max() - steps.min() <= 1


def test_heat_brightens_and_no_heat_is_grey() -> None:
    assert (np.diff(heat_colours(np.linspace(0, 1, 50)).sum(-1)) > 0).all()
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[..., 0] = 255
    cold = under_heat(frame, np.zeros((2, 2)))
    assert (cold == 68).all()
    hot = under_heat(frame, np.array([[0, 0], [0, 1.0]]))
    assert hot[-1, -1].astype(int).sum() > hot[0, 0].astype(int).sum()


def test_a_strip_has_its_frames_and_boxes() -> None:
    frames = [np.full((10, 20, 3), value, np.uint8) for value in (0, 100)]
    box = np.array([[0.5, 0.5, 0.5, 0.5, 1, 1], [0.5, 0.5, 0.5, 0.5, 1, 0]])
    picture = strip(frames, 40, [box])
    assert picture.size == (2 * 80 + 2, 40)
    pixels = np.asarray(picture)
    assert (pixels[:, 80:82] == 255).all()
    # Seen in the first frame only.
    assert (pixels[10, 20:61] == 255).all()
    assert (pixels[:, 82:] == 100).all()


def test_addresses_hold_the_picture() -> None:
    address = data_address(as_jpeg(PIL.Image.new("RGB", (6, 4), (200, 0, 0))))
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert PIL.Image.open(io.BytesIO(base64.b64decode(content))).size == (6, 4)
