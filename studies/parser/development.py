"""A parser on the data that it is chosen on, and on no test set: `python -m studies.parser.development [PARSER]`.

The development halves of the prompts and of the temporal sentences, and FACTUAL's random/dev.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import numpy as np

from mov_ai.data.factual import read_factual
from mov_ai.errors import UsageError, run_script
from mov_ai.graph import SceneGraph
from mov_ai.graph.convert import to_triples, triples_to_text
from mov_ai.parser.parser import SceneGraphParser
from studies.parser.measure import parse_all
from studies.parser.prompt_facts import KINDS, counts, judge_prompt
from studies.parser.prompt_gold import gold_prompts
from studies.parser.scene_graph_metrics import spice
from studies.parser.temporal_scores import evaluate_temporal
from studies.parser.wordnet import load_wordnet

#: Captions of random/dev that are read.
CAPTIONS = 1000


def figures(parser: SceneGraphParser, captions: int = CAPTIONS) -> dict[str, float]:
    """Name -> share in [0, 1].

    "prompts", "prompts: camera" and the other kinds (F1), "Set Match", "SPICE F", "event_order", "state_changes".

    Args:
        parser: what is measured.
        captions: how many of FACTUAL's random/dev.
    """
    gold = gold_prompts("development")
    empty = SceneGraph.from_dict({"version": 2, "nodes": []})
    graphs = parse_all(parser, [prompt.text for prompt in gold], 64)
    judged = [judge_prompt(prompt, graph or empty) for prompt, graph in zip(gold, graphs, strict=True)]
    found = {"prompts": _f1(counts(judged))} | {f"prompts: {kind}": _f1(counts(judged, kind)) for kind in KINDS}
    factual = read_factual("random", "dev")[:captions]
    triples = [
        [] if graph is None else to_triples(graph)
        for graph in parse_all(parser, [caption.caption for caption in factual], 64)
    ]
    wordnet = load_wordnet()
    found["Set Match"] = float(np.mean([set(a) == set(c.triples) for a, c in zip(triples, factual, strict=True)]))
    found["SPICE F"] = float(
        np.mean(
            [
                spice(triples_to_text(a), triples_to_text(list(c.triples)), wordnet)
                for a, c in zip(triples, factual, strict=True)
            ]
        )
    )
    temporal = evaluate_temporal(parser, "development")["figures"]
    return found | {name: float(temporal[name]["value"] or 0) for name in ("event_order", "state_changes")}


def _f1(numbers: np.ndarray) -> float:
    """Of (right, missing, invented) a prompt."""
    right, missing, invented = numbers.sum(0)
    return float(2 * right / max(2 * right + missing + invented, 1))


def main(arguments: Sequence[str]) -> int:
    """Print the figures of a parser, the embedded one by default; returns an exit code."""
    if len(arguments) > 1:
        raise UsageError(f"expected at most a folder of a parser; found {' '.join(arguments)!r}")
    warnings.simplefilter("ignore")
    for name, value in figures(SceneGraphParser.from_pretrained(*arguments)).items():
        sys.stdout.write(f"{name:24} {100 * value:.1f} %\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("studies.parser.development", lambda: main(sys.argv[1:])))
