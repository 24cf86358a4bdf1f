"""What the figures of the study say: results.json, and a README in which every figure comes from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mov_ai.evaluation.metrics.bootstrap import mean_interval
from mov_ai.graph.files import write_bytes, write_json
from studies.graph_vs_text.judge import TOPICS
from studies.graph_vs_text.readme import percent_cell, points_cell, share_cell
from studies.graph_vs_text.report import MEASURES, difference
from studies.graph_vs_text.report import summary as judged
from studies.graph_vs_text.world import FRAMES, SIZE
from studies.temporal_parts.compute import Cost, to_json
from studies.temporal_parts.study import ARMS, AROUND

SCHEMA = 1
#: Pairs of arms that answer a question: the first against the second.
QUESTIONS: dict[tuple[str, str], str] = {
    ("blocks", "layers"): "Are blocks beside whole ones better than layers between, as FusionFrames found?",
    ("blocks", "tsam"): "Is an image model with blocks better than a network that learnt from videos alone?",
    ("layers", "tsam"): "Is an image model with layers?",
    ("blocks", "image"): "Do blocks bring anything to the image model?",
    ("layers", "image"): "Do layers?",
    ("tsam", "image"): "And TSAM beside single frames?",
}


def similarity(figures: dict[str, Any]) -> np.ndarray:
    """Of each video to its caption, (prompts,)."""
    return np.asarray(figures["similarity"])


def flicker(figures: dict[str, Any]) -> np.ndarray:
    """Of each video's still background, (prompts,)."""
    return np.asarray(figures["flicker"])


#: Figures of a run -> a value for each caption; all but the last are better higher.
_BY_CAPTION: dict[str, Callable[[dict[str, Any]], np.ndarray]] = {
    **MEASURES,
    "similarity": similarity,
    "flicker": flicker,
}
#: What an arm can be best in.
_CONTESTS = ("score", "is", "similarity", "flicker")


def summary(runs: Sequence[dict[str, Any]], cost: dict[str, Cost]) -> dict[str, Any]:
    """An arm: means over seeds with 95 % intervals over captions, and what it cost."""
    steps: dict[str, int] = runs[0]["steps"]
    own = list(steps)[-1]
    result = judged(runs)
    for name in ("similarity", "flicker"):
        values = np.mean([_BY_CAPTION[name](run) for run in runs], axis=0)
        result[name] = {"value": float(values.mean()), "ci95": mean_interval(values)}
        result[name]["of_seeds"] = [float(_BY_CAPTION[name](run).mean()) for run in runs]
    of_seeds = [run["is"]["value"] for run in runs]
    return {
        **result,
        "is": {
            "value": float(np.mean(of_seeds)),
            "of_seeds": of_seeds,
            "ci95_of_seeds": [r["is"]["ci95"] for r in runs],
        },
        "steps": steps,
        "training_flops": sum(count * cost[name].flops for name, count in steps.items()),
        "trained_parameters": cost[own].parameters,
        "seconds_per_step": cost[own].seconds,
        "seconds_per_video": float(np.mean([run["seconds_per_video"] for run in runs])),
    }


