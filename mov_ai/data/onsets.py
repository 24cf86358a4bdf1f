"""Onsets of a sound by its spectral flux, and how loud each is.

Bello et al., "A tutorial on onset detection in music signals" (IEEE Transactions on Speech and Audio Processing 13(5),
2005): the half-wave rectified rise of logarithmic band energies, peaks above an adaptive threshold. The comparison with
a maximum over neighbouring bands, so that vibrato is no onset, is SuperFlux's (Böck and Widmer, DAFx 2013).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mov_ai.data.audio import MOST_SECONDS, RATE, Audio, read_audio
from mov_ai.errors import UsageError
from mov_ai.graph.files import sha256_of
from mov_ai.graph.onsets import Onsets

#: Samples of a spectrum's window and from one to the next: 32 ms and 5 ms.
_WINDOW, _HOP = 512, 80
#: Spectra that are computed at a time.
_BLOCK = 4096
#: Bands, evenly spaced on the mel scale up to half the rate.
_BANDS = 40
#: Spectra that lie between the two that are compared.
_LAG = 4
#: What is so many decibels below the loudest band is silence; so is a sound whose loudest sample is below the second.
_FLOOR, _SILENCE = 60.0, -60.0
#: A rise counts from so many decibels, the mean over all bands, above the median around it, and from so many times the
#: rise that is usual around it.
_RISE, _TIMES = 2.0, 2.0
#: Seconds: around a rise for the median, between two onsets at least, and of the sound from an onset on whose loudness
#: is measured.
_AROUND, _APART, _LOUD = 1.0, 0.08, 0.1
#: A sound that is there when the file begins has its onset there if it falls by so many decibels within a second.
_FADES = 6.0


def read_onsets(path: Path) -> tuple[Onsets, str | None]:
    """The onsets of a sound file, and what is to be said of it, if anything.

    Raises:
        UsageError: as `read_audio`, and if nothing begins in it.
    """
    audio = read_audio(path)
    times, decibels = find_onsets(audio)
    if not len(times):
        raise UsageError(f"--audio: {path}: has no onsets: nothing begins in it; give a sound with beats or notes")
    note = f"{path}: only the first {MOST_SECONDS / 60:g} minutes are read" if audio.is_cut else None
    begins, levels = (tuple(round(float(v), digits) for v in values) for values, digits in ((times, 4), (decibels, 1)))
    return Onsets(begins, levels, round(audio.duration, 4), path.name, sha256_of([path])), note


def find_onsets(audio: Audio) -> tuple[np.ndarray, np.ndarray]:
    """Onsets in seconds, ascending, and the loudness of each: root mean square over 0.1 s in decibels of full scale."""
    from scipy.signal import find_peaks

    samples = audio.samples
    peak = float(np.abs(samples).max())
    if peak < 10 ** (_SILENCE / 20):
        return np.zeros(0), np.zeros(0)
    # Silence before it, so that what the file begins with rises.
    before = _WINDOW + _LAG * _HOP
    padded = np.pad(samples, ((0, 0), (before, 0)))
    rise = _rises(padded)
    usual = _moving_median(rise, round(_AROUND * RATE / _HOP))
    threshold = np.maximum(usual + _RISE, _TIMES * usual)
    apart = round(_APART * RATE / _HOP)
    places, _ = find_peaks(np.where(rise > threshold, rise, 0.0), distance=apart, height=1e-9)
    power = np.square(padded).sum(0)
    times = [max(0, _sharpened(power, place) - before) for place in places]
    kept: list[int] = []
    for time in times:
        # The beginning of what merely goes on.
        if time < 0.02 * RATE and not _fades(samples):
            continue
        if not kept or time - kept[-1] >= _APART * RATE / 2:
            kept.append(time)
    decibels = [_level(samples[:, time : time + round(_LOUD * RATE)]) for time in kept]
    return np.array(kept) / RATE, np.array(decibels)


def _level(samples: np.ndarray) -> float:
    """Root mean square in decibels of full scale, of the louder channel."""
    if not samples.shape[1]:
        return -120.0
    return float(10 * np.log10(max(np.square(samples.astype(np.float64)).mean(1).max(), 1e-12)))


def _rises(samples: np.ndarray) -> np.ndarray:
    """(spectra,): by how many decibels the bands rise, in the mean over bands, of the channel where it is most.

    The window of spectrum n begins at sample n times the hop and lies within the sound: one that is cut off has a
    spectrum of its own.
    """
    from scipy.ndimage import maximum_filter1d

    bank = _mel_bank(np.fft.rfftfreq(_WINDOW, 1 / RATE)).astype(np.float32)
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    rises = []
    for channel in samples:
        pieces = np.lib.stride_tricks.sliding_window_view(channel, _WINDOW)[::_HOP]
        powers = [
            np.abs(np.fft.rfft(pieces[i : i + _BLOCK] * window)) ** 2 @ bank.T for i in range(0, len(pieces), _BLOCK)
        ]
        bands = 10 * np.log10(np.concatenate(powers) + 1e-20)  # (spectra, bands)
        bands = np.maximum(bands, bands.max() - _FLOOR)
        earlier = maximum_filter1d(np.pad(bands, ((_LAG, 0), (0, 0)), mode="edge")[:-_LAG], 3, axis=1)
        rises.append(np.maximum(bands - earlier, 0).mean(1))
    return np.asarray(np.max(rises, 0))


def _mel_bank(frequencies: np.ndarray) -> np.ndarray:
    """Triangles (bands, frequencies) that sum up power, each at least one frequency wide."""
    lowest, highest = (2595 * np.log10(1 + frequency / 700) for frequency in (30.0, RATE / 2))
    edges = 700 * (10 ** (np.linspace(lowest, highest, _BANDS + 2) / 2595) - 1)
    step = frequencies[1] - frequencies[0]
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    up = (frequencies - low) / np.maximum(middle - low, step)
    down = (high - frequencies) / np.maximum(high - middle, step)
    bank = np.clip(np.minimum(up, down), 0, None)
    nearest = np.abs(frequencies - middle).argmin(1)
    bank[np.arange(_BANDS), nearest] = np.maximum(bank[np.arange(_BANDS), nearest], 1e-3)
    return np.asarray(bank)


def _moving_median(values: np.ndarray, width: int) -> np.ndarray:
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(values, width, mode="nearest"))


def _sharpened(power: np.ndarray, place: int) -> int:
    """The sample near a spectrum's middle at which the level rises most: spectra blur it by their window.

    Args:
        power: (n,), the sum over channels. place: number of the spectrum.
    """
    middle = place * _HOP + _WINDOW // 2
    step = RATE // 500
    first, last = max(0, middle - _WINDOW), min(len(power), middle + _WINDOW)
    blocks = power[first : first + (last - first) // step * step].reshape(-1, step).mean(1)
    if len(blocks) < 8:
        return middle
    level = 10 * np.log10(blocks + 1e-3 * blocks.max() + 1e-20)
    smooth = np.convolve(np.pad(level, 2, mode="edge"), np.ones(3) / 3, "valid")
    jump = smooth[3:] - smooth[:-3]
    # `smooth[i]` is about block i - 1; between i and i + 3 the level rises at the beginning of block i + 1.
    return int(first + (int(jump.argmax()) + 1) * step)


def _fades(samples: np.ndarray) -> bool:
    """Whether a sound falls soon after the file's beginning."""
    block = round(0.05 * RATE)
    levels = [_level(samples[:, i * block : (i + 1) * block]) for i in range(min(20, samples.shape[1] // block))]
    return bool(levels) and max(levels[:2]) - min(levels) >= _FADES
