"""What the figures of the study say: results.json, the curves, and a README in which every figure comes from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.curves import Panel, Point, svg
from mov_ai.evaluation.metrics.bootstrap import mean_interval, share_interval
from mov_ai.graph.files import write_bytes, write_json
from studies.graph_vs_text.judge import TOPICS
from studies.graph_vs_text.study import ARMS

SCHEMA = 1
#: Pairs of arms that answer a question: the first against the second.
QUESTIONS: dict[tuple[str, str], str] = {
    ("graph", "text"): "Is a graph better read than the sentence that it was made of?",
    ("graph", "graph_by_attention"): "Is it worth that nodes hear their neighbours along the edges?",
    ("graph", "graph_ungated"): "Do intervals that gate attention help where no box says when?",
    ("boxes", "graph"): "What do boxes add, if looks still have to be attended to?",
    ("painting", "boxes"): "Does it help to paint looks into the boxes instead of attending to them?",
    ("full", "painting"): "What do text, attention to nodes and their painted vectors add to painted looks?",
    ("full", "text"): "The whole system against text alone: the paper's claim",
    ("full", "no_spatial"): "What is attention within frames worth beside training without it?",
    ("full", "no_temporal"): "What is attention between frames worth beside training without it?",
    ("full", "no_cross"): "What is attention to text and graph worth beside training without it?",
}
#: What the paper says its graph brings (arXiv 2511.00107): share by which a distance falls.
PAPER = {"distance": ("LPIPS", 0.153), "fvd": ("FVD", 0.127)}
#: Figures of a run -> a value for each caption.
_Values = Callable[[dict[str, Any]], np.ndarray]


def score(figures: dict[str, Any]) -> np.ndarray:
    """The share of questions that each video answers with yes, (prompts,)."""
    rows = np.sum(list(figures["answers"].values()), axis=0)
    return np.asarray(rows[:, 0] / rows[:, 1])


def topic_shares(topic: str) -> _Values:
    """A function as `score`, for the questions of one topic; NaN where a caption raises none."""

    def shares(figures: dict[str, Any]) -> np.ndarray:
        rows = np.asarray(figures["answers"].get(topic, [[0, 0]] * figures["prompts"]), dtype=float)
        return np.where(rows[:, 1] > 0, rows[:, 0] / np.maximum(rows[:, 1], 1), np.nan)

    return shares


def distance(figures: dict[str, Any]) -> np.ndarray:
    """Distance of each video to the true clip, (prompts,)."""
    return np.asarray(figures["distance"])


MEASURES: dict[str, _Values] = {"score": score, **{topic: topic_shares(topic) for topic in TOPICS}}


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An arm after a budget: means over seeds with 95 % intervals over captions, and what it cost."""
    values = np.mean([score(run) for run in runs], axis=0)
    result: dict[str, Any] = {
        "seeds": [run["seed"] for run in runs],
        "samples": runs[0]["samples"],
        "parameters": runs[0]["parameters"],
        "minutes": float(np.mean([run["seconds"] for run in runs]) / 60),
        "score": {"value": float(values.mean()), "ci95": mean_interval(values)},
        "score_of_seeds": [float(score(run).mean()) for run in runs],
        "perfect": float(np.mean([(score(run) == 1).mean() for run in runs])),
        "fvd_of_seeds": [run["fvd"] for run in runs],
        "warping": float(np.mean([run["warping"] for run in runs])),
    }
    for topic in TOPICS:
        rows = _summed([run["answers"] for run in runs], topic)
        if rows is not None:
            result[topic] = {"value": _share(rows), "ci95": share_interval(*rows.T.tolist())}
    if all("without" in run for run in runs):
        result["without"] = {
            part: {topic: _share(_summed([run["without"][part] for run in runs], topic)) for topic in TOPICS}
            for part in runs[0]["without"]
        }
    far = np.mean([distance(run) for run in runs], axis=0)
    result["distance"] = {"value": float(far.mean()), "ci95": mean_interval(far)}
    return result


def _summed(answers: Sequence[dict[str, Any]], topic: str) -> np.ndarray | None:
    """Answers of yes and questions of a topic, of each caption over runs (prompts, 2); None if nothing was asked."""
    rows = np.sum([each[topic] for each in answers if topic in each], axis=0)
    return rows if np.ndim(rows) == 2 and rows[:, 1].any() else None


