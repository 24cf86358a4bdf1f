"""results.json with values, keys and characters damaged: compared with a whole one, and printed."""

from __future__ import annotations

import io
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console

from mov_ai.evaluation.metrics.result import Absent, MetricResult, Provenance, Settings
from mov_ai.evaluation.report.compare import compare, comparison_table
from mov_ai.evaluation.report.results import CategoryScore, Results
from mov_ai.evaluation.video_metrics import Figure
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_json, json_text


@cache
def _whole() -> str:
    settings = Settings(16, 8.0, "128x128", "h264 yuv420p crf 18")
    psnr = MetricResult("psnr", 30.5, (29.0, 31.0), 64, True, Provenance(None, None, settings), {"peak": 255})
    results = Results(
        title="tiny, 128 px",
        settings={"checkpoint": "tiny"},
        environment={},
        seed=0,
        metrics={"psnr": Figure(psnr), "fvd": Figure(Absent("i3d is not here", "mov-ai weights pull i3d"))},
        compositional={"motion": CategoryScore(0.5, (0.4, 0.6), 16, 0.9, (0.8, 1.0))},
        checked={"checker": "x", "stage": 128},
    )
    return json.dumps(results.to_json())


def make(rng: random.Random, folder: Path) -> Case:
    """A whole document and a damaged one."""
    value, about = damaged_json(json.loads(_whole()), rng)
    files = [folder / "whole.json", folder / "damaged.json"]
    files[0].write_text(_whole(), encoding="utf-8")
    files[1].write_bytes(json_text(value, rng).encode("utf-8", "surrogatepass"))

    def run() -> str:
        table, footnotes = comparison_table(compare(files), files)
        console = Console(file=io.StringIO(), width=100, force_terminal=False)
        console.print(table)
        return console.file.getvalue() + "\n".join(footnotes)  # type: ignore[attr-defined, no-any-return]

    def wrong(shown: str) -> str | None:
        if any(not character.isprintable() and character != "\n" for character in _without_marks(shown)):
            return "what is printed steers the terminal"
        return None

    return Case(about, run, wrong)


def _without_marks(text: str) -> str:
    """Without what only joins or directs letters, which a terminal shows as it is."""
    marks: dict[int, Any] = dict.fromkeys(map(ord, "\u200d\u202e\ufeff"))
    return text.translate(marks)


KIND = Kind("results", 1.0, make)
