"""`mov-ai data`: what a folder of videos holds, and shards made of it for training."""

from __future__ import annotations

import os
import time
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.messages import say, tell
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    from mov_ai.data.checking import Findings
    from mov_ai.data.clip_encoding import EncodedClip
    from mov_ai.data.clip_windows import ClipSettings
    from mov_ai.data.clips import Clip
    from mov_ai.data.prepare import Summary

data = typer.Typer(help="Your own videos: look through them, prepare them for training.", rich_markup_mode=None)

#: Lines said of one kind of loss; the rest is counted.
_SAID = 5
#: Without a terminal, the work says how far it is this often, in seconds.
_LINE_EVERY = 10.0
#: Captions that are parsed together.
_PARSED = 32


class Starts(str, Enum):
    """Where windows begin."""

    even = "even"
    random = "random"


class Fit(str, Enum):
    """How a video gets another aspect."""

    crop = "crop"
    stretch = "stretch"


PATH = typer.Argument(help="Folder with videos and their captions, a list such as captions.csv, or tar files.")
FORMAT = typer.Option(None, "--format", help="How the data set is laid out.", show_default="told from its files")
FRAMES = typer.Option(
    "16", help="Frames of a video; of several, as 8,16,32, a clip gets the most it is long enough for."
)
FPS = typer.Option(None, help="Frames a second that are taken.", show_default="8")
STRIDE = typer.Option(None, min=1, help="Take every so many frames instead.", show_default=False)
SPREAD = typer.Option(False, "--spread", help="Spread the frames over the whole clip instead.")
WINDOWS = typer.Option(1, min=0, help="Videos from each clip, or from each scene; 0 for as many as it has room for.")
STARTS = typer.Option(Starts.even, help="Where they begin.")
SEED = typer.Option(0, min=0, help="Of random starts.")
SCENES = typer.Option(False, "--scenes", help="Cut at scene changes (needs PySceneDetect).")
THRESHOLD = typer.Option(27.0, min=0.0, max=255.0, help="Change of colour between two frames that is a cut.")
SIZE = typer.Option("256", help="HEIGHTxWIDTH, or a square's side; of several, as 256x256,144x256, the nearest aspect.")
FIT = typer.Option(Fit.crop, help="Cut off what is too much, or change proportions.")
ENLARGE = typer.Option(2.0, min=0.01, help="Drop videos that would be enlarged more than so many times.")
WORKERS = typer.Option(None, min=1, help="Processes.", show_default="one for each processor core")


@data.command()
def check(
    path: Path = PATH,
    format: str | None = FORMAT,
    frames: str = FRAMES,
    fps: float | None = FPS,
    stride: int | None = STRIDE,
    spread: bool = SPREAD,
    windows: int = WINDOWS,
    starts: Starts = STARTS,
    seed: int = SEED,
    scenes: bool = SCENES,
    cut_threshold: float = THRESHOLD,
    size: str = SIZE,
    fit: Fit = FIT,
    enlarge: float = ENLARGE,
    quick: bool = typer.Option(False, "--quick", help="Open each video only, without decoding all its frames."),
    parse: bool = typer.Option(False, "--parse", help="Parse the captions too, as `prepare` does."),
    workers: int | None = WORKERS,
) -> None:
    """Read everything once: counts, lengths, sizes, captions, what is broken, and what would be trained on."""
    from mov_ai.data.checking import Findings
    from mov_ai.data.prepare import check_clips

    settings = _settings(frames, fps, stride, spread, windows, starts, seed, scenes, cut_threshold, size, fit, enlarge)
    clips = _clips(path, format)
    findings, line = Findings(), _Line("checked")
    for result in check_clips(clips, settings, workers or _cores(), whole=not quick):
        findings.add(result)
        line.show(findings.clips, len(clips))
    if parse:
        _parse(clips, findings)
    for notice in findings.notices[:_SAID]:
        say(notice)
    _say_rest(len(findings.notices))
    for text in findings.lines():
        tell(text)


