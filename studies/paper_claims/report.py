"""What was found of the paper's claims: results.json, a plot, and a README in which every figure comes from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.curves import Panel, Point, svg
from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.bootstrap import mean_interval
from mov_ai.graph.files import read_json, write_bytes, write_json
from studies.graph_vs_text.report import score
from studies.paper_claims.study import MODULES, PAPER_WEIGHTS

SCHEMA = 1


def document(runs: Path) -> dict[str, Any]:
    """results.json, of what is there.

    Raises:
        MovAIError: if nothing is.
    """
    sweep = _points([read_json(path) for path in sorted((runs / "sweep").glob("*/figures.json"))])
    ceiling = _point(read_json(runs / "ceiling.json")) if sweep and (runs / "ceiling.json").is_file() else None
    files = {name: runs / "modules" / f"{name}.json" for name in MODULES}
    modules = {name: read_json(path) for name, path in files.items() if path.is_file()}
    sizes = read_json(runs / "sizes.json") if (runs / "sizes.json").is_file() else None
    if not sweep and not modules and sizes is None:
        raise MovAIError(f"{runs}: nothing is measured yet; run the part loss, modules or sizes first")
    return {"schema": SCHEMA, "loss": sweep, "true_clips": ceiling, "modules": modules, "sizes": sizes}


def _values(figures: dict[str, Any]) -> dict[str, np.ndarray]:
    """Of each caption: how much of what was asked for is shown, and the warping error."""
    return {"score": score(figures), "warping": np.asarray(figures["warping"])}


def _point(figures: dict[str, Any]) -> dict[str, Any]:
    """What was measured of a training, or of the true clips."""
    return {
        "prompts": figures["prompts"],
        **{name: {"value": float(v.mean()), "ci95": mean_interval(v)} for name, v in _values(figures).items()},
    }


def _points(sweep: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trainings of the sweep: their weights, their figures, and by how much these differ from the paper's weights'.

    Differences are of the same captions, so that the spread between captions is no part of their intervals.
    """
    usual = next((f for f in sweep if all(f[name] == weight for name, weight in PAPER_WEIGHTS.items())), None)
    points = []
    for figures in sweep:
        point = {**{name: figures[name] for name in PAPER_WEIGHTS}, **_point(figures)}
        if usual is not None and figures is not usual:
            pairs = {name: values - _values(usual)[name] for name, values in _values(figures).items()}
            point["change"] = {n: {"value": float(v.mean()), "ci95": mean_interval(v)} for n, v in pairs.items()}
        points.append(point)
    return points


