"""Exported clips come back as they were: frames, boxes and captions; and the verdict of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.box_tracks import layout_at
from mov_ai.data.formats import read_clips
from mov_ai.data.sampling import Sampling
from mov_ai.worlds.tabletop.world import FPS, sample_clip
from studies.exported_clips.export import as_annotated, clip_seed, export_clips, same_boxes, statements
from studies.exported_clips.study import verdict


def test_exported_clips_are_read_as_they_were_rendered(tmp_path: Path) -> None:
    export_clips(tmp_path, "validation", 4, 64)
    source = read_clips(tmp_path)
    clips = list(source)
    assert (source.format, source.problems, len(clips)) == ("lvd", [], 4)
    for clip in clips:
        gold = sample_clip(clip_seed(clip.key.replace(".", "_")), "validation", 64)
        assert clip.captions == (gold.caption.text,)
        with clip.open() as reader:
            (window,) = Sampling((16,), FPS).choose(reader.info.fps, 0.0, reader.info.duration, clip.key)
            frames = reader.frames_at(window.times)
        error = np.square(frames.astype(float) - gold.video.numpy()).mean()
        # H.264 keeps colour for two by two pixels, which shows at this size.
        assert 10 * np.log10(255**2 / error) > 30
        layout = layout_at(clip.tracks, gold.caption.graph, window.times)
        expected = as_annotated(gold.layout)
        for track in expected.tracks:
            read = layout.track(track.entity, track.instance)
            assert read is not None
            seen = track.boxes[:, 5] > 0
            assert (read.boxes[seen, 5] > 0).all()
            assert not read.boxes[~seen, 5].any()
            np.testing.assert_allclose(read.boxes[seen, :4], track.boxes[seen, :4], atol=1e-3)
            np.testing.assert_allclose(read.boxes[seen, 4], track.boxes[seen, 4], atol=1e-2)


def test_what_is_compared_is_told_apart() -> None:
    one, other = (sample_clip(seed, "validation", 16) for seed in (0, 1))
    assert same_boxes(one.layout, one.caption.graph, one.layout, one.caption.graph)
    assert not same_boxes(one.layout, one.caption.graph, other.layout, other.caption.graph)
    assert statements(one.caption.graph) != statements(other.caption.graph)


def test_the_verdict_weighs_the_difference_against_the_spread_over_seeds() -> None:
    same = verdict({"rendered": [0.5, 0.6, 0.7], "exported": [0.51, 0.62, 0.7]})
    assert same == {
        "difference": 0.01,
        "spread": pytest.approx(0.0976, abs=1e-3),
        "paired_error": pytest.approx(0.00577, abs=1e-4),
        "same": True,
    }
    assert not verdict({"rendered": [0.5, 0.51, 0.49], "exported": [0.6, 0.61, 0.6]})["same"]
