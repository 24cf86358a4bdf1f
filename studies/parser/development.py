"""A parser on the data that it is chosen on, and on no test set: `python -m studies.parser.development [PARSER]`.

The development halves of the prompts, of those for layouts and of the temporal sentences, the unseen prompts (which are
all development), and FACTUAL's random/dev.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from mov_ai.data.factual import read_factual
from mov_ai.errors import UsageError, run_script
from mov_ai.parser.parser import SceneGraphParser
from studies.parser.measure import ParserSuite
from studies.parser.prompt_facts import KINDS, counts
from studies.parser.prompts import PromptSuite
from studies.parser.temporal_scores import evaluate_temporal

#: Captions of random/dev that are read.
CAPTIONS = 1000


def figures(parser: SceneGraphParser, captions: int = CAPTIONS) -> dict[str, float]:
    """Name -> share in [0, 1].

    "prompts", "prompts: camera" and the other kinds (F1), "layouts", "unseen", "unseen_layouts" and their kinds
    likewise, "Set Match", "SPICE F", "event_order", "state_changes".

    Args:
        parser: what is measured.
        captions: how many of FACTUAL's random/dev.
    """
    found: dict[str, float] = {}
    for name in ("prompts", "layouts", "unseen", "unseen_layouts"):
        prompts = PromptSuite(prompts="real" if name == "prompts" else name)
        judged, _ = prompts.judged(parser, prompts.gold("development"))
        for kind in (None, *KINDS):
            value = prompts.figures(counts(judged, kind))["f1"]["value"]
            if value is not None:
                found[f"{name}: {kind}" if kind else name] = float(value)
    accuracy = ParserSuite(split=("random",))
    factual = read_factual("random", "dev")[:captions]
    right = accuracy.accuracy(factual, *accuracy.parse(parser, factual))
    found |= {"Set Match": right.set_match.value, "SPICE F": right.spice.value}
    temporal = evaluate_temporal(parser, "development")["figures"]
    return found | {name: float(temporal[name]["value"] or 0) for name in ("event_order", "state_changes")}


def main(arguments: Sequence[str]) -> int:
    """Print the figures of a parser, the embedded one by default; returns an exit code."""
    if len(arguments) > 1:
        raise UsageError(f"expected at most a folder of a parser; found {' '.join(arguments)!r}")
    warnings.simplefilter("ignore")
    for name, value in figures(SceneGraphParser.from_pretrained(*arguments)).items():
        sys.stdout.write(f"{name:25} {100 * value:.1f} %\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("studies.parser.development", lambda: main(sys.argv[1:])))
