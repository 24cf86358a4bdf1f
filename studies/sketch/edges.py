"""Edges of a frame beside the outline of a drawing, in the box of the thing that is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mov_ai.graph import Track
from mov_ai.graph.sketch import drawn_picture

#: Pixels of the side that frames are brought to, by which an edge may be off, and around the box that are looked at.
SIDE, TOLERANCE, MARGIN = 128, 2.0, 3
#: Of Canny's detector, on each channel of CIELAB: deviation of the Gaussian in pixels, and both thresholds.
SIGMA, LOW, HIGH = 1.0, 10.0, 20.0


@dataclass(frozen=True)
class EdgeScore:
    """How well edges are those of an outline.

    Attributes:
        precision: share of the edges in the box that are within `TOLERANCE` of the outline.
        recall: share of the outline that is within `TOLERANCE` of an edge.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 if both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def frame_edges(frame: np.ndarray) -> np.ndarray:
    """Edges of a frame, uint8 (h, w, 3), brought to `SIDE` pixels: bool (SIDE, SIDE)."""
    import PIL.Image
    from skimage.color import rgb2lab
    from skimage.feature import canny

    small = PIL.Image.fromarray(frame).resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    lab = rgb2lab(np.asarray(small))
    return np.any([canny(lab[..., c], SIGMA, LOW, HIGH) for c in range(3)], axis=0)


def edge_score(frame: np.ndarray, track: Track, number: int) -> EdgeScore:
    """The edges of a frame beside the outline of a track in that frame's box.

    Args:
        frame: uint8 (h, w, 3), square.
        track: with an outline. number: of the frame.
    """
    from scipy import ndimage

    boxes = track.boxes[number : number + 1]
    inside = drawn_picture(Track(track.entity, boxes, outline=track.outline), SIDE, SIDE) < 128
    outline = inside & ~ndimage.binary_erosion(inside)
    x, y, w, h = (float(value) * SIDE for value in boxes[0, :4])
    window = np.zeros((SIDE, SIDE), bool)
    rows, columns = (
        slice(max(0, int(middle - side / 2 - MARGIN)), int(np.ceil(middle + side / 2 + MARGIN)))
        for middle, side in ((y, h), (x, w))
    )
    window[rows, columns] = True
    edges = frame_edges(frame) & window
    if not edges.any() or not outline.any():
        return EdgeScore(0.0, 0.0)
    to_outline, to_edges = (ndimage.distance_transform_edt(~places) for places in (outline, edges))
    return EdgeScore(float((to_outline[edges] <= TOLERANCE).mean()), float((to_edges[outline] <= TOLERANCE).mean()))