def varied(sweep: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The trainings in which only this weight may differ from the paper's, ascending in it."""
    others = {other: usual for other, usual in PAPER_WEIGHTS.items() if other != name}
    return sorted((p for p in sweep if all(p[k] == usual for k, usual in others.items())), key=lambda p: float(p[name]))


def plot(sweep: list[dict[str, Any]]) -> str:
    """Consistency over time against alignment, a panel for each weight, as SVG.

    Further right is better. Lower is steadier: a frozen video has no warping error at all.
    """
    panels = []
    for name in PAPER_WEIGHTS:
        points = [
            Point(100 * p["score"]["value"], p["warping"]["value"], low, high, f"{p[name]:g}")
            for p in varied(sweep, name)
            for low, high in [p["warping"]["ci95"]]
        ]
        title = f"warping error, weight of {name}"
        panels.append(Panel(title, "% of what was asked for", {name: points}, joined=False))
    return svg([panel for panel in panels if next(iter(panel.series.values()))])


def write_report(runs: Path, out: Path) -> str:
    """Write results.json, loss.svg and README.md into a folder; the README's text. Raises MovAIError as `document`."""
    results = document(runs)
    write_json(out / "results.json", results)
    if results["loss"]:
        write_bytes(out / "loss.svg", plot(results["loss"]).encode("utf-8"))
    text = markdown(results)
    write_bytes(out / "README.md", text.encode("utf-8"))
    return text


def markdown(results: dict[str, Any]) -> str:
    """README.md. Args: results, as `document` gives them."""
    lines = [
        "# Claims of the paper",
        "",
        '    make study-paper STUDY=loss | STUDY=sizes | STUDY="modules --denoiser runs/tiny/denoiser"',
        "",
        "This page is written by the command; no figure in it is typed. 95 % intervals in brackets, by bootstrap over "
        "captions or clips; one seed.",
        "",
        "## The weights of the loss",
        "",
        *(_loss(results["loss"], results["true_clips"]) if results["loss"] else ["Not measured yet."]),
        "",
        "## Modules apart and joined",
        "",
        "The paper trains its modules together, end to end. Here they pass on what a person can read: a graph, boxes, "
        "a video. No gradient goes through a graph, so what can be compared is whether a module learnt from true "
        "inputs or from those that the module before it makes. Between parser and denoiser there is little to tell "
        "apart: the study of graph against text says for how many captions both are the same graph. Between denoiser "
        "and refiner:",
        "",
        *(_modules(results["modules"]) if results["modules"] else ["Not measured yet."]),
        "",
        "## 256 against 512",
        "",
        *(_sizes(results["sizes"]) if results["sizes"] else ["Not measured yet."]),
    ]
    return "\n".join(lines) + "\n"


def _loss(sweep: list[dict[str, Any]], ceiling: dict[str, Any] | None) -> list[str]:
    lines = [
        "The arm of the study of graph against text that has boxes without looks, and looks by attention, "
        f"{sweep[0]['prompts']} captions; one weight at a time, the others as in the paper "
        f"({', '.join(f'{n} {w:g}' for n, w in PAPER_WEIGHTS.items())}). Changes are to the paper's weights, of the "
        "same captions. A frozen video has no warping error: less is steadier, but better only down to that of true "
        "clips.",
        "",
        "![consistency against alignment](loss.svg)",
        "",
        "| weight | set to | of what was asked for, % | change, points | warping error | change |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    verdicts = []
    for name in PAPER_WEIGHTS:
        points = varied(sweep, name)
        for p in points:
            low, high = p["score"]["ci95"]
            own = f"{100 * p['score']['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            still = f"{p['warping']['value']:.5f} [{p['warping']['ci95'][0]:.5f}, {p['warping']['ci95'][1]:.5f}]"
            changes = p.get("change", {})
            more, steadier = (_change(changes.get(key), times, digits) for key, times, digits in _SHOWN)
            lines.append(f"| {name} | {p[name]:g} | {own} | {more} | {still} | {steadier} |")
        if any("change" in p for p in points):
            verdicts.append(_verdict(name, points))
    if ceiling is not None:
        shares, steady = (100 * ceiling["score"]["value"], ceiling["warping"]["value"])
        lines.append(f"| true clips, through the codec | | {shares:.1f} | | {steady:.5f} | |")
    return [*lines, "", *verdicts]


#: Figure -> by how much it is multiplied where it is shown, and its digits.
_SHOWN = (("score", 100, 1), ("warping", 1, 5))


def _change(change: dict[str, Any] | None, times: float, digits: int) -> str:
    if change is None:
        return ""
    low, high = (f"{times * end:+.{digits}f}" for end in change["ci95"])
    return f"{times * change['value']:+.{digits}f} [{low}, {high}]"


def _verdict(name: str, points: list[dict[str, Any]]) -> str:
    """Whether a weight matters: at which values the paired interval leaves out no change."""
    said = []
    for measure, title in (("score", "what is shown of what was asked for"), ("warping", "the warping error")):
        words = []
        for point in points:
            change = point.get("change", {}).get(measure)
            if change is not None and not change["ci95"][0] <= 0 <= change["ci95"][1]:
                words.append(f"{'more' if change['value'] > 0 else 'less'} at {point[name]:g}")
        said.append(
            f"{title} is {', '.join(words)}" if words else f"{title} cannot be told from the paper's at any value"
        )
    return f"- **{name}**: {'; '.join(said)}."


def _modules(modules: dict[str, Any]) -> list[str]:
    lines = ["| refiner | row | object PSNR, dB | edge gradient | floor flicker | gain over enlarging, dB |"]
    lines += ["|---|---|---:|---:|---:|---:|"]
    for name, measured in modules.items():
        for row in measured["rows"]:
            if row["size"] == 256:
                title = f"{name}: {MODULES[name]}" if row["row"] == "stage" else ""
                lines.append(f"| {title} | {row['row']} | {_cells(row)} |")
    clips = [_row(measured, 256).get("object_psnr_of_clips") for measured in modules.values()]
    if len(clips) == len(MODULES) and all(clips):
        apart, joined = (np.asarray(values, dtype=float) for values in clips)
        low, high = mean_interval(joined - apart)
        gained = f"{(joined - apart).mean():+.2f} [{low:+.2f}, {high:+.2f}] dB"
        lines += ["", f"Joined gains {gained} over apart, on the same {len(joined)} clips after equal steps."]
    return lines


def _sizes(measured: dict[str, Any]) -> list[str]:
    lines = [f"{measured['checkpoint']}: {measured['clips']} {measured['split']} clips under gold graphs and boxes."]
    lines += ["", "| size | row | object PSNR, dB | edge gradient | floor flicker | gain over enlarging, dB | s |"]
    lines += ["|---:|---|---:|---:|---:|---:|---:|"]
    for row in measured["rows"]:
        lines.append(f"| {row['size']} | {row['row']} | {_cells(row)} | {_cell(row.get('seconds'), 1)} |")
    for size in (256, 512):
        gain = _row(measured, size).get("gain")
        if gain:
            low, high = gain["ci95"] or (gain["value"],) * 2
            better = "is better than" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
            lines += ["", f"At {size} the stage {better} the first stage enlarged: {gain['value']:+.2f} dB."]
    if on_before := _row(measured, 512).get("gain_on_before"):
        low, high = on_before["ci95"] or (on_before["value"],) * 2
        lines += ["", f"512 beside 256 enlarged: {on_before['value']:+.2f} [{low:+.2f}, {high:+.2f}] dB."]
    return lines


def _row(measured: dict[str, Any], size: int) -> dict[str, Any]:
    return next((row for row in measured["rows"] if (row["size"], row["row"]) == (size, "stage")), {})


def _cells(row: dict[str, Any]) -> str:
    digits = {"object_psnr": 2, "edge_gradient": 3, "flicker": 4, "gain": 2}
    return " | ".join(_cell(row.get(name), count) for name, count in digits.items())


def _cell(figure: dict[str, Any] | None, digits: int) -> str:
    if figure is None:
        return ""
    ends = figure.get("ci95")
    spread = "" if ends is None else f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"
    return f"{figure['value']:.{digits}f}{spread}"
