"""Shards: what is written is read, nothing is lost to a kill, and the order is a function of the seed."""

from __future__ import annotations

import errno
import io
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mov_ai.data import shard_writing
from mov_ai.data.shard_sample import PackedSample, ShardSample, pack, unpack
from mov_ai.data.shard_writing import INDEX_FILE, JOURNAL_FILE, ShardWriter
from mov_ai.data.shards import ShardSet
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.graph.layout import Track
from mov_ai.graph.schema import Edge, Node

SETTINGS = {"stages": [32], "codec": "none"}


def make_graph(caption: str) -> SceneGraph:
    scene, ball = Node("scene", "scene", "scene"), Node("n1", "entity", "ball")
    return SceneGraph(caption, [scene, ball], [Edge("scene", "n1", "contains")])


def make_sample(number: int, height: int = 32, boxes: bool = False, text: bool = False) -> ShardSample:
    generator = torch.Generator().manual_seed(number)
    shape = VideoShape(4, 8.0, height, 32)
    latents = {
        size: torch.randn(4, 3, height // 8 * size // 32, size // 8, generator=generator).half() for size in (32, 64)
    }
    captions = (f"A ball, number {number}.", "Ein Ball – größer.")
    return ShardSample(
        f"{number:05d}-ball",
        captions,
        tuple(make_graph(caption) for caption in captions),
        shape,
        latents,
        {64: latents[64] / 2},
        Layout(4, [Track("n1", np.full((4, 6), 0.5, np.float32))], shape) if boxes else None,
        tuple(torch.randn(3, 5, generator=generator).half() for _ in captions) if text else (),
        {"clip": f"ball {number}.mp4", "start": 0.0, "end": 0.5},
    )


def write_shards(folder: Path, samples: int = 10, shard_bytes: int = 20_000) -> list[ShardSample]:
    made = [make_sample(n, 32 if n % 3 else 64, boxes=n % 2 == 0, text=n % 5 == 0) for n in range(samples)]
    writer = ShardWriter(folder, SETTINGS, shard_bytes)
    for sample in made:
        writer.add(f"{sample.key}.mp4", "digest", [pack(sample)])
    writer.finish()
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_equal(read: ShardSample, written: ShardSample) -> None:
    assert (read.key, read.captions, read.shape) == (written.key, written.captions, written.shape)
    assert read.source == written.source
    assert [graph.to_dict() for graph in read.graphs] == [graph.to_dict() for graph in written.graphs]
    assert read.graph.caption == written.captions[0]
    assert (read.layout and read.layout.to_dict()) == (written.layout and written.layout.to_dict())
    for tensors, expected in ((read.latents, written.latents), (read.low, written.low)):
        assert tensors.keys() == expected.keys()
        assert all(tensors[size].dtype == torch.float16 for size in tensors)
        assert all(torch.equal(tensors[size], expected[size]) for size in tensors)
    assert len(read.text) == len(written.text)
    assert all(torch.equal(a, b) for a, b in zip(read.text, written.text, strict=True))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = write_shards(tmp_path)
    shards = ShardSet(tmp_path)
    assert (len(shards), shards.settings) == (10, SETTINGS)
    assert shards.buckets == {"4x32x32": 6, "4x64x32": 4}
    for i, sample in enumerate(written):
        assert_equal(shards[i], sample)
    assert shards.bucket(0) == "4x64x32"
    assert len(list(tmp_path.glob("shard-*.tar"))) > 2


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    write_shards(tmp_path / "one")
    write_shards(tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_webdataset_library_reads_the_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    written = write_shards(tmp_path)
    urls = [str(path) for path in sorted(tmp_path.glob("shard-*.tar"))]
    entries = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [entry["__key__"] for entry in entries] == [sample.key for sample in written]
    assert {"json", "graph.json", "graph.1.json", "layout.json", "latents.safetensors"} <= entries[0].keys()
    assert "layout.json" not in entries[1]


def test_the_order_is_every_sample_once_and_a_function_of_seed_and_epoch(tmp_path: Path) -> None:
    write_shards(tmp_path)
    shards, again = ShardSet(tmp_path), ShardSet(tmp_path)
    order = shards.order(3, 7)
    assert sorted(order) == list(range(10))
    assert (order == again.order(3, 7)).all()
    assert any((order != shards.order(epoch, seed)).any() for epoch, seed in ((4, 7), (3, 8)))


def test_batches_are_of_one_bucket_and_hold_every_sample_once(tmp_path: Path) -> None:
    write_shards(tmp_path)
    shards = ShardSet(tmp_path)
    batches = [shards.batch_at(step, 5, 4) for step in range(3)]
    assert sorted(len(batch) for batch in batches) == [2, 4, 4]
    assert sorted(np.concatenate(batches)) == list(range(10))
    assert all(len({shards.bucket(i) for i in batch}) == 1 for batch in batches)
    # The second epoch has another order; steps may be asked for in any.
    later = ShardSet(tmp_path).batch_at(4, 5, 4)
    assert (shards.batch_at(4, 5, 4) == later).all()


def test_a_set_goes_to_another_process(tmp_path: Path) -> None:
    written = write_shards(tmp_path)
    shards = ShardSet(tmp_path)
    assert_equal(shards[4], written[4])
    assert_equal(pickle.loads(pickle.dumps(shards))[5], written[5])
    shards.close()
    assert_equal(shards[4], written[4])


class Killed(BaseException):
    """Ends a run as a kill does: nothing is tidied up."""


CLIPS = [
    [PackedSample(f"{n:05d}", "b", bytes([n + 1]) * 700) for n in (start, start + 1)] if start % 3 else []
    for start in range(0, 20, 2)
]


def write_clips(folder: Path) -> None:
    """Start, or go on."""
    writer = ShardWriter(folder, SETTINGS, 2000)
    writer.keep(len(writer.records))
    for n in range(len(writer.records), len(CLIPS)):
        writer.add(f"clip {n}", "digest", CLIPS[n], [] if CLIPS[n] else [("short", "1 s")])
    writer.finish()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("shards") / "whole"
    write_clips(folder)
    return files_of(folder)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 32), st.integers(0, 2))
