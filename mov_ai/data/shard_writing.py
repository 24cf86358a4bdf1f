"""Writing shards: samples in the order of their clips, with a journal that survives a kill at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mov_ai.data.shard_sample import PackedSample
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import is_stale, read_json, sha256_of, write_json

INDEX_FILE, JOURNAL_FILE, SETTINGS_FILE = "index.json", "clips.jsonl", "settings.json"
FORMAT, VERSION = "mov_ai shards", 1
#: What ends a tar file.
_END = bytes(1024)
_SHARD_NAME = re.compile(r"\.?shard-[0-9]{6,}\.tar(\.part)?")


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:06d}.tar"


@dataclass
class ClipRecord:
    """What became of one clip: a line of the journal.

    Attributes:
        clip: its key.
        content: digest of all that its samples depend on beside the settings.
        samples: key, bucket, shard, offset and bytes of each.
        dropped: reason and detail, for the clip or each part of it that gives no sample.
        end: shard and offset where the next sample goes.
    """

    clip: str
    content: str
    samples: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    end: tuple[int, int] = (0, 0)

    def to_line(self) -> bytes:
        """As a line of JSON."""
        entry = {"clip": self.clip, "content": self.content, "samples": self.samples}
        return (json.dumps({**entry, "dropped": self.dropped, "end": self.end}, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_line(cls, line: bytes) -> ClipRecord:
        """Of `to_line`. Raises ValueError, KeyError or TypeError for anything else."""
        entry = json.loads(line)
        dropped = [(reason, detail) for reason, detail in entry["dropped"]]
        shard, offset = entry["end"]
        return cls(entry["clip"], entry["content"], entry["samples"], dropped, (int(shard), int(offset)))


class ShardWriter:
    """A folder of shards that is being written, or goes on where an earlier run was stopped.

    After every clip its samples stand in the present shard and its line in the journal; whatever follows the last whole
    line is cut off when the work goes on, so that no clip is lost or doubled.

    Args:
        folder: made if absent.
        settings: what the samples depend on beside their clips; JSON-ready. They come back as `ShardSet.settings`.
        shard_bytes: a shard is closed by the first clip with which it is at least so large.

    Raises:
        UsageError: if the folder has shards that were made with other settings, or other files.
        MovAIError: if it cannot be written.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], shard_bytes: int = 64 << 20) -> None:
        self.folder, self.shard_bytes = Path(folder), shard_bytes
        self.settings: dict[str, Any] = json.loads(json.dumps(settings))
        # Without buffers: what a full disk refuses must not reach it later.
        self._file: io.FileIO | None = None
        self._journal: io.FileIO | None = None
        #: Bytes of the present shard that belong to whole clips.
        self._kept_bytes = 0
        #: Where each record's line ends in the journal.
        self._line_ends: list[int] = []
        self._check_folder()
        self.records = self._read_journal()

    def _check_folder(self) -> None:
        path = self.folder / SETTINGS_FILE
        if path.is_file():
            earlier = read_json(path)
            names = sorted(set(earlier) | set(self.settings))
            other = [name for name in names if earlier.get(name) != self.settings.get(name)]
            if other:
                changes = ", ".join(
                    f"{name} {json.dumps(earlier.get(name))} -> {json.dumps(self.settings.get(name))}" for name in other
                )
                raise UsageError(f"{self.folder}: has shards made with other settings ({changes}); choose a new folder")
        elif self.folder.is_dir() and any(
            path.name != ".lock" and not is_stale(path) for path in self.folder.iterdir()
        ):
            raise UsageError(f"{self.folder}: holds files but no shards; choose a new or an empty folder")
        else:
            write_json(path, self.settings)

    def _read_journal(self) -> list[ClipRecord]:
        """Records whose samples are on the disk."""
        records: list[ClipRecord] = []
        path = self.folder / JOURNAL_FILE
        if path.is_file():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                try:
                    records.append(ClipRecord.from_line(line))
                except (ValueError, KeyError, TypeError):
                    break
                self._line_ends.append(len(line) + (self._line_ends[-1] if self._line_ends else 0))
        while records and not self._is_stored(records[-1].end):
            records.pop()
        return records

    def _is_stored(self, end: tuple[int, int]) -> bool:
        shard, offset = end
        stored = all((self.folder / shard_name(number)).is_file() for number in range(shard))
        # A machine that lost its power may have kept the journal and lost samples.
        return stored and (offset == 0 or any(p.is_file() and p.stat().st_size >= offset for p in self._places(shard)))

    def _places(self, shard: int) -> tuple[Path, Path]:
        """Where a shard is while it is written, and once it is whole."""
        return self.folder / f".{shard_name(shard)}.part", self.folder / shard_name(shard)

    @property
    def finished(self) -> bool:
        """Whether the folder is whole, as `finish` left it."""
        return (self.folder / INDEX_FILE).is_file()

    def keep(self, clips: int) -> None:
        """Forget what was written for all but the first `clips` clips, and get ready to go on after them.

        Raises:
            MovAIError: if the folder cannot be written.
        """
        try:
            # A folder without an index is not taken for a whole one.
            (self.folder / INDEX_FILE).unlink(missing_ok=True)
            self.records = self.records[:clips]
            shard, offset = self._end
            part, whole = self._places(shard)
            if whole.is_file() and not part.is_file():
                os.replace(whole, part)
            for path in self.folder.iterdir():
                if _SHARD_NAME.fullmatch(path.name) and path != part and path.name.lstrip(".") >= part.name[1:-5]:
                    path.unlink()
            self._line_ends = self._line_ends[: len(self.records)]
            self._file = _open_at(part, offset)
            self._journal = _open_at(self.folder / JOURNAL_FILE, self._line_ends[-1] if self._line_ends else 0)
            self._kept_bytes = offset
        except OSError as error:
            raise self._unwritable(error) from None

    @property
    def _end(self) -> tuple[int, int]:
        return self.records[-1].end if self.records else (0, 0)

    def add(
        self, clip: str, content: str, samples: Sequence[PackedSample], dropped: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Write a clip's samples and its line; see `ClipRecord`.

        Raises:
            MovAIError: if the disk is full; the folder is then as before, and the work can go on later.
        """
        if self._file is None:
            self.keep(len(self.records))
        assert self._file is not None
        assert self._journal is not None
        shard, offset = self._end
        try:
            if offset >= self.shard_bytes:
                self._close_shard(shard)
                shard, offset = shard + 1, 0
                self._file, self._kept_bytes = _open_at(self._places(shard)[0], 0), 0
            record = ClipRecord(clip, content, [], list(dropped))
            for sample in samples:
                _write(self._file, sample.members)
                place = {"shard": shard, "offset": offset, "bytes": len(sample.members)}
                record.samples.append({"key": sample.key, "bucket": sample.bucket, **place})
                offset += len(sample.members)
            record.end = (shard, offset)
            line = record.to_line()
            _write(self._journal, line)
        except OSError as error:
            self._abandon()
            raise self._unwritable(error) from None
        self._kept_bytes = offset
        self.records.append(record)
        self._line_ends.append(len(line) + (self._line_ends[-1] if self._line_ends else 0))

    def _close_shard(self, shard: int) -> None:
        assert self._file is not None
        part, whole = self._places(shard)
        _write(self._file, _END)
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(part, whole)

    def _abandon(self) -> None:
        """Give back the space of what could not be written whole."""
        lengths = (self._kept_bytes, self._line_ends[-1] if self._line_ends else 0)
        for file, length in zip((self._file, self._journal), lengths, strict=True):
            with contextlib.suppress(OSError, ValueError):
                if file is not None:
                    file.truncate(length)
        self.close()

    def close(self) -> None:
        """Let go of the files; what was written so far can be gone on with."""
        for file in (self._file, self._journal):
            if file is not None:
                file.close()
        self._file = self._journal = None

    def discard(self) -> None:
        """Remove all that was written."""
        self.close()
        for path in list(self.folder.iterdir()):
            if path.name in (INDEX_FILE, JOURNAL_FILE, SETTINGS_FILE) or _SHARD_NAME.fullmatch(path.name):
                path.unlink()

    def finish(self) -> None:
        """Close the last shard and write the index, which makes the folder one that `ShardSet` reads.

        Raises:
            MovAIError: as `add`, and if no clip gave a sample.
        """
        if self._file is None:
            self.keep(len(self.records))
        shard, offset = self._end
        buckets = Counter(entry["bucket"] for record in self.records for entry in record.samples)
        if not buckets:
            self.close()
            raise MovAIError(f"{self.folder}: no sample was written; see {JOURNAL_FILE} there for the reasons")
        try:
            if offset:
                self._close_shard(shard)
            else:
                self._places(shard)[0].unlink(missing_ok=True)
        except OSError as error:
            self._abandon()
            raise self._unwritable(error) from None
        self.close()
        shards: list[dict[str, Any]] = []
        for number in range(shard + bool(offset)):
            path = self._places(number)[1]
            shards.append({"file": path.name, "bytes": 0, "sha256": sha256_of([path]), "samples": []})
        for record in self.records:
            for sample in record.samples:
                entry = shards[sample["shard"]]
                entry["samples"].append([sample["key"], sample["bucket"], sample["offset"], sample["bytes"]])
                entry["bytes"] = sample["offset"] + sample["bytes"] + len(_END)
        digests = json.dumps([self.settings, [entry["sha256"] for entry in shards]], sort_keys=True)
        index = {
            "format": FORMAT,
            "version": VERSION,
            "digest": hashlib.sha256(digests.encode()).hexdigest(),
            "settings": self.settings,
            "clips": len(self.records),
            "samples": sum(buckets.values()),
            "dropped": dict(Counter(reason for record in self.records for reason, _ in record.dropped)),
            "buckets": dict(sorted(buckets.items())),
            "shards": shards,
        }
        write_json(self.folder / INDEX_FILE, index)

    def _unwritable(self, error: OSError) -> MovAIError:
        reason = error.strerror or str(error)
        return MovAIError(
            f"{self.folder}: cannot be written ({reason}); free disk space or check the folder, then run the same "
            f"command again: it goes on after clip {len(self.records)}"
        )


def _open_at(path: Path, length: int) -> io.FileIO:
    """A file open for writing, cut to a length and positioned there."""
    file = io.FileIO(path, "r+" if path.is_file() else "w+")
    file.truncate(length)
    file.seek(length)
    return file


def _write(file: io.FileIO, data: bytes) -> None:
    """All of it: a disk that fills up takes a part before it refuses."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
