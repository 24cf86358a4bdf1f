"""Scene changes are found where they are, by the frames' own times."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mov_ai.data.clip_windows import ClipSettings
from mov_ai.data.scene_cuts import scene_cuts
from mov_ai.errors import UsageError


def scenes(*lengths: int) -> list[np.ndarray]:
    """Frames of scenes: each a picture that moves a little."""
    frames = []
    for number, length in enumerate(lengths):
        picture = np.random.default_rng(number).integers(0, 60, (40, 60, 3))
        picture += np.array([160 * (number % 2), 90, 20])
        frames += [np.roll(picture, i // 4, axis=1).astype(np.uint8) for i in range(length)]
    return frames


def test_cuts_are_where_the_scenes_change() -> None:
    pytest.importorskip("scenedetect")
    # Frames of uneven length: what counts is when they are shown.
    times = np.cumsum([0.05, 0.03] * 30)
    timed = list(zip(times, scenes(20, 5, 35), strict=True))
    assert scene_cuts(iter(timed), 25.0) == [times[20], times[25]]
    assert scene_cuts(iter(timed[:20]), 25.0) == []
    assert scene_cuts(iter(()), 25.0) == []


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect", None)
    with pytest.raises(UsageError, match=r"scenes: PySceneDetect is not installed; run: pip install"):
        ClipSettings(scenes=True)
    assert not ClipSettings().scenes
