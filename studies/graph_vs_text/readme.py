"""The README of the study in words; every figure in it comes from results.json."""

from __future__ import annotations

from typing import Any

from studies.graph_vs_text.judge import TOPICS
from studies.graph_vs_text.report import MEASURES, PAPER, QUESTIONS
from studies.graph_vs_text.study import ARMS
from studies.graph_vs_text.world import COLORS, FRAMES, NOUNS, SIZE

#: What holds of the study whatever its figures are.
FACTS = (
    "Graphs and boxes are the true ones. Sentences are so simple that the embedded parser makes the same graph of "
    "{parsed_alike} of them, so a graph that was parsed would do as well here; boxes that were planned might not.",
    "Boxes say where a thing goes, so that motion is given to the arms that have them, and half of every order.",
    "All losses weigh the cells in the true boxes higher, those of arms that see no boxes too.",
    "No guidance: one evaluation of the network a step.",
    "Sentence and graph are read by two layers that learn from nothing here. A text encoder that was trained before "
    "would read the sentence better.",
    "A graph says each thing once, with its time. The sentence has to be understood: {patterns}.",
    "Distance and FVD are those of the embedded recognition network, which knows this world and no other: neither "
    "LPIPS nor the FVD of papers. Distances to the true clip count a thing in another place as wrong, and only boxes "
    "say the place; that favours arms with boxes.",
)
#: What the study was made to show: the graph above text, and gating above none, by so much.
GRAPH_OVER_TEXT, GATING = 0.10, 0.15
_UNGATED = "Intervals are features of the nodes in both, where a network can read them that trains without the gate."
#: What is switched off in the finished network -> how that is said.
_OFF = {"gating": "without the gate", "node_intervals": "with nodes that hold all the time"}


def markdown(results: dict[str, Any]) -> str:
    """README.md. Args: results, as `report.document` gives them."""
    ceiling = results["ceiling"]
    lines = ["# Graph against text", "", "    make study-graph", ""]
    lines += [
        f"Clips of {SIZE}x{SIZE} pixels and {FRAMES} frames: one or two of {', '.join(NOUNS.values())} in "
        f"{', '.join(COLORS)} slide, jump or change colour, one after another or at the same time. Networks of one "
        "design are told of them in other ways, or lack a part, and see the same clips in the same order with the same "
        f"noise. Each is judged on {results['prompts']} captions that none was trained on, by the embedded checker, "
        "which sees the pixels alone. This page is written by the command; no figure in it is typed.",
        "",
        f"Machine: {results['machine']}, one thread. The true clips, through the codec, pass "
        f"{percent_cell(ceiling['score'])} of the questions.",
        "",
        "![learning curves](curves.svg)",
        "",
    ]
    lines += _table(results)
    lines += ["", *(f"- **{topic}**: {meaning}." for topic, meaning in TOPICS.items()), ""]
    lines += ["## What it says", "", *_answers(results), "", "## Against the paper", "", *_paper(results), ""]
    lines += ["## To be known", ""]
    said = {
        "parsed_alike": percent_cell(ceiling["parsed_alike"]),
        "patterns": '"a, then b", "b after a", "before b, a"',
    }
    lines += [f"- {fact.format(**said)}" for fact in FACTS]
    lines += [f"- {line}" for line in _inequalities(results)]
    return "\n".join(lines) + "\n"


def _table(results: dict[str, Any]) -> list[str]:
    titles = ["arm", "clips seen", "seeds", *MEASURES, "all right", "distance", "FVD", "warping", "minutes"]
    lines = [f"| {' | '.join(titles)} |", f"|---|{'---:|' * (len(titles) - 1)}"]
    for arm, cells in results["arms"].items():
        for place, cell in enumerate(cells.values()):
            shares = [share_cell(cell.get(measure)) for measure in MEASURES]
            fvd = sum(cell["fvd_of_seeds"]) / len(cell["fvd_of_seeds"])
            row = [f"**{arm}**: {ARMS[arm]}" if place == 0 else "", f"{cell['samples']:,}", str(len(cell["seeds"]))]
            row += [*shares, percent_cell(cell["perfect"]), f"{cell['distance']['value']:.3f}", f"{fvd:.0f}"]
            row += [f"{cell['warping']:.4f}", f"{cell['minutes']:.1f}"]
            lines.append(f"| {' | '.join(row)} |")
    ceiling = results["ceiling"]
    shares = [percent_cell(ceiling[measure]) if measure in ceiling else "" for measure in MEASURES]
    row = ["true clips, through the codec", "", "", *shares, ""]
    row += [f"{ceiling['distance']:.3f}", f"{ceiling['fvd']:.0f}", f"{ceiling['warping']:.4f}", ""]
    lines.append(f"| {' | '.join(row)} |")
    return [*lines, "", "Means over seeds; 95 % intervals in brackets, by bootstrap over captions."]


def _answers(results: dict[str, Any]) -> list[str]:
    lines = []
    for (first, second), found in _by_pair(results).items():
        comparison = found[-1]
        points = [f"{name} {points_cell(comparison[name])}" for name in MEASURES if name in comparison]
        overall = comparison["score"]
        verdict = {"more": f"{first} passes more", "less": f"{first} passes less"}.get(
            overall["verdict"], "they cannot be told apart"
        )
        question = QUESTIONS[first, second]
        lines.append(f"- **{question}** {first} less {second}, {comparison['steps']:,} steps: {verdict}. In points:")
        lines.append(f"  {', '.join(points)}; by seed: {', '.join(f'{100 * d:+.1f}' for d in overall['of_seeds'])}.")
        if before := found[:-1]:
            earlier = [f"{one['steps']:,} steps {points_cell(one['score'])}" for one in before]
            lines.append(f"  Score after {', '.join(earlier)}.")
    return [*lines, *_targets(results)]


