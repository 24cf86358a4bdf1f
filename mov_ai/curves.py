"""Curves with intervals, and points in a plane, as SVG: for reports of studies and sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

#: Okabe and Ito's colours, which most people with other colour vision tell apart.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5d5d5d", "#a08000")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _FLOOR = 330, 230, 46, 308, 30, 190
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.title{font-weight:bold}.tick{fill:#666}"
    ".grid{stroke:#ddd}.curve{fill:none;stroke-width:2}.whisker{stroke-width:1;opacity:.6}"
)


class Point(NamedTuple):
    """A value at a place, with its interval; both ends are the value where none is known. `label` is written there."""

    x: float
    y: float
    low: float
    high: float
    label: str = ""


class Panel(NamedTuple):
    """One plot: its title, what the axes are, and the points of each series, ascending in x where they are joined."""

    title: str
    x_title: str
    series: Mapping[str, Sequence[Point]]
    percent: bool = False
    logarithmic: bool = False
    joined: bool = True


def svg(panels: Sequence[Panel], columns: int = 3) -> str:
    """The panels side by side, in rows of `columns`, with one legend; empty panels are left out."""
    panels = [panel for panel in panels if any(panel.series.values())]
    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}
    columns = max(1, min(columns, len(panels)))
    rows = -(-len(panels) // columns)
    width, height = columns * _WIDTH, rows * _HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        x, y = number % columns * _WIDTH, number // columns * _HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel, colors), "</g>"]
    place = 12.0
    for name in names:
        y = rows * _HEIGHT + 14
        parts.append(f'<path d="M{place:g} {y - 4}h14" stroke="{colors[name]}" stroke-width="3"/>')
        parts.append(f'<text x="{place + 18:g}" y="{y}">{escape(name)}</text>')
        place += 34 + 6.2 * len(name)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, colors: Mapping[str, str]) -> list[str]:
    points = [point for series in panel.series.values() for point in series]
    across, x_ticks = _axis([p.x for p in points], _LEFT, _RIGHT, panel.logarithmic)
    ends = [0.0, 1.0] if panel.percent else [value for p in points for value in (p.low, p.high)]
    down, y_ticks = _axis(ends, _FLOOR, _TOP, False)
    parts = [f'<text class="title" x="{_LEFT}" y="16">{escape(panel.title)}</text>']
    for value in y_ticks:
        shown = f"{100 * value:.0f} %" if panel.percent else f"{value:g}"
        parts.append(f'<path class="grid" d="M{_LEFT} {down(value):.1f}H{_RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 5}" y="{down(value) + 4:.1f}" text-anchor="end">{shown}</text>')
    for value in x_ticks:
        place = f'x="{across(value):.1f}" y="{_FLOOR + 15}"'
        parts.append(f'<text class="tick" {place} text-anchor="middle">{value:,g}</text>')
    middle = (_LEFT + _RIGHT) / 2
    parts.append(
        f'<text class="tick" x="{middle}" y="{_FLOOR + 31}" text-anchor="middle">{escape(panel.x_title)}</text>'
    )
    for name, series in panel.series.items():
        color = colors[name]
        if panel.joined:
            path = " ".join(f"{across(p.x):.1f},{down(p.y):.1f}" for p in series)
            parts.append(f'<polyline class="curve" stroke="{color}" points="{path}"/>')
        for p in series:
            x, y = across(p.x), down(p.y)
            parts.append(f'<path class="whisker" stroke="{color}" d="M{x:.1f} {down(p.low):.1f}V{down(p.high):.1f}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>')
            if p.label:
                parts.append(f'<text class="tick" x="{x + 6:.1f}" y="{y - 5:.1f}">{escape(p.label)}</text>')
    return parts


def _axis(
    values: Sequence[float], start: float, end: float, logarithmic: bool
) -> tuple[Callable[[float], float], list[float]]:
    """Where a value stands between two pixels, and where the ticks are."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - abs(low) / 2 - 0.5 * (not low), high + abs(high) / 2 + 0.5 * (not high)
    if logarithmic:
        ticks = sorted(set(values))
        span = math.log(high / low)
        return lambda value: start + (end - start) * math.log(value / low) / span, ticks
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    ticks = [round(k * step, 12) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return lambda value: start + (end - start) * (value - low) / (high - low), ticks
