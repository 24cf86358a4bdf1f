"""Eight drawings of one size: lines, as a user would draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw

#: Pixels of a drawing's side, and of the width of its lines.
SIDE, LINE = 512, 4
Points = Sequence[tuple[float, float]]

_STAR = [
    (math.sin(k * math.pi / 5) * (0.45 if k % 2 else 1), -math.cos(k * math.pi / 5) * (0.45 if k % 2 else 1))
    for k in range(10)
]


def _circle(radius: float = 1.0, first: float = 0.0, last: float = 360.0, x: float = 0.0) -> list[tuple[float, float]]:
    angles = [math.radians(first + (last - first) * i / 90) for i in range(91)]
    return [(x + radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _crescent() -> list[tuple[float, float]]:
    # The circle of radius 0.75 around (0.55, 0) is cut out of the unit circle.
    x = (1 + 0.55**2 - 0.75**2) / (2 * 0.55)
    outer = math.degrees(math.acos(x))
    inner = math.degrees(math.atan2(math.sqrt(1 - x**2), x - 0.55))
    return _circle(1.0, outer, 360 - outer) + _circle(0.75, 360 - inner, inner, 0.55)


#: Closed lines of each drawing, within [-1, 1] across and down.
DRAWINGS: dict[str, list[Points]] = {
    "circle": [_circle()],
    "square": [[(-1, -1), (1, -1), (1, 1), (-1, 1)]],
    "triangle": [[(0, -1), (1, 1), (-1, 1)]],
    "diamond": [[(0, -1), (1, 0), (0, 1), (-1, 0)]],
    "ring": [_circle(), _circle(0.5)],
    "star": [_STAR],
    "L": [[(-1, -1), (-0.2, -1), (-0.2, 0.2), (1, 0.2), (1, 1), (-1, 1)]],
    "crescent": [_crescent()],
}


def drawing(name: str, x: float, y: float, size: float) -> PIL.Image.Image:
    """A drawing in dark lines on white.

    Args:
        name: of `DRAWINGS`.
        x, y: of its middle. size: of the side that [-1, 1] has. All are shares of the picture's side.
    """
    picture = PIL.Image.new("L", (SIDE, SIDE), 255)
    draw = PIL.ImageDraw.Draw(picture)
    for line in DRAWINGS[name]:
        points = [((x + a * size / 2) * SIDE, (y + b * size / 2) * SIDE) for a, b in line]
        draw.line([*points, points[0]], fill=0, width=LINE, joint="curve")
    return picture
