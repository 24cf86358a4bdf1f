"""Reading shards, from a folder or from object storage, in an order that a seed decides."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.data.shard_cache import RemoteShards, is_remote
from mov_ai.data.shard_sample import ShardSample, unpack
from mov_ai.data.shard_writing import FORMAT, INDEX_FILE, JOURNAL_FILE, VERSION
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import parse_json, read_json

#: Shards whose samples are mixed with one another: more would be in use at a time than a bounded cache should hold.
GROUP = 8
_OPEN_FILES = 2 * GROUP


class ShardSet:
    """Samples that `mov-ai data prepare` wrote.

    What is read at a step depends on the seed and the step alone, so that a training needs no state to go on exactly.

    Args:
        path: a local folder, or any address that fsspec knows (s3://bucket/shards).
        cache: folder for copies of remote shards.
        cache_bytes: how much they take at most; at least one shard is kept.

    Attributes:
        settings: what the shards were made with.
        buckets: samples by frames, height and width, as "16x256x256".
        keys: of all samples.

    Raises:
        UsageError: if there are no shards, or they are not finished.
        MovAIError: if a shard is missing or cut short.
    """

    def __init__(self, path: str | Path, cache: str | Path | None = None, cache_bytes: int = 20 << 30) -> None:
        self.path = str(path)
        self._remote = RemoteShards(self.path, cache, cache_bytes) if is_remote(self.path) else None
        if self._remote is None:
            self._check_folder(Path(path))
            index = read_json(Path(path) / INDEX_FILE)
        else:
            index = parse_json(self._remote.read_text(INDEX_FILE), f"{self.path}/{INDEX_FILE}")
        if not isinstance(index, dict) or index.get("format") != FORMAT or index.get("version") != VERSION:
            raise UsageError(f"{self.path}/{INDEX_FILE}: expected an index of {FORMAT}, version {VERSION}")
        self.settings: dict[str, Any] = index["settings"]
        self.digest: str = index["digest"]
        self._shards = [(entry["file"], entry["bytes"], entry["sha256"]) for entry in index["shards"]]
        places, self.keys, self._bucket = [], [], []
        for number, entry in enumerate(index["shards"]):
            for key, bucket, offset, length in entry["samples"]:
                self.keys.append(key)
                self._bucket.append(bucket)
                places.append((number, offset, length))
        self.buckets: dict[str, int] = dict(sorted(Counter(self._bucket).items()))
        #: (samples, 3): shard, offset and length.
        self._places = np.array(places, dtype=np.int64).reshape(-1, 3)
        self._batches: tuple[tuple[int, int, int], list[np.ndarray]] | None = None
        self._open: OrderedDict[int, int] = OrderedDict()
        if self._remote is None:
            for number in range(len(self._shards)):
                self._check_size(number, Path(path) / self._shards[number][0])

    @staticmethod
    def _check_folder(folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; make shards with `mov-ai data prepare VIDEOS --out {folder}`")
        if not (folder / INDEX_FILE).is_file():
            if (folder / JOURNAL_FILE).is_file():
                raise UsageError(f"{folder}: the shards are not finished; run the same `mov-ai data prepare` again")
            raise UsageError(f"{folder}: holds no {INDEX_FILE}; make shards with `mov-ai data prepare VIDEOS --out`")

    def _check_size(self, number: int, path: Path) -> None:
        size = self._shards[number][1]
        try:
            present = path.stat().st_size
        except OSError as error:
            raise MovAIError(
                f"{path}: cannot be read ({error.strerror}); {INDEX_FILE} there names it: copy or prepare it again"
            ) from None
        if present != size:
            cut = "cut short" if present < size else "not the one that was written"
            raise MovAIError(f"{path}: is {cut}: expected {size} bytes, found {present}; copy or prepare it again")

    def __len__(self) -> int:
        return len(self._places)

    def bucket(self, i: int) -> str:
        """The bucket of a sample."""
        return str(self._bucket[i])

    def order(self, epoch: int, seed: int) -> np.ndarray:
        """Numbers of all samples, (samples,) int64, each once: shards are shuffled, and samples among `GROUP` of them.

        A pure function of its arguments.
        """
        rng = np.random.default_rng([seed, epoch])
        shards = rng.permutation(len(self._shards))
        # Samples of a shard lie one after the other.
        starts = np.searchsorted(self._places[:, 0], np.arange(len(self._shards) + 1))
        groups = []
        for first in range(0, len(shards), GROUP):
            members = [np.arange(starts[shard], starts[shard + 1]) for shard in shards[first : first + GROUP]]
            groups.append(rng.permutation(np.concatenate(members)))
        return np.concatenate(groups).astype(np.int64) if groups else np.empty(0, np.int64)

    def batches(self, epoch: int, seed: int, size: int) -> list[np.ndarray]:
        """The epoch's samples in batches of one bucket each; the last of a bucket may be smaller than `size`."""
        waiting: dict[str, list[int]] = {name: [] for name in self.buckets}
        batches = []
        for i in self.order(epoch, seed):
            batch = waiting[self._bucket[i]]
            batch.append(int(i))
            if len(batch) == size:
                batches.append(np.array(batch))
                batch.clear()
        return batches + [np.array(batch) for batch in waiting.values() if batch]

    def batch_at(self, step: int, seed: int, size: int) -> np.ndarray:
        """Numbers of the samples of a step, counted from 0 over all epochs; a pure function of its arguments."""
        count = sum(-(-samples // size) for samples in self.buckets.values())
        epoch, place = divmod(step, count)
        if self._batches is None or self._batches[0] != (epoch, seed, size):
            self._batches = ((epoch, seed, size), self.batches(epoch, seed, size))
        return self._batches[1][place]

    def __getitem__(self, i: int) -> ShardSample:
        """Read a sample.

        Raises:
            MovAIError: if its shard is missing, cut short or damaged.
        """
        number, offset, length = (int(value) for value in self._places[i])
        where = f"{self.path}/{self._shards[number][0]}: {self.keys[i]}"
        members = os.pread(self._handle(number), length, offset)
        if len(members) != length:
            raise MovAIError(f"{where}: the shard is cut short; copy or prepare it again")
        return unpack(members, where)

    def _handle(self, number: int) -> int:
        """An open file of a shard; reading at a place shares no position, so that processes and threads may share."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        name, size, digest = self._shards[number]
        try:
            if self._remote is None:
                handle = os.open(Path(self.path) / name, os.O_RDONLY)
            else:
                handle = self._remote.open(name, size, digest)
        except OSError as error:
            raise MovAIError(
                f"{self.path}/{name}: cannot be read ({error.strerror}); copy or prepare it again"
            ) from None
        self._open[number] = handle
        if len(self._open) > _OPEN_FILES:
            os.close(self._open.popitem(last=False)[1])
        return handle

    def verify(self) -> None:
        """Read every sample once. Raises MovAIError for the first that is damaged."""
        for i in range(len(self)):
            self[i]

    def close(self) -> None:
        """Close the shards that are open; they open again when they are read."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __getstate__(self) -> dict[str, Any]:
        # Open files belong to one process.
        return {**self.__dict__, "_open": OrderedDict()}
