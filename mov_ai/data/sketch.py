"""Reading a drawing: lines or a scribble, dark on light, light on dark or on nothing, become the outline of a thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mov_ai.data.buckets import Buckets
from mov_ai.data.pictures import open_picture
from mov_ai.errors import UsageError
from mov_ai.graph.files import sha256_of
from mov_ai.graph.outline import MAX_LINES, MAX_POINTS, Outline
from mov_ai.graph.sketch import Sketch

#: The longer side that drawings are worked on in, in pixels.
_SIDE = 512
#: Levels of 255 by which a drawing differs from its paper, and the share of a pixel that makes it drawn on.
_CONTRAST, _TOUCHED = 16, 0.1
#: Gaps between the ends of lines that are closed, as shares of the drawing's own longer side.
_GAPS = (0.01, 0.03, 0.06)
#: What lines go around is a thing, and not their own width, from this many times the lines' own area on.
_HOLLOW = 1.25
#: Lines with closed gaps go around at least this share of their convex hull; what they do not is a scribble.
_OF_HULL = 0.5
#: Least share of the frame's pixels that is a drawing, and the most.
_LEAST, _MOST = 2e-4, 0.98
#: What is smaller than this share of the thing is a speck of dust.
_SPECK = 0.02
#: Pixels by which an outline may run beside the drawing's own.
_TOLERANCE = 0.6


def read_sketch(path: Path, entity: str | None, height: int, width: int) -> tuple[Sketch, tuple[int, int]]:
    """A drawing as a sketch of one thing.

    Args:
        path: a picture.
        entity: see `Sketch`.
        height, width: of the video; a drawing of another aspect is cropped to the centre, as pictures are.

    Returns:
        The sketch, and the drawing's own height and width.

    Raises:
        UsageError: if it is no picture, or nothing is drawn on it.
    """
    ink, sides = _read_ink(path)
    buckets = Buckets(sizes=((height, width),), enlarge=1e6)
    tall, wide = ink.shape
    left, top, right, bottom = (round(edge) for edge in buckets.kept_part(tall, wide, (height, width)))
    whole, ink = ink, ink[top:bottom, left:right]
    share = float(ink.mean()) if ink.size else 0.0
    if not _LEAST <= share <= _MOST:
        raise UsageError(
            f"--sketch: {path}: {'nothing' if share < _LEAST else 'no background'} is to be seen on it"
            f"{'' if whole.shape == ink.shape else ' once it is cropped'}; draw one thing, dark or light"
        )
    inside = silhouette(ink)
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    low, high, first, last = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    tall, wide = inside.shape
    box = ((first + last) / 2 / wide, (low + high) / 2 / tall, (last - first) / wide, (high - low) / tall)
    outline = outline_of(inside[low:high, first:last])
    x, y, w, h = (round(float(value), 5) for value in box)
    return Sketch(outline, (x, y, w, h), entity, path.name, sha256_of([path])), sides


def _read_ink(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """Where something is drawn, bool (height, width), its longer side at most `_SIDE`, and the picture's own sides."""
    import PIL.Image
    from skimage.filters import threshold_otsu

    picture = open_picture(path, "--sketch")
    sides = picture.height, picture.width
    alpha = np.asarray(picture.getchannel("A"))
    # On nothing, what is there is the drawing, whatever its colour.
    grey = picture.getchannel("A") if alpha.min() < 128 else picture.convert("L")
    values = np.asarray(grey)
    if int(values.max()) - int(values.min()) < _CONTRAST:
        return np.zeros((1, 1), bool), sides
    light = values > threshold_otsu(values)
    # The paper is what most of the border shows.
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    ink = light if border.mean() < 0.5 else ~light
    if max(sides) <= _SIDE:
        return ink, sides
    scale = _SIDE / max(sides)
    smaller = PIL.Image.fromarray(ink.astype(np.uint8) * 255).resize(
        (max(1, round(sides[1] * scale)), max(1, round(sides[0] * scale))), PIL.Image.Resampling.BOX
    )
    # A pixel counts that a thin line only touches.
    return np.asarray(smaller) > 255 * _TOUCHED, sides