def _is_difference(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the inception scores, which are of whole sets: by seeds alone; told apart where all seeds agree."""
    seeds = sorted({run["seed"] for run in first} & {run["seed"] for run in second})
    of_seeds = []
    for seed in seeds:
        one, other = (next(run for run in runs if run["seed"] == seed) for runs in (first, second))
        of_seeds.append(one["is"]["value"] - other["is"]["value"])
    verdict = "cannot be told apart"
    if len(of_seeds) > 1:
        verdict = "more" if min(of_seeds) > 0 else "less" if max(of_seeds) < 0 else verdict
    return {"difference": float(np.mean(of_seeds)), "of_seeds": of_seeds, "seeds": seeds, "verdict": verdict}


def document(measured: Sequence[dict[str, Any]], ceiling: dict[str, Any], cost: dict[str, Cost]) -> dict[str, Any]:
    """results.json.

    Args:
        measured: figures.json of every run that there is.
        ceiling: the figures of the true clips.
        cost: of a step of each training.
    """
    runs = {arm: [run for run in measured if run["arm"] == arm] for arm in ARMS}
    runs = {arm: sorted(found, key=lambda run: int(run["seed"])) for arm, found in runs.items() if found}
    comparisons = []
    for first, second in QUESTIONS:
        own, others = runs.get(first, []), runs.get(second, [])
        if not {run["seed"] for run in own} & {run["seed"] for run in others}:
            continue
        told = {name: difference(own, others, values) for name, values in _BY_CAPTION.items()}
        told["is"] = _is_difference(own, others)
        comparisons.append({"first": first, "second": second, **{n: d for n, d in told.items() if d is not None}})
    shares = {name: values(ceiling) for name, values in _BY_CAPTION.items()}
    truth = {name: float(np.nanmean(values)) for name, values in shares.items() if np.isfinite(values).any()}
    truth |= {"is": ceiling["is"]["value"], "fvd": ceiling["fvd"], "still": ceiling["still"]}
    truth |= {name: float(np.mean(ceiling[name])) for name in ("distance", "warping")}
    return {
        "schema": SCHEMA,
        "prompts": ceiling["prompts"],
        "machine": measured[0]["machine"],
        "networks": ceiling["networks"],
        "ceiling": truth,
        "costs": to_json(cost),
        "arms": {arm: summary(found, cost) for arm, found in runs.items()},
        "comparisons": comparisons,
    }


def write_report(out: Path, measured: Sequence[dict[str, Any]], ceiling: dict[str, Any], cost: dict[str, Cost]) -> str:
    """Write results.json and README.md into a folder; the README's text."""
    results = document(measured, ceiling, cost)
    write_json(out / "results.json", results)
    text = markdown(results)
    write_bytes(out / "README.md", text.encode("utf-8"))
    return text


def markdown(results: dict[str, Any]) -> str:
    """README.md. Args: results, as `document` gives them."""
    truth, networks = results["ceiling"], results["networks"]
    lines = [
        "# What looks over time around a frozen image model",
        "",
        "    make study-temporal",
        "",
        f"Clips of {SIZE}x{SIZE} pixels and {FRAMES} frames, those of the study of graph against text. A text-to-image "
        "model (a U-Net and CLIP's text encoder, of diffusers and transformers) is trained on single frames of them "
        "and frozen; layers or blocks over time, as FusionFrames has them (arXiv 2311.13073), are trained around it. "
        "TSAM, whose attention over time is its own, is trained on the clips with as many floating-point operations as "
        "image model and parts together. All are told the caption alone, and no graph and no boxes: boxes would say "
        f"how things move, whatever looks over time. Judged on {results['prompts']} captions that none was trained on. "
        "This page is written by the command; no figure in it is typed.",
        "",
        f"Machine: {results['machine']}, one thread. No guidance; the same noise for every arm.",
        "",
        *_table(results),
        "",
        *_costs(results),
        "",
        *(f"- **{topic}**: {meaning}." for topic, meaning in TOPICS.items()),
        f"- **IS**: inception score of the classes of the {networks['is']}, in one split; in brackets that of each "
        "seed. Not the literature's.",
        f"- **similarity**: mean cosine of caption and video, {networks['similarity']}. Not CLIPSIM.",
        f"- **flicker**: mean change from frame to frame, in grey levels, of the {percent_cell(truth['still'])} of the "
        "frame that nothing touches in any true clip. The truth has 0, for which one level stands, the least that 8 "
        "bits hold: times the truth.",
        "- **distance**, **FVD**: on features of the embedded recognition network; **warping** as E_warp.",
        "",
        "## What it says",
        "",
        *_winners(results),
        *_answers(results),
        "",
        "## To be known",
        "",
        "- The arm of the image model alone has had the image model's share of the compute only: it is what the parts "
        "begin with.",
        "- Floating-point operations are of training: matrix products, convolutions and attention, forward and "
        "backward, the loss's terms too. Seconds a step say what they took here.",
        "- What was asked is asked as in the study of graph against text; the benchmark of `make eval` is of a larger "
        "world and was not run. All arms show little of it at this compute, so that the score ranks weakly.",
        "- TSAM is a network of its own: its attention over time was not put into the image model as a third kind of "
        "part.",
        "- FusionFrames reports IS 23.50 for layers and 24.17 for blocks on UCF-101, CLIPSIM .2904 and .2976 on "
        "MSR-VTT. Neither network nor videos nor size are its own here: only which is better can be compared.",
        *_inequalities(results),
    ]
    return "\n".join(lines) + "\n"


def _table(results: dict[str, Any]) -> list[str]:
    titles = ["arm", "of what was asked, %", *TOPICS, "IS", "similarity", "flicker", "distance", "FVD", "warping"]
    lines = [f"| {' | '.join(titles)} |", f"|---|{'---:|' * (len(titles) - 1)}"]
    for arm, cell in results["arms"].items():
        row = [f"**{arm}**: {ARMS[arm]}", *(share_cell(cell.get(measure)) for measure in MEASURES)]
        row += [_seeds(cell["is"], 2), _interval(cell["similarity"], 3), _interval(cell["flicker"], 2)]
        fvd = sum(cell["fvd_of_seeds"]) / len(cell["fvd_of_seeds"])
        row += [_interval(cell["distance"], 3), f"{fvd:.0f}", f"{cell['warping']:.4f}"]
        lines.append(f"| {' | '.join(row)} |")
    truth = results["ceiling"]
    row = ["true clips, through the codec", *(percent_cell(truth[m])[:-2] if m in truth else "" for m in MEASURES)]
    row += [f"{truth['is']:.2f}", f"{truth['similarity']:.3f}", f"{truth['flicker']:.2f}"]
    row += [f"{truth['distance']:.3f}", f"{truth['fvd']:.0f}", f"{truth['warping']:.4f}"]
    return [
        *lines,
        f"| {' | '.join(row)} |",
        "",
        "Means over seeds; 95 % intervals in brackets, by bootstrap over captions.",
    ]


def _costs(results: dict[str, Any]) -> list[str]:
    titles = ["arm", "seeds", "steps", "training, TFLOP", "parameters", "of them in the last training"]
    titles += ["seconds a step", "minutes", "seconds a video"]
    lines = [f"| {' | '.join(titles)} |", f"|---|{'---:|' * (len(titles) - 1)}"]
    for arm, cell in results["arms"].items():
        steps = " + ".join(f"{count:,}" for count in cell["steps"].values())
        row = [arm, str(len(cell["seeds"])), steps, f"{cell['training_flops'] / 1e12:.2f}", f"{cell['parameters']:,}"]
        row += [f"{cell['trained_parameters']:,}", f"{cell['seconds_per_step']:.3f}", f"{cell['minutes']:.1f}"]
        row.append(f"{cell['seconds_per_video']:.2f}")
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _winners(results: dict[str, Any]) -> list[str]:
    """Which arm is best in what, and whether it is told apart from the next."""
    arms = results["arms"]
    if len(arms) < 2:
        return ["One arm alone is measured yet."]
    lines = []
    for measure in _CONTESTS:
        sign = 1 if measure == "flicker" else -1
        first, second = sorted(arms, key=lambda arm: sign * arms[arm][measure]["value"])[:2]
        pair = _comparison(results, first, second)
        clear = pair is not None and pair[measure]["verdict"] != "cannot be told apart"
        how = "told apart from" if clear else "not told apart from"
        title = {"score": "what was asked for", "is": "IS"}.get(measure, measure)
        lines.append(f"- Best in {title}: **{first}**, {how} {second}, which is next.")
    return lines


def _comparison(results: dict[str, Any], first: str, second: str) -> dict[str, Any] | None:
    for comparison in results["comparisons"]:
        if {comparison["first"], comparison["second"]} == {first, second}:
            return dict(comparison)
    return None


def _answers(results: dict[str, Any]) -> list[str]:
    lines = []
    for one in results["comparisons"]:
        first, second = one["first"], one["second"]
        lines.append(f"- **{QUESTIONS[first, second]}** {first} less {second}:")
        points = [f"{name} {points_cell(one[name])}" for name in MEASURES if name in one]
        lines.append(f"  in points {', '.join(points)};")
        lines.append(
            f"  IS {one['is']['difference']:+.2f} (by seed {', '.join(f'{d:+.2f}' for d in one['is']['of_seeds'])}), "
            f"similarity {_signed(one['similarity'], 3)}, flicker {_signed(one['flicker'], 2)}."
        )
        said = {name: one[name]["verdict"] for name in ("score", "is", "similarity", "flicker")}
        verdicts = [f"{'IS' if name == 'is' else name} {verdict}" for name, verdict in said.items()]
        lines.append(f"  {first}: {', '.join(verdicts)}.")
    return lines


def _inequalities(results: dict[str, Any]) -> list[str]:
    counts = {len(cell["seeds"]) for cell in results["arms"].values()}
    lines = []
    if counts != {3} or set(results["arms"]) != set(ARMS):
        lines.append("- Not every arm has three seeds yet; comparisons are over the seeds that both have.")
    if set(AROUND) <= set(results["arms"]):
        sizes = [f"{arm} {results['arms'][arm]['trained_parameters']:,}" for arm in AROUND]
        lines.append(f"- Equal is compute, and not size: {' and '.join(sizes)} parameters over time.")
    return lines


def _interval(cell: dict[str, Any], digits: int) -> str:
    low, high = cell["ci95"]
    return f"{cell['value']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _seeds(cell: dict[str, Any], digits: int) -> str:
    return f"{cell['value']:.{digits}f} [{', '.join(f'{value:.{digits}f}' for value in cell['of_seeds'])}]"


def _signed(change: dict[str, Any], digits: int) -> str:
    low, high = change["ci95"]
    return f"{change['difference']:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
