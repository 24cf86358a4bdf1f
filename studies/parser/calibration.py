"""Does a confidence of 0.8 mean right in 8 of 10? Expected calibration error, reliability table.

On prompts as people write them, the development half: `python -m studies.parser.calibration [PARSER]`.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.parser.confidence import Judged, confident_part
from studies.parser.prompt_facts import align, counts, judge_prompt
from studies.parser.prompt_gold import GoldPrompt, gold_prompts

BINS = 15
#: Confidences at which the command says what a threshold leaves.
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Bin:
    """One row of a reliability table: predictions whose confidence is in (low, high], the first bin with its 0.

    Attributes:
        n: how many; `confidence` and `accuracy` are their means in [0, 1], None if there are none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def reliability(judged: Judged, bins: int = BINS) -> list[Bin]:
    """The reliability table, with bins of equal width.

    Raises:
        ValueError: if the numbers of confidences and verdicts differ, or a confidence is not within [0, 1].
    """
    confidences, right = np.asarray(judged.confidences, dtype=float), np.asarray(judged.right, dtype=float)
    if confidences.shape != right.shape:
        raise ValueError(f"expected as many verdicts as confidences; found {right.size} and {confidences.size}")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("expected confidences from 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.digitize(confidences, edges, right=True) - 1, 0, bins - 1)
    rows = []
    for place, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = places == place
        n = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if n else (None, None)
        rows.append(Bin(low, high, n, *means))
    return rows


def expected_calibration_error(judged: Judged, bins: int = BINS) -> float:
    """Mean over all predictions of |accuracy - confidence| of their bin, in [0, 1]; 0 if there are none.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, with bins of equal width.
    """
    table = reliability(judged, bins)
    total = sum(row.n for row in table)
    gaps = (
        row.n * abs(row.accuracy - row.confidence)
        for row in table
        if row.accuracy is not None and row.confidence is not None
    )
    return sum(gaps) / total if total else 0.0


# -- prompts as people write them --------------------------------------------------------------------------------------


def judge_parts(gold: Sequence[GoldPrompt], graphs: Sequence[SceneGraph]) -> tuple[Judged, Judged]:
    """Confidences of the graphs' nodes, then of their edges, and whether gold prompts say that each is right.

    An entity or event is right if it is one of the gold's and denied as there; an attribute or an edge if a right fact
    goes with it, and no invention. What no fact depends on, or what the gold leaves open, is not judged.
    """
    nodes: list[tuple[float, bool]] = []
    edges: list[tuple[float, bool]] = []
    for prompt, graph in zip(gold, graphs, strict=True):
        nodes += _nodes(prompt, graph)
        edges += _edges(prompt, graph)
    return _judged(nodes), _judged(edges)


def _nodes(prompt: GoldPrompt, graph: SceneGraph) -> Iterator[tuple[float, bool]]:
    names = align(prompt, graph)
    gold = {node.id: node for node in prompt.graph.nodes}
    for node in graph.nodes:
        if node.type == "scene":
            continue
        own = gold.get(names[node.id])
        if own is not None:
            if own.id not in prompt.optional:
                yield node.confidence, own.negated == node.negated
            continue
        is_right = _verdict(prompt, graph, node)
        if is_right is not None and not node.negated:
            # An event that is none of the gold's may take part in a fact that is right all the same: "dog in park".
            yield node.confidence, is_right and node.type == "attribute"


def _edges(prompt: GoldPrompt, graph: SceneGraph) -> Iterator[tuple[float, bool]]:
    for edge in graph.edges:
        if edge.type not in ("contains", "temporal", "coref"):
            is_right = _verdict(prompt, graph, edge)
            if is_right is not None:
                yield edge.confidence, is_right


def _verdict(prompt: GoldPrompt, graph: SceneGraph, part: Node | Edge) -> bool | None:
    """Whether the facts that a node or an edge brings are right; None if it brings none."""
    if isinstance(part, Node):
        kept = [edge for edge in graph.edges if part.id not in (edge.source, edge.target)]
        without = replace(graph, nodes=[node for node in graph.nodes if node is not part], edges=kept)
    else:
        without = replace(graph, edges=[edge for edge in graph.edges if edge is not part])
    full, less = judge_prompt(prompt, graph), judge_prompt(prompt, without)
    if Counter(full.invented) - Counter(less.invented):
        return False
    return True if Counter(full.right) - Counter(less.right) else None


def _judged(verdicts: Sequence[tuple[float, bool]]) -> Judged:
    return Judged(tuple(confidence for confidence, _ in verdicts), tuple(right for _, right in verdicts))


def report(gold: Sequence[GoldPrompt], graphs: Sequence[SceneGraph]) -> str:
    """The calibration error of nodes and of edges, their reliability tables, and what thresholds leave."""
    lines = []
    for name, judged in zip(("nodes", "edges"), judge_parts(gold, graphs), strict=True):
        error, said = 100 * expected_calibration_error(judged), 100 * np.mean(judged.confidences)
        share = 100 * np.mean(judged.right)
        lines.append(f"{name}: expected calibration error {error:.1f} % (n = {len(judged.right)})")
        lines.append(f"  mean confidence {said:.1f} %, right {share:.1f} %")
        lines += [
            f"  {row.low:.2f} to {row.high:.2f}: mean {row.confidence:.2f}, right {row.accuracy:.2f} (n = {row.n})"
            for row in reliability(judged)
            if row.n
        ]
    for threshold in THRESHOLDS:
        left = [confident_part(graph, threshold)[0] for graph in graphs]
        pairs = zip(gold, left, strict=True)
        right, missing, invented = counts([judge_prompt(prompt, graph) for prompt, graph in pairs]).sum(0)
        lines.append(
            f"threshold {threshold:.1f}: facts precision {100 * right / (right + invented):.1f} %, "
            f"recall {100 * right / (right + missing):.1f} %"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the report on the development half, of the embedded parser or of one in a folder."""
    from mov_ai.parser.parser import SceneGraphParser

    gold = gold_prompts("development")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        graphs = SceneGraphParser.from_pretrained(*arguments[:1]).parse_batch([prompt.text for prompt in gold])
    sys.stdout.write(report(gold, graphs) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