def test_a_run_killed_at_any_write_goes_on_to_the_same_bytes(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, writes: int, halves: int
) -> None:
    """The run ends at the n-th write: before it, after half of it, or after all of it."""
    folder = tmp_path_factory.mktemp("shards") / "killed"
    left = writes
    write = shard_writing._write

    def killing(file: io.FileIO, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            write(file, data[: len(data) * halves // 2])
            raise Killed
        write(file, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_writing, "_write", killing)
        patch.setattr(os, "fsync", lambda _: None)
        try:
            write_clips(folder)
        except Killed:
            assert not (folder / INDEX_FILE).exists()
    write_clips(folder)
    assert files_of(folder) == whole
    shutil.rmtree(folder)


def test_what_follows_a_changed_clip_is_written_again(tmp_path: Path) -> None:
    write_shards(tmp_path / "whole")
    write_shards(tmp_path / "longer", samples=14)
    writer = ShardWriter(tmp_path / "longer", SETTINGS, 20_000)
    assert writer.finished
    assert len(writer.records) == 14
    writer.keep(4)
    for n in range(4, 10):
        sample = make_sample(n, 32 if n % 3 else 64, boxes=n % 2 == 0, text=n % 5 == 0)
        writer.add(f"{sample.key}.mp4", "digest", [pack(sample)])
    writer.finish()
    assert files_of(tmp_path / "longer") == files_of(tmp_path / "whole")


def test_samples_lost_with_the_power_are_written_again(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SETTINGS)
    for n in range(4):
        writer.add(f"{n}", "digest", [pack(make_sample(n))])
    writer.close()
    (part,) = tmp_path.glob(".shard-*.part")
    part.write_bytes(part.read_bytes()[:-600])
    assert len(ShardWriter(tmp_path, SETTINGS).records) == 3


@pytest.mark.parametrize("full_from", [2, 3, 6, 7])
def test_a_full_disk_is_one_line_and_the_work_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_from: int
) -> None:
    write_shards(tmp_path / "whole", shard_bytes=6000)
    write, count = shard_writing._write, 0

    def filling(file: io.FileIO, data: bytes) -> None:
        nonlocal count
        count += 1
        if count > full_from:
            write(file, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    monkeypatch.setattr(shard_writing, "_write", filling)
    with pytest.raises(MovAIError, match=r"No space left on device.*run the same command again") as raised:
        write_shards(tmp_path / "full", shard_bytes=6000)
    assert "\n" not in str(raised.value)
    monkeypatch.setattr(shard_writing, "_write", write)
    writer = ShardWriter(tmp_path / "full", SETTINGS, 6000)
    assert sum(path.stat().st_size for path in (tmp_path / "full").glob("*shard*")) == sum(
        sample["bytes"] for record in writer.records for sample in record.samples
    ) + 1024 * len(list((tmp_path / "full").glob("shard*")))
    for n in range(len(writer.records), 10):
        sample = make_sample(n, 32 if n % 3 else 64, boxes=n % 2 == 0, text=n % 5 == 0)
        writer.add(f"{sample.key}.mp4", "digest", [pack(sample)])
    writer.finish()
    assert files_of(tmp_path / "full") == files_of(tmp_path / "whole")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    write_shards(tmp_path)
    with pytest.raises(UsageError, match=r"stages \[32\] -> \[64\].*new folder"):
        ShardWriter(tmp_path, {**SETTINGS, "stages": [64]})


def test_a_folder_whose_first_file_was_being_written_when_it_was_killed_is_begun_anew(tmp_path: Path) -> None:
    lines = (
        "import os, signal, sys; from mov_ai.data.shard_writing import ShardWriter",
        "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)",
        "ShardWriter(sys.argv[1], {})",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines), str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    write_shards(tmp_path)
    assert not list(tmp_path.glob(".mov-ai-*"))


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("words", encoding="utf-8")
    with pytest.raises(UsageError, match="holds files but no shards"):
        ShardWriter(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_no_sample_at_all_is_an_error(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "shards", SETTINGS)
    writer.add("a.mp4", "digest", [], [("short", "1 s")])
    with pytest.raises(MovAIError, match="no sample was written"):
        writer.finish()
    assert not (tmp_path / "shards" / INDEX_FILE).exists()


def cut(folder: Path) -> None:
    path = sorted(folder.glob("shard-*.tar"))[1]
    path.write_bytes(path.read_bytes()[:-2000])


def lose(folder: Path) -> None:
    sorted(folder.glob("shard-*.tar"))[1].unlink()


@pytest.mark.parametrize(("damage", "fault"), [(cut, "cut short: expected .* found"), (lose, "cannot be read")])
def test_a_shard_cut_short_or_missing_is_noticed_before_training(
    tmp_path: Path, damage: Callable[[Path], None], fault: str
) -> None:
    write_shards(tmp_path)
    damage(tmp_path)
    with pytest.raises(MovAIError, match=f"shard-000001.tar: .*{fault}"):
        ShardSet(tmp_path)


def test_a_damaged_sample_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    path = tmp_path / "shard-000000.tar"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"captions"', b'"captoins"'))
    shards = ShardSet(tmp_path)
    with pytest.raises(MovAIError, match=r"shard-000000\.tar: 00000-ball: the sample is damaged"):
        shards.verify()


@pytest.mark.parametrize("state", ["absent", "empty", "unfinished", "foreign"])
def test_what_is_no_set_of_shards_is_told_what_to_do(tmp_path: Path, state: str) -> None:
    folder = tmp_path / "shards"
    if state != "absent":
        folder.mkdir()
    if state == "unfinished":
        (folder / JOURNAL_FILE).write_text("", encoding="utf-8")
    if state == "foreign":
        (folder / INDEX_FILE).write_text("{}", encoding="utf-8")
    faults = {"absent": "no such folder", "empty": f"holds no {INDEX_FILE}", "unfinished": "not finished"}
    with pytest.raises(UsageError, match=faults.get(state, "expected an index")):
        ShardSet(folder)


@pytest.mark.parametrize("key", ["a.b", "a/b", "", "größer", "a" * 80])
def test_keys_that_readers_would_split_are_refused(key: str) -> None:
    sample = make_sample(0)
    with pytest.raises(ValueError, match="expected an ASCII key"):
        pack(ShardSample(key, sample.captions, sample.graphs, sample.shape, sample.latents))


def test_members_come_back_without_a_file() -> None:
    sample = make_sample(3, boxes=True, text=True)
    assert_equal(unpack(pack(sample).members, "here"), sample)


class TestRemote:
    """Object storage stands in memory."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        fsspec = pytest.importorskip("fsspec")
        write_shards(tmp_path / "local")
        system = fsspec.filesystem("memory")
        system.put(str(tmp_path / "local") + "/", "/bucket/shards/", recursive=True)
        return "memory://bucket/shards"

    def test_shards_are_fetched_whole_into_a_bounded_cache(self, url: str, tmp_path: Path) -> None:
        local = ShardSet(tmp_path / "local")
        sizes = [path.stat().st_size for path in (tmp_path / "local").glob("shard-*.tar")]
        bound = 2 * max(sizes)
        remote = ShardSet(url, tmp_path / "cache", bound)
        assert remote.digest == local.digest
        for i in remote.order(0, 0):
            assert_equal(remote[i], local[i])
            copies = list((tmp_path / "cache").rglob("shard-*.tar"))
            assert 1 <= len(copies) <= len(sizes)
            assert sum(path.stat().st_size for path in copies) <= bound

    def test_a_copy_is_used_again(self, url: str, tmp_path: Path) -> None:
        import fsspec

        first = ShardSet(url, tmp_path / "cache")
        first.verify()
        for path in fsspec.filesystem("memory").glob("/bucket/shards/shard-*.tar"):
            fsspec.filesystem("memory").rm(path)
        ShardSet(url, tmp_path / "cache").verify()

    @pytest.mark.parametrize(("edit", "fault"), [("cut", "cut short"), ("flip", "not the shard"), ("rm", "fetched")])
    def test_a_remote_shard_that_is_damaged_is_noticed(self, url: str, tmp_path: Path, edit: str, fault: str) -> None:
        import fsspec

        system = fsspec.filesystem("memory")
        path = "/bucket/shards/shard-000001.tar"
        content = system.cat_file(path)
        if edit == "rm":
            system.rm(path)
        else:
            system.pipe_file(
                path, content[:-600] if edit == "cut" else content[:-600] + bytes(600).replace(b"\0", b"x")
            )
        with pytest.raises(MovAIError, match=f"shard-000001.tar: .*{fault}"):
            ShardSet(url, tmp_path / "cache").verify()
        assert not list((tmp_path / "cache").rglob("*shard-000001*"))

    def test_an_address_without_shards(self, tmp_path: Path) -> None:
        pytest.importorskip("fsspec")
        with pytest.raises(UsageError, match=r"memory://nowhere/index\.json: cannot be read"):
            ShardSet("memory://nowhere", tmp_path)
        with pytest.raises(UsageError, match="nosuch://place: cannot be reached"):
            ShardSet("nosuch://place", tmp_path)
