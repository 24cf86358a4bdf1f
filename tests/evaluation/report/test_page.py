"""report.html and report.md: everything is said, nothing is markup that was not meant to be, nothing is fetched."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mov_ai.evaluation.metrics.result import Absent, MetricResult, Provenance, Reference, Settings
from mov_ai.evaluation.report.markdown import markdown
from mov_ai.evaluation.report.page import page
from mov_ai.evaluation.report.results import CategoryScore, Results, VideoRow
from mov_ai.evaluation.report.wording import interval, number, shortened
from mov_ai.evaluation.video_metrics import Figure

SETTINGS = Settings(16, 8.0, "128x128", "h264 yuv420p crf 18")
HOSTILE = '<script>alert("&1")</script>\n\x1b[31m'


def result(name: str, value: float = 12.5, n: int = 64, **others: object) -> MetricResult:
    provenance = Provenance("some network", f"file.pt (sha256 {'0123456789abcdef' * 4})", SETTINGS)
    given = {"provenance": provenance, "notes": (f"note of {HOSTILE}",), **others}
    return MetricResult(name, value, (value - 1, value + 1), n, False, **given)  # type: ignore[arg-type]


def results(**others: object) -> Results:
    compared = Provenance("net", None, SETTINGS, Reference("clips <x>", 256, SETTINGS))
    metrics = {
        "embedded_fvd": Figure(
            result("embedded_fvd", provenance=compared),
            real=result("embedded_fvd", 3.25),
            seconds_per_64=2.5,
            curve=((8, 40.0), (16, 25.0), (64, 12.5)),
        ),
        "embedded_fvd_infinity": Figure(result("embedded_fvd_infinity", 6.0)),
        "embedded_clipsim": Figure(result("embedded_clipsim", 0.5), permuted=result("embedded_clipsim", 0.125)),
        "fvd": Figure(Absent("i3d is not here", "mov-ai weights pull i3d")),
    }
    given = {
        "title": f"run {HOSTILE}",
        "settings": {"checkpoint": HOSTILE, "steps": None},
        "environment": {"machine": "a machine", "time": "now", "versions": {"torch": "2"}},
        "seed": 7,
        "metrics": metrics,
        "compositional": {
            "motion": CategoryScore(0.5, (0.25, 0.75), 8, 0.98, (0.95, 1.0)),
            f"cat {HOSTILE}": Absent("none", "more"),
        },
        "videos": (
            VideoRow(
                "a & b#1",
                HOSTILE,
                "motion",
                3,
                0.5,
                {HOSTILE: True, "left": False},
                {"lpips": 0.25},
                "clips/a & b#1.mp4",
                "sheets/a.jpg",
            ),
            VideoRow("plain"),
        ),
        "notices": (f"left out {HOSTILE}",),
        "seconds": {"in all": 12.0},
    }
    return Results(**{**given, **others})  # type: ignore[arg-type]


class Checker(HTMLParser):
    """Every tag closes, and what is linked."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "poster", "xlink:href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_sound_self_contained_and_escaped() -> None:
    html = page(results())
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert "script" not in checker.tags
    assert set(checker.links) == {"clips/a%20%26%20b%231.mp4", "sheets/a.jpg"}
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"url\(|@import|https?://", html)
    for words in (
        "12.5",
        "11.5 to 13.5",
        "3.25",
        "mov-ai weights pull i3d",
        "0123456789ab…",
        "98.0 %",
        "clips &lt;x&gt;",
    ):
        assert words in html
    assert "prefers-color-scheme:dark" in html
    assert html.count("<svg") == 2


def test_page_of_an_evaluation_without_benchmark_or_videos() -> None:
    html = page(results(compositional={}, videos=(), notices=(), metrics={}))
    assert "Compositional" not in html
    assert "Contact sheets" not in html


def test_markdown_has_the_same_figures_and_no_stray_markup() -> None:
    text = markdown(results())
    assert "| FVD, embedded | 12.5 | \\[11.5, 13.5\\] | 3.25 | 64 | lower | net | none |" in text
    assert "| motion | 50.0 % | 25.0-75.0 | 98.0 % | 8 |" in text
    assert "absent: fvd: i3d is not here; mov-ai weights pull i3d" in text.replace("\\", "")
    assert "0.125 with the prompts permuted" in text
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {6, 9}


def bias_plot(curve: tuple[tuple[int, float], ...], limit: float | None, ci95: tuple[float, float] | None) -> str:
    metrics = {"fvd": Figure(result("fvd"), curve=curve)}
    if limit is not None:
        metrics["fvd_infinity"] = Figure(replace(result("fvd_infinity"), value=limit, ci95=ci95))
    return page(results(metrics=metrics))


def test_plots_put_values_in_their_places() -> None:
    svg = page(
        results(
            compositional={
                "all": CategoryScore(1.0, (1.0, 1.0), 4, 1.0, (1, 1)),
                "half": CategoryScore(0.5, (0.2, 0.8), 4, 1.0, (1, 1)),
            }
        )
    )
    widths = [float(w) for w in re.findall(r'class="bar"[^>]*width="([\d.]+)"', svg)]
    assert widths[0] == pytest.approx(2 * widths[1])
    svg = bias_plot(((10, 30.0), (20, 20.0), (40, 15.0)), 10.0, (9.0, 11.0))
    points = re.search(r'points="([^"]*)"', svg)
    assert points is not None
    xs, ys = zip(*((float(v) for v in pair.split(",")) for pair in points[1].split()), strict=True)
    # On 1/n the three lie on a line, which goes on to the limit.
    assert (ys[0] - ys[1]) / (xs[0] - xs[1]) == pytest.approx((ys[1] - ys[2]) / (xs[1] - xs[2]), rel=0.02)
    limit = re.search(r'class="limit" cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert limit is not None
    slope = (ys[0] - ys[2]) / (xs[0] - xs[2])
    assert float(limit[2]) == pytest.approx(ys[2] + slope * (float(limit[1]) - xs[2]), abs=0.5)


@pytest.mark.parametrize("curve", [((2, 0.0), (4, 0.0)), ((2, -1.0), (3, -2.0)), ((2, 1e9), (1000, 1e-9))])
def test_plots_bear_any_values(curve: tuple[tuple[int, float], ...]) -> None:
    assert "nan" not in bias_plot(curve, None, None)
    assert "nan" not in bias_plot(curve, -5.0, (-6.0, 0.0))


def test_numbers_and_intervals_are_short() -> None:
    assert [number(v) for v in (0, 0.12345, 1234.5, 123456.0, 1.5e-7, -2.0, None)] == [
        *("0", "0.1235", "1234", "123456", "1.5e-07", "-2", "")
    ]
    assert interval((0.5, 1.25)) == "[0.5, 1.25]"
    assert interval(None) == ""
    assert shortened(f"a (sha256 {'ab' * 32})") == "a (sha256 abababababab…)"
    assert shortened(None) == ""
