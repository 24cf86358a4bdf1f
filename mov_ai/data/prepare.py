"""Videos to shards: clips are encoded in several processes and written in their order."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.data.checking import CheckedClip, check_clip
from mov_ai.data.clip_encoding import PARTS, ClipEncoder, EncodedClip, encode_clips
from mov_ai.data.clip_windows import ClipSettings, clip_digest
from mov_ai.data.sampling import Dropped
from mov_ai.data.shard_sample import PackedSample, pack
from mov_ai.data.shard_writing import ShardWriter
from mov_ai.data.worker_processes import start_worker
from mov_ai.errors import MovAIError, UsageError

if TYPE_CHECKING:
    from mov_ai.data.clips import Clip

#: Clips that are handed to a process at a time, and parsed together.
TASK = 4
#: Clips whose content is compared at a time when work goes on.
_COMPARED = 64
#: Written while a process works on the folder.
LOCK_FILE = ".lock"


@dataclass
class Summary:
    """What a run of `prepare` did.

    Attributes:
        clips: in all.
        kept: clips that an earlier run had written.
        samples: by bucket, of all clips.
        dropped: how many by reason, of all clips.
        seconds: spent on each of `PARTS`, all processes together; of this run's clips.
        elapsed: seconds of this run.
    """

    clips: int
    kept: int = 0
    samples: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    elapsed: float = 0.0

    @property
    def clips_a_minute(self) -> float:
        """Of this run."""
        return 60 * (self.clips - self.kept) / self.elapsed if self.elapsed else 0.0


#: Called after each clip with it, how many are done, and how many there are.
Progress = Callable[[EncodedClip, int, int], None]


def prepare(
    clips: Sequence[Clip],
    folder: str | Path,
    settings: ClipSettings,
    encoder: Callable[[], ClipEncoder],
    about: dict[str, Any],
    workers: int = 1,
    shard_bytes: int = 64 << 20,
    progress: Progress = lambda *_: None,
) -> Summary:
    """Write shards, or go on where an earlier run was stopped; clips that are unchanged are not encoded again.

    The result is the same for any number of workers, byte for byte.

    Args:
        clips: in a fixed order.
        folder: of the shards.
        settings: which windows, which sizes.
        encoder: makes the networks; called in each process that needs them. With several workers it is pickled.
        about: what the encoder is, JSON-ready; it is part of the settings that a set of shards has.
        workers: processes; 1 for none beside this one.
        shard_bytes: see `ShardWriter`.

    Raises:
        UsageError: if there are no clips, or the folder is another's, or sizes do not suit the encoder.
        MovAIError: if no clip can be used (it names the filters), the disk is full, or a process dies.
    """
    if not clips:
        raise UsageError("no clips: nothing to prepare")
    began = time.monotonic()
    with _locked(Path(folder)):
        writer = ShardWriter(folder, {**settings.to_dict(), **about}, shard_bytes)
        summary = Summary(len(clips))
        with _Workers(workers, settings, encoder) as pool:
            summary.kept = _unchanged(clips, writer, pool)
            if not (writer.finished and summary.kept == len(clips) == len(writer.records)):
                try:
                    writer.keep(summary.kept)
                    _encode(clips[summary.kept :], writer, pool, summary, progress)
                    _check_used(writer)
                    writer.finish()
                finally:
                    writer.close()
                    if not any(record.samples for record in writer.records):
                        # Other settings may follow, and would be refused for the sake of nothing.
                        writer.discard()
        summary.samples = dict(
            sorted(Counter(entry["bucket"] for record in writer.records for entry in record.samples).items())
        )
        summary.dropped = dict(Counter(reason for record in writer.records for reason, _ in record.dropped))
    summary.elapsed = time.monotonic() - began
    return summary


def check_clips(
    clips: Sequence[Clip], settings: ClipSettings, workers: int = 1, whole: bool = True
) -> Iterator[CheckedClip]:
    """Look at every clip, in order; see `mov_ai.data.checking.check_clip`."""
    tasks = [clips[start : start + TASK] for start in range(0, len(clips), TASK)]
    with _Workers(workers, settings, None) as pool:
        for results in pool.each(partial(_check_task, whole), tasks):
            yield from results


def _encode(clips: Sequence[Clip], writer: ShardWriter, pool: _Workers, summary: Summary, progress: Progress) -> None:
    tasks = [clips[start : start + TASK] for start in range(0, len(clips), TASK)]
    for results in pool.each(_encode_task, tasks):
        for result, content, packed in results:
            writer.add(result.clip, content, packed, result.dropped)
            for part, seconds in result.seconds.items():
                summary.seconds[part] += seconds
            progress(result, len(writer.records), summary.clips)


def _unchanged(clips: Sequence[Clip], writer: ShardWriter, pool: _Workers) -> int:
    """How many clips from the first on are as the folder has them."""
    count = min(len(clips), len(writer.records))
    parts = [clips[start : min(count, start + _COMPARED)] for start in range(0, count, _COMPARED)]
    done = 0
    for digests in pool.each(_digest_task, parts):
        for digest in digests:
            record = writer.records[done]
            if (record.clip, record.content) != (clips[done].key, digest):
                return done
            done += 1
    return done


def _check_used(writer: ShardWriter) -> None:
    if not any(record.samples for record in writer.records):
        counts = Counter(reason for record in writer.records for reason, _ in record.dropped)
        reasons = "; ".join(f"{number} {reason}" for reason, number in counts.most_common(5))
        example = next(f"{record.clip}: {drop[1]}" for record in writer.records for drop in record.dropped)
        raise MovAIError(
            f"none of {len(writer.records)} clips can be used: {reasons} (the first: {example}); choose other frames, "
            "fps or size, or other clips"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time writes into a folder."""
    from filelock import FileLock, Timeout

    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, timeout=0)
        lock.acquire()
    except Timeout:
        raise UsageError(f"{folder}: another process is writing there; wait for it, or choose another folder") from None
    except OSError as error:
        raise MovAIError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    try:
        yield
    finally:
        (folder / LOCK_FILE).unlink(missing_ok=True)
        lock.release()
        if created and not any(folder.iterdir()):
            folder.rmdir()


