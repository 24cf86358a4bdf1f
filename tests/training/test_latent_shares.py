"""A cache of latents that several processes build: each chunk once, whoever has been faster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mov_ai.training import latents
from mov_ai.training.latents import CHUNK, LatentCache


def test_every_chunk_is_made_once_whoever_has_been_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(cache: LatentCache, chunk: int) -> None:
        made.append(chunk)
        cache.path(chunk).touch()

    monkeypatch.setattr(latents, "_make_chunk", make)
    monkeypatch.setattr(latents, "ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    cache = LatentCache(tmp_path, "codec", 8, "train", 7 * CHUNK - 1, 0.0)
    told: list[tuple[int, int]] = []
    for process in (2, 0, 1):
        cache.make(lambda done, total, what: told.append((done, total)), 1, process, 3)
    assert sorted(made) == list(range(7))
    assert told[:3] == [(0, 2 * CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, 2 * CHUNK)]
    cache.make(lambda *_: None, 1)
    assert len(made) == 7