def silhouette(ink: np.ndarray) -> np.ndarray:
    """What the lines of a drawing go around, bool (height, width); of lines that stay open, what they span.

    Gaps are closed, the smallest that make the lines go around something. The hole of a drawing that is filled, or of
    two lines one within the other, stays a hole.
    """
    from scipy import ndimage
    from skimage.morphology import convex_hull_image, disk, isotropic_closing

    ink = _without_specks(ink)
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    if _is_filled(ink, extent):
        return ink
    for gap in (0.0, *_GAPS):
        reach = max(1, round(gap * extent / 2)) if gap else 0
        # Room, so that what is closed is not cut off at the border.
        padded = np.pad(ink, reach + 1)
        closed = padded if not reach else isotropic_closing(padded, reach)
        around = _around(closed)[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
        is_whole = not gap or around.sum() >= _OF_HULL * convex_hull_image(ink).sum()
        if is_whole and around.sum() >= _HOLLOW * ink.sum():
            return np.asarray(around | ink)
    if _is_scribble(ink, extent):
        return np.asarray(convex_hull_image(ink))
    # One stroke is a thing of its own, and a little wider than the line.
    return np.asarray(ndimage.binary_dilation(ink, disk(max(1, round(0.02 * extent)))))


def _without_specks(ink: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    labels, count = ndimage.label(ink, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    if count <= 1:
        return ink
    return np.asarray(np.isin(labels, 1 + np.flatnonzero(sizes >= _SPECK * sizes.max())))


def _thickness(ink: np.ndarray) -> float:
    """About the width of the lines, in pixels: the median over their middles, and of a filled thing its own."""
    from scipy import ndimage
    from skimage.morphology import skeletonize

    distance = ndimage.distance_transform_edt(np.pad(ink, 1))
    return float(2 * np.median(distance[skeletonize(np.pad(ink, 1))]))


def _is_filled(ink: np.ndarray, extent: int) -> bool:
    """Whether the drawing is a silhouette already, and no lines."""
    return _thickness(ink) > 0.12 * extent


def _is_scribble(ink: np.ndarray, extent: int) -> bool:
    """Whether open lines go to and fro over an area, and are not one stroke."""
    return bool(ink.sum() / max(1.0, _thickness(ink)) > 2.5 * extent)


def _around(lines: np.ndarray) -> np.ndarray:
    """Lines and what they go around, but for the inside of a second outline within the first."""
    from scipy import ndimage

    filled = ndimage.binary_fill_holes(lines)
    outer = ndimage.binary_erosion(filled)
    # Of an outline within an outline, the part between the two is the thing: a ring.
    rooms, count = ndimage.label(~lines & filled)
    labels, parts = ndimage.label(lines, np.ones((3, 3)))
    if count < 2 or parts < 2:
        return np.asarray(filled)
    touching = set(np.unique(labels[filled & ~outer])) - {0}
    holes = np.zeros_like(lines)
    for room in range(1, count + 1):
        around = ndimage.binary_dilation(rooms == room, np.ones((3, 3)), iterations=2)
        if not touching & (set(np.unique(labels[around])) - {0}):
            holes |= rooms == room
    return np.asarray(filled & ~holes)


def outline_of(inside: np.ndarray) -> Outline:
    """The lines around what is inside, in shares of the array's own sides: the longest first, at most `MAX_LINES`."""
    from skimage.measure import approximate_polygon, find_contours

    tall, wide = inside.shape
    found = sorted(find_contours(np.pad(inside.astype(np.float32), 1), 0.5), key=len, reverse=True)[:MAX_LINES]
    tolerance = _TOLERANCE
    while True:
        lines = [approximate_polygon(line, tolerance)[:-1] for line in found]
        lines = [line for line in lines if len(line) >= 3]
        if sum(map(len, lines)) <= MAX_POINTS:
            break
        tolerance *= 1.5
    if not lines:
        # Of a dot, nothing is left at that tolerance.
        lines = [approximate_polygon(line, _TOLERANCE / 6)[:-1] for line in found]
    # Padding moved all by one, and contours run through the pixels' middles.
    return tuple(
        tuple(
            (min(1.0, max(0.0, round((x - 0.5) / wide, 4))), min(1.0, max(0.0, round((y - 0.5) / tall, 4))))
            for y, x in line
        )
        for line in lines
    )