class _Workers:
    """Does tasks in several processes, or in this one; results come in the order of the tasks."""

    def __init__(self, count: int, settings: ClipSettings, encoder: Callable[[], ClipEncoder] | None) -> None:
        self._count, self._setup = count, (settings, encoder)
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(active_children())

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._pool is None:
            return
        if kind is not None:
            # What they are working on is not wanted any more, and may take minutes.
            for process in set(active_children()) - self._others:
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def each(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """The results of some tasks; few are under way at a time, so that memory does not grow with them."""
        if self._count <= 1 or len(tasks) <= 1:
            _set_up(*self._setup)
            yield from map(work, tasks)
            return
        if self._pool is None:
            # A process that is forked while threads run may hang.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, _start_process, self._setup)
        under_way: deque[Future[Any]] = deque()
        try:
            for task in tasks:
                under_way.append(self._pool.submit(work, task))
                if len(under_way) > 2 * self._count:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            raise MovAIError(
                "a worker process was ended from outside, perhaps for lack of memory; run the same command again with "
                "fewer --workers: it goes on where it was"
            ) from None


class _Process:
    """What a process keeps between tasks."""

    settings: ClipSettings
    make: Callable[[], ClipEncoder] | None
    encoder: ClipEncoder | None = None

    def get(self) -> ClipEncoder:
        """The networks, built when they are first needed."""
        if self.encoder is None:
            assert self.make is not None
            self.encoder = self.make()
        return self.encoder


_process = _Process()


def _set_up(settings: ClipSettings, encoder: Callable[[], ClipEncoder] | None) -> None:
    _process.settings, _process.make, _process.encoder = settings, encoder, None


def _start_process(settings: ClipSettings, encoder: Callable[[], ClipEncoder] | None) -> None:
    start_worker()
    _set_up(settings, encoder)


def _encode_task(clips: Sequence[Clip]) -> list[tuple[EncodedClip, str, list[PackedSample]]]:
    """What became of each clip, the digest of its content, and its samples as they are written.

    The samples leave the process as bytes alone.
    """
    began = time.perf_counter()
    digests: dict[str, str] = {}
    results: dict[str, EncodedClip] = {}
    for clip in clips:
        try:
            digests[clip.key] = clip_digest(clip)
        except Dropped as error:
            results[clip.key] = EncodedClip(clip.key, dropped=[(error.reason, error.detail)])
    share = (time.perf_counter() - began) / len(clips)
    readable = [clip for clip in clips if clip.key in digests]
    results |= {result.clip: result for result in encode_clips(readable, _process.settings, _process.get)}
    written = []
    for clip in clips:
        result = results[clip.key]
        result.seconds["other"] += share
        with result.timed("other"):
            packed = [pack(sample) for sample in result.samples]
        result.samples.clear()
        written.append((result, digests.get(clip.key, ""), packed))
    return written


def _check_task(whole: bool, clips: Sequence[Clip]) -> list[CheckedClip]:
    return [check_clip(clip, _process.settings, whole) for clip in clips]


def _digest_task(clips: Sequence[Clip]) -> list[str]:
    digests = []
    for clip in clips:
        try:
            digests.append(clip_digest(clip))
        except Dropped:
            digests.append("")
    return digests
