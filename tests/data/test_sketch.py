"""Drawings: lines, silhouettes, scribbles, on light, dark or nothing; gaps, holes, crops, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from mov_ai.data.sketch import read_sketch
from mov_ai.errors import UsageError
from mov_ai.graph.outline import filled

Draw = Callable[[PIL.ImageDraw.ImageDraw], object]
RING = ((100, 100, 300, 300), (150, 150, 250, 250))
DISC = np.pi / 4

#: How it is drawn, mode and background, and the share of the box that is inside.
DRAWN: dict[str, tuple[Draw, str, object, float]] = {
    "lines": (lambda d: d.ellipse(RING[0], outline=0, width=4), "L", 255, DISC),
    "light on dark": (lambda d: d.ellipse(RING[0], outline=255, width=4), "L", 0, DISC),
    "grey on grey": (lambda d: d.ellipse(RING[0], outline=90, width=4), "L", 150, DISC),
    "on nothing": (lambda d: d.ellipse(RING[0], outline=(0, 0, 0, 255), width=4), "RGBA", (0, 0, 0, 0), DISC),
    "filled": (lambda d: d.ellipse(RING[0], fill=0), "L", 255, DISC),
    "with a gap": (lambda d: d.arc(RING[0], 8, 352, fill=0, width=4), "L", 255, DISC),
    "with specks": (lambda d: (d.ellipse(RING[0], fill=0), d.point((5, 5), 0)), "L", 255, DISC),
    "lines across it": (lambda d: (d.ellipse(RING[0], outline=0, width=4), d.line((100, 200, 300, 200), 0, 4)), "L",
                        255, DISC),
    "a ring of lines": (lambda d: [d.ellipse(part, outline=0, width=4) for part in RING], "L", 255, 0.75 * DISC),
    "a filled ring": (lambda d: [d.ellipse(part, fill=i * 255) for i, part in enumerate(RING)], "L", 255, 0.75 * DISC),
    "a scribble": (lambda d: d.line([(100 + 200 * (i % 2), 100 + 20 * i) for i in range(11)], 0, 5), "L", 255, 0.95),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_drawings_become_outlines(name: str, tmp_path: Path) -> None:
    draw, mode, background, share = DRAWN[name]
    picture = PIL.Image.new(mode, (400, 400), background)  # type: ignore[arg-type]
    draw(PIL.ImageDraw.Draw(picture))
    picture.save(tmp_path / "d.png")
    sketch, sides = read_sketch(tmp_path / "d.png", "ball", 512, 512)
    assert sides == (400, 400)
    assert sketch.box == pytest.approx((0.5, 0.5, 0.5, 0.5), abs=0.03)
    assert filled(sketch.outline, 64).mean() == pytest.approx(share, abs=0.05)
    assert (sketch.entity, sketch.file, len(sketch.sha256)) == ("ball", "d.png", 64)


def test_another_aspect_is_cropped_to_the_centre(tmp_path: Path) -> None:
    picture = PIL.Image.new("L", (800, 400), 255)
    PIL.ImageDraw.Draw(picture).rectangle((350, 100, 449, 299), fill=0)
    picture.save(tmp_path / "d.png")
    sketch, _ = read_sketch(tmp_path / "d.png", None, 64, 64)
    assert sketch.box == pytest.approx((0.5, 0.5, 0.25, 0.5), abs=0.01)


def test_a_drawing_of_16_bits(tmp_path: Path) -> None:
    values = np.full((400, 400), 60_000, np.uint16)
    values[100:300, 100:300] = 9_000
    PIL.Image.fromarray(values).save(tmp_path / "d.png")
    sketch, _ = read_sketch(tmp_path / "d.png", None, 64, 64)
    assert sketch.box == pytest.approx((0.5, 0.5, 0.5, 0.5), abs=0.01)


@pytest.mark.parametrize("dots", [[(32, 32)], [(10, 10), (50, 40), (30, 20), (44, 12)]])
def test_dots_have_an_outline_too(tmp_path: Path, dots: list[tuple[int, int]]) -> None:
    picture = PIL.Image.new("L", (64, 64), 255)
    PIL.ImageDraw.Draw(picture).point(dots, fill=0)
    picture.save(tmp_path / "d.png")
    sketch, _ = read_sketch(tmp_path / "d.png", None, 64, 64)
    assert len(sketch.outline) == len(dots)
    assert all(len(line) >= 3 for line in sketch.outline)


def test_a_large_drawing_of_thin_lines(tmp_path: Path) -> None:
    picture = PIL.Image.new("L", (3000, 3000), 255)
    PIL.ImageDraw.Draw(picture).rectangle((600, 600, 2400, 1500), outline=0, width=3)
    picture.save(tmp_path / "d.png")
    sketch, _ = read_sketch(tmp_path / "d.png", None, 64, 64)
    assert sketch.box == pytest.approx((0.5, 0.35, 0.6, 0.3), abs=0.01)
    assert filled(sketch.outline, 32).mean() > 0.95


@pytest.mark.parametrize(("value", "said"), [(255, "nothing is to be seen"), (0, "nothing is to be seen")])
def test_nothing_drawn_is_said(tmp_path: Path, value: int, said: str) -> None:
    PIL.Image.new("L", (40, 40), value).save(tmp_path / "d.png")
    with pytest.raises(UsageError, match=said):
        read_sketch(tmp_path / "d.png", None, 64, 64)


def test_no_picture_and_a_drawing_that_is_cropped_away(tmp_path: Path) -> None:
    (tmp_path / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError, match="not a picture that can be read"):
        read_sketch(tmp_path / "d.png", None, 64, 64)
    picture = PIL.Image.new("L", (400, 100), 255)
    PIL.ImageDraw.Draw(picture).rectangle((5, 5, 60, 60), fill=0)
    picture.save(tmp_path / "e.png")
    with pytest.raises(UsageError, match="once it is cropped"):
        read_sketch(tmp_path / "e.png", None, 64, 64)
