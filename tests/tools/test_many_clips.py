"""The check of preparing thousands of clips notices what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from mov_ai.data.buckets import Buckets
from mov_ai.data.clip_windows import ClipSettings
from mov_ai.data.formats import read_clips
from mov_ai.data.prepare import prepare
from mov_ai.data.sampling import Sampling
from mov_ai.errors import MovAIError
from tests.data.test_prepare import ABOUT, Brightness
from tools import many_clips


def test_lost_clips_and_wrong_reasons_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_clips, "BROKEN", 5)
    monkeypatch.setattr(many_clips, "SHORT", 4)
    many_clips.make_videos(tmp_path / "videos", 12)
    sampling, buckets = Sampling((many_clips.FRAMES,)), Buckets(((many_clips.SIDE, many_clips.SIDE),))
    clips = list(read_clips(tmp_path / "videos"))

    def shards(name: str, count: int, sampling: Sampling = sampling) -> Path:
        prepare(clips[:count], tmp_path / name, ClipSettings(sampling, buckets), Brightness, ABOUT)
        return tmp_path / name

    many_clips.check_shards(shards("whole", 12), 12)
    with pytest.raises(MovAIError, match="every whole clip once"):
        many_clips.check_shards(shards("lost", 10), 12)
    with pytest.raises(MovAIError, match="a line for each of 12 clips"):
        many_clips.check_shards(shards("forgotten", 11), 12)
    with pytest.raises(MovAIError, match="every whole clip once"):
        many_clips.check_shards(shards("short", 12, Sampling((1,))), 12)
