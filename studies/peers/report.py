"""What the peers' results say beside one another: costs, figures, and who beats whom by a paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.bootstrap import mean_interval
from mov_ai.evaluation.report.compare import compare
from mov_ai.evaluation.report.definitions import definition
from mov_ai.evaluation.report.wording import number, percent

SCHEMA = 1
#: Largest difference in parameters and in training compute that still counts as equal.
EQUAL = 0.05
#: The comparison over all prompts, beside those of the categories.
ALL = "all prompts"
#: What holds of the study whatever its figures are.
FACTS = (
    "Ours, no_layout, no_gating and single_stage get their graphs from the embedded parser, and ours, no_gating and "
    "single_stage their boxes from the embedded planner, which were trained apart; the compute here is the denoiser's.",
    "Text-only peers read the caption as it was typed, with a text encoder of as many layers as ours has for graphs. "
    "The others read it with the graph's labels in their places.",
    "The loss of all of them weighs the cells inside the true boxes higher, also of those that never see a box.",
    "No guidance: one evaluation of the network a step, the same number of steps.",
    "single_stage makes its videos at 512; they are measured at 128, shrunk by the means of 4x4 pixels. It trains on "
    "crops of 128x128 pixels around objects, of which there are about a third as many as clips.",
    "FLOPs are those of matrix products, convolutions and attention: of the network in training, with the codec in a "
    "video.",
)


@dataclass(frozen=True)
class Entrant:
    """One peer with all that is known of it.

    Attributes:
        name, about: of the peer.
        trained: result.json of its training.
        measured: results.json of its evaluation, read.
        file: that results.json.
        flops: "training_sample" (forward and backward on one sample), "video" and, of that, "video_denoiser".
    """

    name: str
    about: str
    trained: dict[str, Any]
    measured: dict[str, Any]
    file: Path
    flops: dict[str, int]

    @property
    def parameters(self) -> int:
        return int(self.trained["parameters"])

    @property
    def compute(self) -> int:
        """FLOPs of the whole training."""
        return int(self.trained["samples"]) * self.flops["training_sample"]

    def scores(self, measure: str) -> dict[str, float]:
        """Video -> its score in a category or over `ALL` prompts, or its own value of a metric; what is known of it."""
        value_of_prompt = {}
        for row in self.measured["videos"]:
            value = row["score"] if measure in (ALL, row["category"]) else row["values"].get(measure)
            if value is not None:
                value_of_prompt[str(row["name"])] = float(value)
        return value_of_prompt

    def prompts(self) -> dict[str, tuple[Any, Any]]:
        """Video -> prompt and seed."""
        return {str(row["name"]): (row["prompt"], row["seed"]) for row in self.measured["videos"]}


@dataclass(frozen=True)
class Paired:
    """A peer against the first entrant on the same prompts.

    Attributes:
        measure: category, `ALL` or metric.
        difference: mean over prompts of the peer's score less the other's, in the measure's unit; above 0 the peer has
            more of it.
        ci95: by bootstrap over prompts; None of fewer than 2 prompts.
        n: prompts.
        verdict: "wins", "loses" or "cannot be told apart", said of the peer.
    """

    measure: str
    difference: float
    ci95: tuple[float, float] | None
    n: int
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The entry of `against_ours` in results.json."""
        ci95 = None if self.ci95 is None else list(self.ci95)
        return {"difference": self.difference, "ci95": ci95, "n": self.n, "verdict": self.verdict}


def paired(
    measure: str, peer: dict[str, float], other: dict[str, float], higher_is_better: bool = True
) -> Paired | None:
    """Compare on the videos that both have; None if there are none.

    Whole prompts are resampled (`mean_interval` of the differences), so that what makes a prompt hard for both does not
    blur the comparison. An interval that holds 0 tells nothing apart.
    """
    names = [name for name in other if name in peer]
    if not names:
        return None
    differences = [peer[name] - other[name] for name in names]
    ci95 = mean_interval(differences) if len(names) > 1 else None
    verdict = "cannot be told apart"
    if ci95 is not None and (ci95[0] > 0 or ci95[1] < 0):
        verdict = "wins" if (ci95[0] > 0) == higher_is_better else "loses"
    return Paired(measure, sum(differences) / len(differences), ci95, len(names), verdict)


