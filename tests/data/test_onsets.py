"""Onsets of sounds that the tests make: clicks, notes, noise, silence; rates, channels, formats; bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from mov_ai.data.audio import RATE, Audio, read_audio
from mov_ai.data.onsets import find_onsets, read_onsets
from mov_ai.errors import UsageError

TIMES = [0.31, 0.9, 1.43, 2.0, 2.77]
#: Of the detector, in seconds.
EXACT = 0.02


def _notes(times: list[float], rate: int = RATE, seconds: float = 3.5, decay: float = 0.3) -> np.ndarray:
    samples = np.zeros(int(seconds * rate))
    for number, start in enumerate(times):
        place = int(start * rate)
        time = np.arange(len(samples) - place) / rate
        pitch = (440, 554, 659, 330)[number % 4]
        samples[place:] += (
            0.2 * sum(np.sin(2 * np.pi * pitch * h * time) / h for h in (1, 2, 3)) * np.exp(-time / decay)
        )
    return samples


def _clicks(times: list[float], seconds: float = 3.5, seed: int = 0) -> np.ndarray:
    samples, generator = np.zeros(int(seconds * RATE)), np.random.default_rng(seed)
    for start in times:
        place = int(start * RATE)
        burst = 0.7 * generator.standard_normal(80) * np.exp(-np.arange(80) / 20)
        samples[place : place + 80] += burst[: len(samples) - place]
    return samples


def _sound(*channels: np.ndarray) -> Audio:
    return Audio(np.stack(channels).astype(np.float32))


def _noise(level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(3.5 * RATE))


SOUNDS = {
    "clicks": [_clicks(TIMES)],
    "clicks in noise": [_clicks(TIMES) + _noise(0.03)],
    "notes": [_notes(TIMES)],
    "long notes": [_notes(TIMES, decay=1.0)],
    "notes from the start": [_notes([0.0, *TIMES])],
    "stereo": [_notes(TIMES), np.zeros(int(3.5 * RATE))],
    "stereo that cancels out": [_notes(TIMES), -_notes(TIMES)],
}


@pytest.mark.parametrize("name", SOUNDS)
def test_onsets_are_found_where_they_are(name: str) -> None:
    found, decibels = find_onsets(_sound(*SOUNDS[name]))
    expected = [0.0, *TIMES] if name == "notes from the start" else TIMES
    assert len(found) == len(expected)
    assert np.abs(found - expected).max() <= EXACT
    assert (decibels < 0).all()
    assert (decibels > -60).all()


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8, unique=True), st.integers(0, 9))
def test_clicks_at_any_times(tenths: list[int], seed: int) -> None:
    times = [tenth / 10 + 0.013 for tenth in sorted(tenths)]
    found, _ = find_onsets(_sound(_clicks(times, seed=seed)))
    assert len(found) == len(times)
    assert np.abs(found - times).max() <= EXACT


def test_louder_is_louder() -> None:
    _, decibels = find_onsets(_sound(_clicks([0.5]) + 0.1 * _clicks([1.5])))
    assert decibels[0] - decibels[1] == pytest.approx(20, abs=3)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(RATE), _noise(0.3), _noise(1e-4), 0.3 * np.sin(np.arange(3 * RATE) / 20), np.linspace(0, 1e-4, RATE)],
    ids=["silence", "noise", "hiss", "hum", "hardly anything"],
)
def test_nothing_begins_where_nothing_does(samples: np.ndarray) -> None:
    assert len(find_onsets(_sound(samples))[0]) == 0


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.uint8])
def test_files_of_any_rate_and_type(tmp_path: Path, rate: int, kind: type) -> None:
    samples = np.stack([_notes(TIMES, rate)] * 2, 1)
    scaled = {np.int16: samples * 32767, np.float32: samples, np.uint8: samples * 127 + 128}[kind]
    wavfile.write(tmp_path / "a.wav", rate, scaled.astype(kind))
    onsets, note = read_onsets(tmp_path / "a.wav")
    assert note is None
    assert onsets.duration == pytest.approx(3.5, abs=0.01)
    assert len(onsets.times) == len(TIMES)
    assert np.abs(np.array(onsets.times) - TIMES).max() <= EXACT


def test_a_compressed_file(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray((_notes(TIMES) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    onsets, _ = read_onsets(path)
    assert np.abs(np.array(onsets.times) - TIMES).max() <= EXACT


def test_only_the_first_minutes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mov_ai.data.audio.MOST_SECONDS", 1.5)
    wavfile.write(tmp_path / "a.wav", RATE, _clicks(TIMES).astype(np.float32))
    assert read_audio(tmp_path / "a.wav").duration == 1.5
    onsets, note = read_onsets(tmp_path / "a.wav")
    assert len(onsets.times) == 3
    assert note is not None


@pytest.mark.parametrize("channels", [8, 32])
def test_as_many_channels_as_are_allowed_are_read_each_as_it_is(tmp_path: Path, channels: int) -> None:
    loudness = np.linspace(0.2, 1, channels)
    wavfile.write(tmp_path / "a.wav", RATE, (_clicks(TIMES)[:, None] * loudness).astype(np.float32))
    samples = read_audio(tmp_path / "a.wav").samples
    assert np.abs(samples).max(1) == pytest.approx(loudness * np.abs(_clicks(TIMES)).max(), rel=1e-3)
    assert len(read_onsets(tmp_path / "a.wav")[0].times) == len(TIMES)


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(UsageError, match="no such file"):
        read_onsets(path)
    for content in (b"", b"RIFF\x24\0\0\0WAVEfmt junk", b"RIFF" * 999, bytes(range(256)) * 20):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="sound") as caught:
            read_onsets(path)
        assert "\n" not in str(caught.value)
    wavfile.write(path, RATE, np.full(RATE, np.nan, np.float32))
    with pytest.raises(UsageError):
        read_onsets(path)
    wavfile.write(path, RATE, np.zeros(40, np.float32))
    with pytest.raises(UsageError):
        read_onsets(path)
    wavfile.write(path, RATE, _noise(0.2).astype(np.float32))
    with pytest.raises(UsageError, match="has no onsets"):
        read_onsets(path)
