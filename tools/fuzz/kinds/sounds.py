"""`--audio` of plan, parse and generate: damaged sounds, silence, no numbers, odd rates, lengths and channels."""

from __future__ import annotations

import io
import json
import random
import struct
from functools import cache
from pathlib import Path

import numpy as np

from mov_ai.graph import SceneGraph
from tools.fuzz.case import Case, Kind
from tools.fuzz.command import Said, command, generate, graph_file, wrong_video
from tools.fuzz.damage import damaged_bytes
from tools.fuzz.small_pipeline import small_pipeline

_RATES = (1, 100, 999, 1_000, 8_000, 16_000, 44_100, 192_000, 768_000, 2**31 - 1, 2**32 - 1)
_CHANNELS = (1, 1, 2, 6, 32, 33, 255, 65_535)
_ODD = (float("nan"), float("inf"), -float("inf"), 3e38, 1e-40, 0.0)


def _wav(samples: np.ndarray, rate: int, is_float: bool = False) -> bytes:
    """A WAV file of samples (n, channels) in [-1, 1]; the numbers in its head are written whatever they are."""
    with np.errstate(invalid="ignore", over="ignore"):
        data = (samples.astype("<f4") if is_float else (samples * 32767).astype("<i2")).tobytes()
    size, channels = (4 if is_float else 2), samples.shape[1]
    head = struct.pack(
        "<HHIIHH",
        3 if is_float else 1,
        channels,
        rate,
        rate * channels * size % 2**32,
        channels * size % 2**16,
        8 * size,
    )
    chunks = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def _beat(rate: int, seconds: float, channels: int, starts: tuple[float, ...] = (0.1, 0.3)) -> np.ndarray:
    """Short tones at two moments, (n, channels)."""
    samples = np.zeros((max(0, int(seconds * rate)), channels), np.float32)
    for start in starts:
        place, count = int(start * rate), min(rate // 20, 40_000)
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(count) / rate) * np.exp(-60 * np.arange(count) / rate)
        samples[place : place + count] = tone[: max(0, len(samples) - place), None]
    return samples


@cache
def _encoded(suffix: str) -> bytes:
    """A beat as a file of FFmpeg's."""
    import av

    codec, layout = {"mp3": "libmp3lame", "ogg": "libopus", "flac": "flac", "m4a": "aac"}[suffix], "mono"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format={"m4a": "mp4"}.get(suffix, suffix)) as container:
        stream = container.add_stream(codec, rate=16_000, layout=layout)
        samples = _beat(16_000, 0.5, 1).T
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate = 16_000
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=16_000, frame_size=stream.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _sound(rng: random.Random) -> tuple[bytes, str, str, str]:
    """A file's content, suffix, how it is odd, and whether it may, must or may never be refused."""
    how = rng.choice(("damaged", "damaged", "damaged", "rate", "channels", "length", "odd", "silence", "beat", "none"))
    if how == "damaged":
        suffix = rng.choice(("wav", "wav", "mp3", "ogg", "flac", "m4a"))
        whole = _wav(_beat(16_000, 0.5, 1), 16_000, rng.random() < 0.5) if suffix == "wav" else _encoded(suffix)
        content, about = damaged_bytes(whole, rng)
        return content, suffix, about, "may"
    if how == "beat":
        suffix = rng.choice(("wav", "mp3", "ogg", "flac", "m4a"))
        return _wav(_beat(16_000, 0.5, 1), 16_000) if suffix == "wav" else _encoded(suffix), suffix, "whole", "never"
    if how == "rate":
        rate = rng.choice(_RATES)
        return _wav(_beat(min(rate, 768_000), 0.5, 1), rate), "wav", f"rate {rate}", "may"
    if how == "channels":
        count = rng.choice(_CHANNELS)
        refusal = "must" if count > 32 else "never"
        return _wav(_beat(8_000, 0.5, count), 8_000), "wav", f"{count} channels", refusal
    if how == "length":
        count = rng.choice((0, 1, 2, 100, 800, 8_000 * 700))
        samples = np.zeros((count, 1), np.float32)
        samples[::4000] = 0.9
        return _wav(samples, 8_000), "wav", f"{count} samples", "must" if count < 400 else "may"
    if how == "odd":
        samples = _beat(16_000, 0.5, 1)
        value = rng.choice(_ODD)
        samples[rng.choice((slice(None), slice(100, 101), slice(4000, 5000)))] = value
        return _wav(samples, 16_000, True), "wav", f"samples {value}", "may"
    if how == "silence":
        return _wav(np.zeros((8_000, 2), np.float32), 16_000), "wav", "silence", "must"
    return rng.choice((b"", b"RIFF", b"not a sound", b"\x00" * 4096)), rng.choice(("wav", "mp3", "txt")), how, "must"


def make(rng: random.Random, folder: Path) -> Case:
    """A sound for one of the three commands."""
    content, suffix, about, refusal = _sound(rng)
    path, out = folder / f"{rng.choice(('sound', 'take:1', 'ä %d'))}.{suffix}", folder / "out"
    path.write_bytes(content)
    name = rng.choice(("plan", "plan", "plan", "parse", "generate"))

    def run() -> Said:
        place = small_pipeline()
        if name == "plan":
            given = ("--graph", graph_file(folder), "--audio", path, "--out", out, "--checkpoint", place)
            return command("plan", *given, watch=folder)
        if name == "parse":
            return command("parse", "a red ball", "--audio", path, "--json", "--checkpoint", place, watch=folder)
        return generate(folder, out, "--audio", path, "--frames", "2", "--stages", "16", watch=folder)

    def wrong(said: Said) -> str | None:
        if name == "plan":
            frames = json.loads(out.read_text(encoding="utf-8"))["frames"]
            return None if frames >= 1 else f"a layout of {frames} frames"
        if name == "parse":
            SceneGraph.from_json(said.out)
            return None
        graph = SceneGraph.load(out / "graph.json")
        starts = [node.interval[0] for node in graph.nodes if node.type == "event" and node.interval is not None]
        if not all(0 <= start <= 1 for start in starts):
            return f"events begin at {starts}"
        if not json.loads((out / "run.json").read_text(encoding="utf-8"))["audio"]["onsets"]:
            return "no onsets"
        return wrong_video(out / "video.mp4", 2, 16)

    if name == "parse" and refusal == "never":
        # The small parser finds nothing that could begin at an onset.
        refusal = "may"
    return Case(f"{name} .{suffix}: {about}", run, wrong, refusal)


KIND = Kind("sounds", 0.2, make, least=3)