def against(peer: Entrant, first: Entrant) -> list[Paired]:
    """A peer against the first entrant: all prompts, each category, each metric of single videos with a better side.

    Raises:
        MovAIError: if the two were measured on other prompts or seeds.
    """
    if peer.prompts() != first.prompts():
        raise MovAIError(f"{peer.file}: other prompts or seeds than {first.file}; evaluate both with the same settings")
    if peer.measured.get("compositional_depends_on") != first.measured.get("compositional_depends_on"):
        raise MovAIError(f"{peer.file}: checked by other means than {first.file}; evaluate both with the same settings")
    comparisons = []
    for category in (ALL, *first.measured["compositional"]):
        comparisons.append(paired(category, peer.scores(category), first.scores(category)))
    for metric in first.measured["metrics"]:
        direction = definition(metric).direction
        if direction != "real":
            comparisons.append(paired(metric, peer.scores(metric), first.scores(metric), direction == "higher"))
    return [result for result in comparisons if result is not None]


def document(entrants: Sequence[Entrant]) -> dict[str, Any]:
    """The whole of the study's results.json.

    Args:
        entrants: the first is what the others are compared with.
    """
    first = entrants[0]
    peers = {}
    for entrant in entrants:
        trained, seconds = entrant.trained, entrant.measured.get("seconds", {})
        scores = list(entrant.scores(ALL).values())
        interval = mean_interval(scores) if len(scores) > 1 else None
        peers[entrant.name] = {
            "about": entrant.about,
            "parameters": entrant.parameters,
            "steps": trained["steps"],
            "samples": trained["samples"],
            "seconds_of_training": trained["seconds"],
            "hardware": trained["hardware"],
            "precision": trained["precision"],
            "learning_rate": trained["trainer"]["learning_rate"],
            "schedule": trained["trainer"]["schedule"],
            "flops_per_step": entrant.flops["training_sample"] * trained["samples"] // max(1, trained["steps"]),
            "flops_of_training": entrant.compute,
            "flops_per_video": entrant.flops["video"],
            "flops_per_video_denoiser": entrant.flops["video_denoiser"],
            "seconds_per_video": seconds.get("generating, each of the videos"),
            "equal": {
                "parameters": entrant.parameters / first.parameters,
                "flops_of_training": entrant.compute / first.compute,
            },
            "score": {
                "value": sum(scores) / len(scores) if scores else None,
                "ci95": None if interval is None else list(interval),
                "n": len(scores),
            },
            "compositional": entrant.measured["compositional"],
            "metrics": entrant.measured["metrics"],
            "against_ours": {}
            if entrant is first
            else {result.measure: result.to_json() for result in against(entrant, first)},
        }
    return {
        "schema": SCHEMA,
        "compared_with": first.name,
        "prompts": first.measured["settings"].get("prompts"),
        "machine": first.measured.get("machine"),
        "versions": first.measured.get("versions"),
        "peers": peers,
        "notices": _notices(entrants),
    }


def _notices(entrants: Sequence[Entrant]) -> list[str]:
    """What a reader of the figures must know."""
    first = entrants[0]
    lines = []
    for entrant in entrants:
        for what, share in (
            ("parameters", entrant.parameters / first.parameters),
            ("training compute", entrant.compute / first.compute),
        ):
            if abs(share - 1) > EQUAL:
                lines.append(f"{entrant.name}: {share:.2f} times the {what} of {first.name}: not an equal comparison")
        if entrant.trained["steps"] != first.trained["steps"]:
            lines.append(
                f"{entrant.name}: {entrant.trained['steps']} steps instead of {first.trained['steps']}: its steps cost "
                "another number of FLOPs, and equal compute rules over equal steps"
            )
        settings = {k: entrant.trained["trainer"].get(k) for k in ("learning_rate", "schedule", "warmup_steps")}
        first_settings = {k: first.trained["trainer"].get(k) for k in settings}
        if settings != first_settings or entrant.trained["objective"].get("batch_size") != first.trained[
            "objective"
        ].get("batch_size"):
            lines.append(f"{entrant.name}: another batch size or learning rate than {first.name}")
    comparisons = sum(len(against(entrant, first)) for entrant in entrants[1:])
    if comparisons:
        lines.append(
            f"{comparisons} comparisons at 95 %: about {0.05 * comparisons:.0f} of them come out by chance where "
            "there is no difference; a single narrow one proves little"
        )
    lines.append("one training each: how much another training seed would change is not measured")
    return lines


