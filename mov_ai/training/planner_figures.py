"""What a planner's layouts show, by the verifiers: with one candidate, and with the best of several."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mov_ai.graph import SceneGraph
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.models.planner import LayoutPlanner, Verifier

#: Kinds of verdicts that a report has.
_KINDS = ("events", "relations", "places", "presence", "sizes", "camera")


def plan_figures(
    module: LayoutPlanner,
    graphs: list[SceneGraph],
    verifier: Verifier,
    candidates: int = 8,
    seed: int = 0,
    by_motion: bool = True,
) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of what graphs say and planned layouts show: with one candidate, with the best.

    Args:
        module: the planner.
        graphs: one layout is planned for each.
        verifier: judges and chooses.
        candidates: see `LayoutPlanner.plan`.
        seed: of every plan.
        by_motion: whether events are told motion by motion too.

    Returns:
        "facts" (all that can be told), its parts "events", "relations", "places", "presence", "sizes", "camera",
        "inside", "apart" (plans in which nothing touches), "faultless" (plans) and "motion_<name>"; of the best also
        "milliseconds" (median for a plan).
    """
    one, best, seconds = [], [], []
    for graph in graphs:
        one.append(verifier(graph, module.candidates(graph, seed, candidates=1)[0]))
        start = time.perf_counter()
        _, report = module.plan(graph, seed, candidates=candidates, verifier=verifier)
        seconds.append(time.perf_counter() - start)
        assert report is not None
        best.append(report)
    return (
        _shares(one, by_motion),
        {**_shares(best, by_motion), "milliseconds": round(1000 * float(np.median(seconds)), 1)},
    )


def _shares(reports: list[LayoutReport], by_motion: bool) -> dict[str, float]:
    told = [
        (kind, v) for report in reports for kind in _KINDS for v in getattr(report, kind) if v.satisfied is not None
    ]
    marks: dict[str, list[Any]] = {
        "facts": [v.satisfied for _, v in told],
        **{name: [v.satisfied for kind, v in told if kind == name] for name in _KINDS},
        "inside": [report.inside for report in reports],
        "apart": [report.touching == 0 for report in reports],
        "faultless": [report.satisfied for report in reports],
    }
    events = [v for kind, v in told if kind == "events"]
    for motion in sorted({v.kind for v in events}) if by_motion else ():
        marks[f"motion_{motion}"] = [v.satisfied for v in events if v.kind == motion]
    # What no graph says has no share.
    return {name: round(float(np.mean(values)), 4) for name, values in marks.items() if values}
