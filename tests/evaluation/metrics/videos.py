"""Small videos with known motion."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

FRAMES, SIDE, FPS = 12, 32, 8.0


def sprites(seed: int, frames: int = FRAMES, side: int = SIDE, speed: float = 1.0) -> np.ndarray:
    """Two textured discs that move straight over a smooth background: uint8 (frames, side, side, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float64)
    base = gaussian_filter(rng.uniform(40, 200, (side, side, 3)), (3, 3, 0)) + rng.uniform(-20, 20, 3)
    starts, colours = rng.uniform(side * 0.3, side * 0.7, (2, 2)), rng.uniform(0, 255, (2, 3))
    angles = rng.uniform(0, 2 * np.pi, 2)
    video = np.empty((frames, side, side, 3), np.uint8)
    for t in range(frames):
        frame = base.copy()
        for start, colour, angle in zip(starts, colours, angles, strict=True):
            cx, cy = start + (t - frames / 2) * speed * np.array([np.cos(angle), np.sin(angle)])
            disc = 1 / (1 + np.exp(np.hypot(x - cx, y - cy) * 2 - side / 4))
            stripes = 0.75 + 0.25 * np.sin((x - cx) * 1.2) * np.sin((y - cy) * 1.2)
            frame = frame * (1 - disc[..., None]) + colour * (stripes * disc)[..., None]
        video[t] = frame.clip(0, 255).round()
    return video


def shifting(dx: float, dy: float = 0.0, frames: int = 6, side: int = 48, seed: int = 0) -> np.ndarray:
    """A texture without borders that moves by (dx, dy) pixels each frame."""
    rng = np.random.default_rng(seed)
    waves = [(*rng.integers(-4, 5, 2), rng.uniform(0, 2 * np.pi), rng.integers(3)) for _ in range(24)]
    y, x = np.mgrid[:side, :side].astype(np.float64)
    video = np.full((frames, side, side, 3), 127.0)
    for t in range(frames):
        for kx, ky, phase, channel in waves:
            wave = np.cos(2 * np.pi * (kx * (x - t * dx) + ky * (y - t * dy)) / side + phase)
            video[t] += (wave * 8)[..., None] * np.where(np.arange(3) == channel, 1.5, 0.75)
    return video.clip(0, 255).round().astype(np.uint8)


def simple_features(video: np.ndarray) -> np.ndarray:
    """(25,): colours of the quarters, detail in space, change over time: a network's stand-in."""
    unit = video / 255
    half = video.shape[1] // 2
    quarters = unit.reshape(len(video), 2, half, 2, half, 3).mean((0, 2, 4)).ravel()
    edges = [np.abs(np.diff(unit, axis=axis)).mean() for axis in (1, 2)]
    fine = np.abs(np.diff(unit, n=2, axis=2)).mean((0, 1, 2))
    steps = [part.mean() for part in np.array_split(np.abs(np.diff(unit, axis=0)).mean((1, 2, 3)), 4)]
    jumps = [np.abs(unit[gap:] - unit[:-gap]).mean() for gap in (2, 4, 8)]
    jerk = np.abs(np.diff(unit, n=2, axis=0)).mean()
    return np.concatenate([quarters, edges, fine, 3 * np.array([*steps, *jumps, jerk])])