def markdown(results: dict[str, Any], entrants: Sequence[Entrant]) -> str:
    """report.md.

    Args:
        results: as `document` gives it.
        entrants: of the same.
    """
    peers: dict[str, Any] = results["peers"]
    first = results["compared_with"]
    lines = ["# Peers under one harness", "", "    make study NAME=peers", ""]
    same = "The same clips, codec, loss, batches, learning rate, sampler, prompts and checker."
    lines += [f"{same} Equal training compute and parameters, within 5 %, unless it is said below.", ""]
    lines += ["| | what it is | parameters | steps | PFLOP trained | minutes | GFLOP a video | s a video |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|"]
    for name, peer in peers.items():
        each = peer["seconds_per_video"]
        lines.append(
            f"| {name} | {peer['about']} | {peer['parameters']:,} | {peer['steps']:,} | "
            f"{peer['flops_of_training'] / 1e15:.3f} | {peer['seconds_of_training'] / 60:.1f} | "
            f"{peer['flops_per_video'] / 1e9:,.0f} | {'' if each is None else f'{each:.2f}'} |"
        )
    lines += ["", "## Figures", "", f"| | {' | '.join(peers)} | real clips |", f"|---|{'---:|' * (len(peers) + 1)}"]
    overall = [_share(peer["score"]["value"], peer["score"]["ci95"]) for peer in peers.values()]
    lines.append(f"| {ALL} (compositional) | {' | '.join(overall)} | |")
    footnotes: dict[str, int] = {}
    if len(entrants) > 1:
        for row in compare([entrant.file for entrant in entrants]):
            pending = iter(row.reasons)
            cells = []
            for cell in row.cells:
                if cell is None:
                    cells.append(f"({footnotes.setdefault(next(pending), len(footnotes) + 1)})")
                else:
                    cells.append(cell)
            lines.append(f"| {row.title} | {' | '.join(cells)} | {_real(entrants[0], row.name)} |")
    lines += ["", "95 % intervals in brackets, by bootstrap over prompts."]
    lines += [f"({place}) {reason}" for reason, place in footnotes.items()]
    if len(entrants) > 1:
        lines += ["", f"## Against {first}", "", *_words(peers, first)]
    lines += ["", "## To be known", "", *(f"- {notice}" for notice in results["notices"])]
    lines += [f"- {fact}" for fact in FACTS]
    return "\n".join(lines) + "\n"


def _real(entrant: Entrant, name: str) -> str:
    """What the world's own clips of the prompts get: the checker's ceiling, or the metric."""
    category, metric = (entrant.measured[kind].get(name) or {} for kind in ("compositional", "metrics"))
    if "ceiling" in category:
        return percent(category["ceiling"])
    return number((metric.get("real") or {}).get("value"))


def _words(peers: dict[str, Any], first: str) -> list[str]:
    """Who wins, who loses, and what cannot be told apart, in words; wins of peers come first."""
    wins = [
        f"{name} beats {first} in {measure}"
        for name, peer in peers.items()
        for measure, result in peer["against_ours"].items()
        if result["verdict"] == "wins"
    ]
    lines = [f"**{'; '.join(wins)}.**" if wins else f"No peer beats {first} in anything that was measured.", ""]
    for name, peer in peers.items():
        if name == first:
            continue
        by_verdict: dict[str, list[str]] = {"wins": [], "loses": [], "cannot be told apart": []}
        for measure, result in peer["against_ours"].items():
            by_verdict[result["verdict"]].append(f"{measure} ({_difference(result)})")
        lines.append(f"- **{name}**")
        lines += [f"  - {verdict}: {', '.join(parts) if parts else 'nothing'}" for verdict, parts in by_verdict.items()]
    return lines


def _difference(result: dict[str, Any]) -> str:
    """The peer's less the first entrant's, in the measure's own unit, with its interval."""
    ci95 = result["ci95"]
    spread = "" if ci95 is None else f" [{ci95[0]:+.2g}, {ci95[1]:+.2g}]"
    return f"{result['difference']:+.2g}{spread}"


def _share(value: float | None, ci95: list[float] | None) -> str:
    if value is None:
        return ""
    spread = "" if ci95 is None else f" [{100 * ci95[0]:.1f}, {100 * ci95[1]:.1f}]"
    return f"{100 * value:.1f} %{spread}"
