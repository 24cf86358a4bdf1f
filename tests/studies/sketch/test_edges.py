"""Edge scores: a frame that is the drawing, one that is another, an empty one; every drawing is read as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.sketch import read_sketch
from mov_ai.graph import Track
from mov_ai.graph.sketch import drawn_picture
from studies.sketch.drawings import DRAWINGS, drawing
from studies.sketch.edges import edge_score


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_scores_beside_itself_and_not_beside_others(name: str, tmp_path: Path) -> None:
    tracks = {}
    for one in DRAWINGS:
        drawing(one, 0.5, 0.5, 0.4).save(tmp_path / "d.png")
        sketch, _ = read_sketch(tmp_path / "d.png", None, 128, 128)
        assert sketch.box == pytest.approx((0.5, 0.5, 0.4, 0.4), abs=0.07)
        tracks[one] = Track("a", np.array([[*sketch.box, 1.0, 1.0]], np.float32), outline=sketch.outline)
    inside = drawn_picture(tracks[name], 256, 256) < 128
    frame = np.where(inside[..., None], [200, 40, 40], [190, 190, 195]).astype(np.uint8)
    own = edge_score(frame, tracks[name], 0)
    assert own.f1 > 0.95
    assert all(edge_score(frame, track, 0).f1 < own.f1 for one, track in tracks.items() if one != name)
    assert edge_score(np.full_like(frame, 128), tracks[name], 0).f1 == 0