def _by_pair(results: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Comparisons by what is compared, each by steps, ascending."""
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for comparison in results["comparisons"]:
        pairs.setdefault((comparison["first"], comparison["second"]), []).append(comparison)
    return pairs


def _targets(results: dict[str, Any]) -> list[str]:
    """Whether what the study was made to show is shown, at each budget."""
    lines = []
    by_pair = _by_pair(results)
    if found := by_pair.get(("graph", "text")):
        said = []
        for against in found:
            steps = str(against["steps"])
            scores = {arm: results["arms"][arm][steps]["score"]["value"] for arm in ("graph", "text")}
            met = against["score"]["difference"] >= GRAPH_OVER_TEXT and min(scores.values()) > 0.4
            shown = f"{percent_cell(scores['graph'])} and {percent_cell(scores['text'])}"
            said.append(f"{against['steps']:,} steps **{'yes' if met else 'no'}** ({shown})")
        lines.append(
            f"- Graph at least {100 * GRAPH_OVER_TEXT:.0f} points above text, both above 40 %: {'; '.join(said)}. "
            f"Of {percent_cell(results['ceiling']['score'])} that can be had."
        )
    if pair := by_pair.get(("graph", "graph_ungated")):
        gating = pair[-1]
        falls = {topic: gating[topic]["difference"] for topic in ("change", "order") if topic in gating}
        met = min(falls.values(), default=0.0) >= GATING
        why = "" if met else f" {_ungated(results['arms']['graph'][str(gating['steps'])])}"
        shown = ", ".join(f"{topic} by {100 * fall:.1f}" for topic, fall in falls.items())
        lines.append(
            f"- Without gating, changes and order fall by {100 * GATING:.0f} points or more: "
            f"**{'yes' if met else 'no'}** ({shown}).{why}"
        )
    return lines


def _ungated(graph: dict[str, Any]) -> str:
    """Why the arm without the gate may do as well: what the one that has it takes time from."""

    def both(shares: dict[str, float]) -> str:
        return ", ".join(f"{topic} {percent_cell(shares[topic])}" for topic in ("change", "order"))

    said = [
        f"{_OFF[part]} it answers {both(shares)}"
        for part, shares in graph.get("without", {}).items()
        if None not in (shares["change"], shares["order"])
    ]
    if not said:
        return _UNGATED
    whole = both({topic: graph[topic]["value"] for topic in ("change", "order")})
    return f"{_UNGATED} The network trained with the gate, which has {whole}, sampled: {'; '.join(said)}."


def _paper(results: dict[str, Any]) -> list[str]:
    by_pair = _by_pair(results)
    if ("full", "text") not in by_pair:
        return ["Full and text are not both measured yet."]
    steps = str(by_pair["full", "text"][-1]["steps"])
    cells = [results["arms"][arm][steps] for arm in ("full", "text")]
    lines = []
    for name, (paper_name, claimed) in PAPER.items():
        values = [
            cell["distance"]["value"] if name == "distance" else sum(cell["fvd_of_seeds"]) / len(cell["fvd_of_seeds"])
            for cell in cells
        ]
        fall = 1 - values[0] / values[1]
        lines.append(
            f"- The paper: {paper_name} falls by {100 * claimed:.1f} %. Here the {name.replace('fvd', 'FVD')} of full "
            f"is {values[0]:.3g} and of text alone {values[1]:.3g}: it {'falls' if fall > 0 else 'rises'} by "
            f"{100 * abs(fall):.1f} %."
        )
    if ("graph", "text") in by_pair:
        change = by_pair["graph", "text"][-1]["distance"]
        lines.append(
            f"- Of the graph without boxes, beside text: distance {change['difference']:+.4f} "
            f"[{change['ci95'][0]:+.4f}, {change['ci95'][1]:+.4f}]: {change['verdict']}."
        )
    lines.append(
        "- Neither is the paper's experiment, which has 2.8 billion parameters, natural videos and other networks to "
        "measure with. Only whether a graph helps at all can be compared."
    )
    return lines


def _inequalities(results: dict[str, Any]) -> list[str]:
    """What is not equal between the arms."""
    sizes = {arm: next(iter(cells.values()))["parameters"] for arm, cells in results["arms"].items()}
    lines = [f"Parameters: {', '.join(f'{arm} {size:,}' for arm, size in sizes.items())}."]
    counts = {len(cell["seeds"]) for cells in results["arms"].values() for cell in cells.values()}
    if counts != {3}:
        lines.append(
            "Not every arm has three seeds at every budget yet; comparisons are over the seeds that both have."
        )
    return lines


def percent_cell(value: float) -> str:
    """A share in [0, 1] in per cent."""
    return f"{100 * value:.1f} %"


def share_cell(cell: dict[str, Any] | None) -> str:
    """A share with its interval, in per cent; empty where there is none."""
    if cell is None:
        return ""
    low, high = cell["ci95"]
    return f"{100 * cell['value']:.1f} [{100 * low:.0f}, {100 * high:.0f}]"


def points_cell(change: dict[str, Any]) -> str:
    """A difference of shares with its interval, in points."""
    low, high = change["ci95"]
    return f"{100 * change['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
