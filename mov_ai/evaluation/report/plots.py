"""Plots of a report as SVG without scripts; their colours are the page's, so they follow its dark and light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mov_ai.evaluation.metrics.result import Absent
from mov_ai.evaluation.report.results import CategoryScore
from mov_ai.evaluation.report.wording import markup, number, percent

_WIDTH, _LABEL, _RIGHT = 720.0, 210.0, 70.0
_ROW, _TOP, _BOTTOM = 30.0, 12.0, 40.0


def categories_plot(scores: Mapping[str, CategoryScore | Absent]) -> str:
    """A bar for each category with its interval; a tick and a lighter band where the checker's ceiling is."""
    height = _TOP + _ROW * len(scores) + _BOTTOM
    span = _WIDTH - _LABEL - _RIGHT
    floor = _TOP + _ROW * len(scores)

    def x(share: float) -> float:
        return _LABEL + span * share

    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}" y2="{floor}"/>')
        parts.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{floor + 16}" text-anchor="middle">{tick * 100:.0f} %</text>'
        )
    for row, (name, score) in enumerate(scores.items()):
        middle = _TOP + _ROW * (row + 0.5)
        parts.append(f'<text x="{_LABEL - 10}" y="{middle + 4}" text-anchor="end">{markup(name)}</text>')
        if isinstance(score, Absent):
            parts.append(f'<text class="tick" x="{_LABEL + 6}" y="{middle + 4}">absent</text>')
            continue
        low, high = score.ci95
        title = f"{name}: {percent(score.score)}, 95 % interval {percent(low)} to {percent(high)}, n = {score.n}"
        parts += [
            f"<g><title>{markup(title)}; ceiling {percent(score.ceiling)}</title>",
            f'<rect class="room" x="{_LABEL}" y="{middle - 7}" width="{span * score.ceiling:.1f}" height="14"/>',
            f'<rect class="bar" x="{_LABEL}" y="{middle - 7}" width="{span * score.score:.1f}" height="14"/>',
            f'<path class="whisker" d="M{x(low):.1f} {middle}H{x(high):.1f}M{x(low):.1f} {middle - 4}v8'
            f'M{x(high):.1f} {middle - 4}v8"/>',
            f'<path class="ceiling" d="M{x(score.ceiling):.1f} {middle - 10}v20"/>',
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{middle + 4}">{percent(score.score)}</text></g>',
        ]
    legend = "bar: score · line: 95 % interval · upright stroke: ceiling"
    parts.append(f'<text class="tick" x="{_LABEL}" y="{floor + 34}">{legend}</text>')
    return _svg(height, "Score of each category with its interval and ceiling", parts)


def bias_plot(
    curve: Sequence[tuple[int, float]], limit: float | None, limit_interval: tuple[float, float] | None, name: str
) -> str:
    """A distance against 1 / n, on which its bias is a line, from the videos there are to infinitely many.

    Args:
        curve: (n, distance), at least two, n growing.
        limit: the distance extrapolated to infinitely many videos, if it is known, with its interval.
    """
    left, right, top, floor, height = 70.0, 150.0, 16.0, 230.0, 280.0
    all_values = [value for _, value in curve] + ([limit] if limit is not None else []) + list(limit_interval or ())
    low, high = min(0.0, *all_values), max(all_values)
    high = high if high > low else low + 1
    largest_share = 1 / curve[0][0]

    def place(inverse: float, value: float) -> tuple[float, float]:
        return left + (_WIDTH - left - right) * inverse / largest_share, floor - (floor - top) * (value - low) / (
            high - low
        )

    parts = []
    step = _round_step((high - low) / 4)
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        y = place(0, k * step)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{_WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{number(k * step)}</text>')
    last_tick = math.inf
    for n, _ in reversed(curve):
        x = place(1 / n, 0)[0]
        if abs(x - last_tick) > 34:
            parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{n}</text>')
            last_tick = x
    parts.append(f'<text class="tick" x="{left}" y="{floor + 16}" text-anchor="middle">∞</text>')
    parts.append(
        f'<text class="tick" x="{(left + _WIDTH - right) / 2}" y="{floor + 38}" text-anchor="middle">'
        "videos n in each set, at places 1/n</text>"
    )
    if limit is not None:
        x0, y0 = place(0, limit)
        x1, y1 = place(1 / curve[-1][0], curve[-1][1])
        parts.append(f'<line class="fit" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>')
        if limit_interval is not None:
            ends = [place(0, value)[1] for value in limit_interval]
            parts.append(f'<path class="whisker" d="M{x0} {ends[0]:.1f}V{ends[1]:.1f}"/>')
        parts.append(
            f'<circle class="limit" cx="{x0}" cy="{y0:.1f}" r="5"><title>{number(limit)} at ∞</title></circle>'
        )
    points = " ".join("{:.1f},{:.1f}".format(*place(1 / n, value)) for n, value in curve)
    parts.append(f'<polyline class="curve" points="{points}"/>')
    for n, value in curve:
        x, y = place(1 / n, value)
        parts.append(
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>n = {n}: {number(value)}</title></circle>'
        )
    x, y = place(1 / curve[0][0], curve[0][1])
    parts.append(f'<text x="{x + 12:.1f}" y="{y + 4:.1f}">{number(curve[0][1])} at n = {curve[0][0]}</text>')
    return _svg(height, f"{name} against the number of videos", parts)


def _round_step(rough: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten that is not smaller."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)


def _svg(height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{markup(label)}">'
        f"{''.join(parts)}</svg>"
    )
