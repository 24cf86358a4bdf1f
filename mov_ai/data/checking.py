"""What a data set holds, and what of it would be trained on: everything is read once."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mov_ai.data.clip_windows import ClipSettings, choose_windows, open_clip
from mov_ai.data.sampling import Dropped

if TYPE_CHECKING:
    from mov_ai.data.clips import Clip
    from mov_ai.data.video import VideoInfo
    from mov_ai.graph import SceneGraph


@dataclass
class CheckedClip:
    """What one clip is.

    Attributes:
        clip: its key.
        info: of its video; None if it cannot be read.
        seconds: that the clip lasts.
        words: of each caption.
        entities, events, boxed: of the annotated graph, None without one; tracks of boxes.
        buckets: of each sample that it would give.
        dropped: reason and detail of what would not be used.
        broken: what is damaged, None if nothing.
        notices: what is amiss though it can be used.
    """

    clip: str
    info: VideoInfo | None = None
    seconds: float = 0.0
    words: tuple[int, ...] = ()
    annotated: tuple[int, int] | None = None
    boxed: int = 0
    buckets: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    broken: str | None = None
    notices: list[str] = field(default_factory=list)


def check_clip(clip: Clip, settings: ClipSettings, whole: bool = True) -> CheckedClip:
    """Look at one clip.

    Args:
        settings: of the training that it would be for.
        whole: decode every frame of it; else only what opening it takes.
    """
    result = CheckedClip(clip.key, words=tuple(len(caption.split()) for caption in clip.captions))
    result.boxed = len(clip.tracks)
    if clip.graph is not None:
        result.annotated = _size(clip.graph)
    try:
        with open_clip(clip) as reader:
            result.info = reader.info
            end = reader.info.duration if clip.end is None else min(clip.end, reader.info.duration)
            result.seconds = max(0.0, end - (clip.start or 0.0))
            size, windows, dropped = choose_windows(clip, reader, settings)
            result.buckets = [f"{len(window.times)}x{size[0]}x{size[1]}" for window in windows]
            result.dropped = [(part.reason, part.detail) for part in dropped]
            if whole:
                for _ in reader.frames(clip.start or 0.0, clip.end):
                    pass
            result.broken = reader.damage
            result.notices = [notice for notice in reader.notices if not (reader.damage and reader.damage in notice)]
    except Dropped as error:
        if error.reason == "cannot be read":
            result.broken = error.detail
        result.dropped = [(error.reason, error.detail)]
    return result


@dataclass
class Findings:
    """What a data set holds, from its clips one by one."""

    clips: int = 0
    lengths: list[float] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    rates: Counter[str] = field(default_factory=Counter)
    varying: int = 0
    words: list[int] = field(default_factory=list)
    annotated: list[tuple[int, int]] = field(default_factory=list)
    parsed: list[tuple[int, int]] = field(default_factory=list)
    unparsed: list[tuple[str, str]] = field(default_factory=list)
    boxed: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    used: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    dropped: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def add(self, clip: CheckedClip) -> None:
        """Count a clip in."""
        self.clips += 1
        self.words += clip.words
        self.boxed += bool(clip.boxed)
        self.notices += clip.notices
        if clip.annotated is not None:
            self.annotated.append(clip.annotated)
        if clip.info is not None:
            self.lengths.append(clip.seconds)
            self.sizes[f"{clip.info.height}x{clip.info.width}"] += 1
            self.rates[f"{clip.info.fps:.4g}"] += 1
            self.varying += clip.info.variable_rate
        if clip.broken is not None:
            self.broken.append((clip.clip, clip.broken))
        self.samples.update(clip.buckets)
        self.used += bool(clip.buckets)
        for reason, detail in clip.dropped:
            self.dropped.setdefault(reason, []).append((clip.clip, detail))

    def add_parsed(self, clip: str, graph: SceneGraph | str) -> None:
        """Count in what a caption is parsed to, or the reason why it is not."""
        if isinstance(graph, str):
            self.unparsed.append((clip, graph))
        else:
            self.parsed.append(_size(graph))

    def lines(self) -> list[str]:
        """The report: a name and what is to be said of it, a line each."""
        lengths = self.lengths
        rows = [("clips", f"{self.clips:,}")]
        if lengths:
            middle = statistics.median(lengths)
            spread = f"{min(lengths):.2f} to {max(lengths):.2f} s, median {middle:.2f} s"
            rows.append(("length", f"{spread}; {sum(lengths) / 60:.1f} minutes in all"))
            rows.append(("height x width", _counts(self.sizes)))
            varying = f"; variable in {self.varying:,}" if self.varying else ""
            rows.append(("frames a second", _counts(self.rates) + varying))
        words = f", {min(self.words)} to {max(self.words)} words, median {statistics.median(self.words):g}"
        rows.append(("captions", f"{len(self.words):,}{words if self.words else ''}"))
        graphs = f"{len(self.annotated):,} annotated{_means(self.annotated)}; boxes in {self.boxed:,}"
        rows.append(("graphs", graphs))
        if self.parsed or self.unparsed:
            rows.append(("parsed", f"{len(self.parsed):,} captions{_means(self.parsed)}"))
            rows += [("not parsed", line) for line in _examples(self.unparsed)]
        rows += [("broken", line) for line in _examples(self.broken)] or [("broken", "none")]
        used = f"{sum(self.samples.values()):,} samples of {self.used:,} clips"
        rows.append(("would be used", f"{used}: {_counts(self.samples)}" if self.samples else used))
        for reason, entries in sorted(self.dropped.items(), key=lambda item: -len(item[1])):
            rows += [("dropped", f"{len(entries):,} {reason}; {line}") for line in _examples(entries, 1)]
        width = max(len(name) for name, _ in rows)
        return [f"{name:<{width}}  {text}" for name, text in rows]


def _size(graph: SceneGraph) -> tuple[int, int]:
    return len(graph.of_type("entity")), len(graph.of_type("event"))


def _means(sizes: Sequence[tuple[int, int]]) -> str:
    if not sizes:
        return ""
    entities, events = (statistics.mean(column) for column in zip(*sizes, strict=True))
    return f" ({entities:.1f} entities and {events:.1f} events in the mean)"


def _counts(counter: Counter[str], most: int = 6) -> str:
    shown = ", ".join(f"{name} ({count:,})" for name, count in counter.most_common(most))
    rest = len(counter) - most
    return f"{shown} and {rest:,} others" if rest > 0 else shown


def _examples(entries: Sequence[tuple[str, str]], most: int = 5) -> list[str]:
    lines = [f"{clip}: {what}" for clip, what in entries[:most]]
    if len(entries) > most > 1:
        lines.append(f"and {len(entries) - most:,} more")
    return lines