@data.command()
def prepare(
    path: Path = PATH,
    out: Path = typer.Option(help="Folder of the shards; one that was begun with the same settings goes on."),
    codec: str = typer.Option("taef2", help="Encodes the frames: a codec's folder, or a name."),
    stages: str | None = typer.Option(
        None, help="Longer sides of the cascade's stages, as 64,128,256.", show_default="that of --size"
    ),
    text_encoder: str | None = typer.Option(
        None, help="A text encoder of transformers, a folder or a name.", show_default="none"
    ),
    parser: str | None = typer.Option(
        None, help="Folder of another parser of captions.", show_default="the embedded parser"
    ),
    parse: bool = typer.Option(True, help="Make scene graphs of captions that have none."),
    format: str | None = FORMAT,
    frames: str = FRAMES,
    fps: float | None = FPS,
    stride: int | None = STRIDE,
    spread: bool = SPREAD,
    windows: int = WINDOWS,
    starts: Starts = STARTS,
    seed: int = SEED,
    scenes: bool = SCENES,
    cut_threshold: float = THRESHOLD,
    size: str = SIZE,
    fit: Fit = FIT,
    enlarge: float = ENLARGE,
    shard_mb: float = typer.Option(64.0, min=0.001, help="A shard is closed once it is so large, in megabytes."),
    workers: int | None = WORKERS,
    device: str = typer.Option("cpu", help="Where codec and text encoder run."),
) -> None:
    """Decode, cut, resize, encode and parse a data set into shards; a run that was stopped goes on."""
    from mov_ai.data.prepare import prepare as write_shards
    from mov_ai.training.clip_encoder import EncoderChoice

    settings = _settings(frames, fps, stride, spread, windows, starts, seed, scenes, cut_threshold, size, fit, enlarge)
    count = workers or _cores()
    choice = EncoderChoice(
        codec,
        _stages(stages, settings),
        parse,
        parser,
        text_encoder,
        max(1, _cores() // count),
        device,
    )
    about = choice.about()
    clips = _clips(path, format)
    losses = _Losses(out)
    summary = write_shards(clips, out, settings, choice, about, count, int(shard_mb * 1e6), losses.progress)
    losses.finish()
    for text in _report(out, summary, count):
        tell(text)


def _parse(clips: list[Clip], findings: Findings) -> None:
    from mov_ai.training.clip_encoder import Encoder, EncoderChoice

    captions = [(clip.key, caption) for clip in clips if clip.graph is None for caption in clip.captions]
    encoder = Encoder(EncoderChoice("", ()))
    line = _Line("parsed", "captions")
    for start in range(0, len(captions), _PARSED):
        part = captions[start : start + _PARSED]
        for (key, _), graph in zip(part, encoder.graphs([caption for _, caption in part]), strict=True):
            findings.add_parsed(key, graph)
        line.show(start + len(part), len(captions))


def _settings(
    frames: str,
    fps: float | None,
    stride: int | None,
    spread: bool,
    windows: int,
    starts: Starts,
    seed: int,
    scenes: bool,
    cut_threshold: float,
    size: str,
    fit: Fit,
    enlarge: float,
) -> ClipSettings:
    from mov_ai.data.buckets import Buckets
    from mov_ai.data.clip_windows import ClipSettings
    from mov_ai.data.sampling import Sampling
    from mov_ai.graph import parse_size

    if (fps is not None) + (stride is not None) + spread > 1:
        raise UsageError("--fps, --stride and --spread: each says which frames are taken; give one of them")
    try:
        counts = tuple(int(word) for word in frames.split(","))
    except ValueError:
        raise UsageError(f"--frames: expected a whole number, or several as 8,16,32; found {frames[:40]!r}") from None
    rate = None if spread or stride is not None else fps if fps is not None else 8.0
    return ClipSettings(
        Sampling(counts, rate, stride, windows, starts.value, seed),
        Buckets(tuple(parse_size(word) for word in size.split(",")), fit.value, enlarge),
        scenes,
        cut_threshold,
    )


def _stages(stages: str | None, settings: ClipSettings) -> tuple[int, ...]:
    """The stages' longer sides. Raises UsageError if the sizes do not all end in the last one."""
    from mov_ai.cli.sizes import parse_stages

    sides = [max(size) for size in settings.buckets.sizes]
    parsed = parse_stages(stages) or max(sides)
    chosen = (parsed,) if isinstance(parsed, int) else parsed
    for size, side in zip(settings.buckets.sizes, sides, strict=True):
        if side != chosen[-1]:
            raise UsageError(
                f"--size: {size[0]}x{size[1]}: the longer side of every size is that of the last stage, "
                f"{chosen[-1]} pixels; found {side}: choose another size, or other --stages"
            )
    return chosen


def _clips(path: Path, format: str | None) -> list[Clip]:
    """The clips of a data set; what is left out is said."""
    from mov_ai.data.clips import problem_lines
    from mov_ai.data.formats import read_clips

    source = read_clips(path, format)
    clips = list(source)
    for line in problem_lines(source.problems):
        say(f"left out: {line}")
    if not clips:
        raise UsageError(f"{path}: no clip can be used; format {source.format}")
    say(f"{path}: {len(clips):,} clips, format {source.format}")
    return clips


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Line:
    """How far a long work is: said every few seconds."""

    def __init__(self, verb: str, things: str = "clips") -> None:
        self._verb, self._things = verb, things
        self._began = self._last = time.monotonic()
        self._first: int | None = None

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done - 1
        if now - self._last >= _LINE_EVERY and done < total:
            left = (now - self._began) / (done - self._first) * (total - done)
            say(f"{self._verb} {done:,} of {total:,} {self._things}, {left:.0f} s left")
            self._last = now


class _Losses:
    """Says what is dropped, the first of each kind in full."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._line = folder, _Line("prepared")
        self._dropped: Counter[str] = Counter()
        self._notices = 0

    def progress(self, clip: EncodedClip, done: int, total: int) -> None:
        for reason, detail in clip.dropped:
            self._dropped[reason] += 1
            if self._dropped[reason] <= _SAID:
                say(f"dropped: {clip.clip}: {reason}: {detail}")
        for notice in clip.notices:
            self._notices += 1
            if self._notices <= _SAID:
                say(notice)
        self._line.show(done, total)

    def finish(self) -> None:
        from mov_ai.data.shard_writing import JOURNAL_FILE

        for reason, count in self._dropped.items():
            if count > _SAID:
                say(f"dropped: {count - _SAID:,} more: {reason}; {self._folder / JOURNAL_FILE} names each")
        _say_rest(self._notices)


def _say_rest(count: int) -> None:
    if count > _SAID:
        say(f"{count - _SAID:,} more notices of this kind")


def _report(folder: Path, summary: Summary, workers: int) -> list[str]:
    shards = sorted(folder.glob("shard-*.tar"))
    size = sum(path.stat().st_size for path in shards) / 1e6
    buckets = ", ".join(f"{name} ({count:,})" for name, count in summary.samples.items())
    lines = [
        f"{folder}: {sum(summary.samples.values()):,} samples of {summary.clips:,} clips: {buckets}; "
        f"{len(shards)} shard{'s' * (len(shards) != 1)}, {size:.1f} MB"
    ]
    lines += [f"dropped: {count:,} {reason}" for reason, count in summary.dropped.items()]
    if summary.kept == summary.clips:
        return [*lines, "nothing to do: all of it was there already"]
    kept = f", {summary.kept:,} clips were there already" if summary.kept else ""
    spent = sum(summary.seconds.values()) or 1.0
    shares = ", ".join(
        f"{part} {seconds / spent:.1%}" for part, seconds in sorted(summary.seconds.items(), key=lambda item: -item[1])
    )
    lines.append(
        f"{summary.clips_a_minute:.1f} clips a minute ({summary.elapsed:.1f} s, {workers} "
        f"process{'es' * (workers != 1)}{kept}); of their time: {shares}"
    )
    return lines