def _share(rows: np.ndarray | None) -> float | None:
    return None if rows is None else float(rows[:, 0].sum() / rows[:, 1].sum())


def difference(
    first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]], values: _Values
) -> dict[str, Any] | None:
    """The first arm's less the second's over the seeds that both have; a 95 % interval over captions, paired.

    Returns:
        None if fewer than two captions have a value; else `difference`, `ci95`, `of_seeds`, and `verdict`: "more" or
        "less" if the interval leaves out 0 and every seed has that sign, else "cannot be told apart".
    """
    seeds = sorted({run["seed"] for run in first} & {run["seed"] for run in second})
    rows = []
    for seed in seeds:
        one, other = (next(run for run in runs if run["seed"] == seed) for runs in (first, second))
        rows.append(values(one) - values(other))
    paired = np.mean(rows, axis=0)
    paired = paired[np.isfinite(paired)]
    if len(paired) < 2:
        return None
    low, high = mean_interval(paired)
    of_seeds = [float(np.nanmean(row)) for row in rows]
    verdict = "cannot be told apart"
    for word, sign in (("more", 1), ("less", -1)):
        if min(sign * low, sign * high) > 0 and all(sign * each > 0 for each in of_seeds):
            verdict = word
    return {
        "difference": float(paired.mean()), "ci95": [low, high], "of_seeds": of_seeds, "seeds": seeds,
        "verdict": verdict,
    }  # fmt: skip


def document(measured: Sequence[dict[str, Any]], ceiling: dict[str, Any]) -> dict[str, Any]:
    """results.json.

    Args:
        measured: the figures of every arm, seed and budget that there are.
        ceiling: the figures of the true clips.
    """
    cells: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for run in sorted(measured, key=lambda run: (run["steps"], run["seed"])):
        cells.setdefault(run["arm"], {}).setdefault(run["steps"], []).append(run)
    comparisons = []
    for first, second in QUESTIONS:
        shared = [steps for steps in cells.get(first, {}) if _shared(cells, first, second, steps)]
        for steps in shared:
            runs, others = cells[first][steps], cells[second][steps]
            pairs = {n: difference(runs, others, values) for n, values in (*MEASURES.items(), ("distance", distance))}
            told = {name: pair for name, pair in pairs.items() if pair is not None}
            comparisons.append({"first": first, "second": second, "steps": steps, **told})
    real = {name: share for name, values in MEASURES.items() if (share := _mean(values(ceiling))) is not None}
    return {
        "schema": SCHEMA,
        "prompts": ceiling["prompts"],
        "machine": measured[0]["machine"],
        "ceiling": {
            **real,
            "distance": float(np.mean(ceiling["distance"])),
            "fvd": ceiling["fvd"],
            "warping": float(np.mean(ceiling["warping"])),
            "parsed_alike": ceiling["parsed_alike"],
        },
        "arms": {
            arm: {str(steps): summary(runs) for steps, runs in cells[arm].items()} for arm in ARMS if arm in cells
        },
        "comparisons": comparisons,
    }


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _shared(cells: dict[str, dict[int, list[dict[str, Any]]]], first: str, second: str, steps: int) -> bool:
    seeds = [{run["seed"] for run in cells.get(arm, {}).get(steps, [])} for arm in (first, second)]
    return bool(seeds[0] & seeds[1])


def curves(results: dict[str, Any]) -> str:
    """The learning curves as SVG: the score, and each topic."""
    panels = []
    for measure in MEASURES:
        series = {
            arm: [
                Point(cell["samples"], cell[measure]["value"], *cell[measure]["ci95"])
                for cell in cells.values()
                if measure in cell
            ]
            for arm, cells in results["arms"].items()
        }
        panels.append(Panel(measure, "clips seen in training", series, percent=True, logarithmic=True))
    return svg(panels)


def write_report(out: Path, measured: Sequence[dict[str, Any]], ceiling: dict[str, Any]) -> str:
    """Write results.json, curves.svg and README.md into a folder; the README's text."""
    from studies.graph_vs_text.readme import markdown

    results = document(measured, ceiling)
    write_json(out / "results.json", results)
    write_bytes(out / "curves.svg", curves(results).encode("utf-8"))
    text = markdown(results)
    write_bytes(out / "README.md", text.encode("utf-8"))
    return text
