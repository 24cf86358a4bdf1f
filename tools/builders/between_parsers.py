"""Weights half-way between two parsers' (WiSE-FT, arXiv 2109.01903): `python -m tools.builders.between_parsers`.

A network that goes on with other captions forgets a little of what it knew. Between its weights and those it began with
it keeps most of both. Networks are paired by how near their weights are; confidences are fitted anew on FACTUAL's dev
captions. Run by recipes/parser.sh.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from mov_ai.errors import UsageError, run_script
from mov_ai.parser.loading import load_networks, save_parser
from mov_ai.parser.network import CompositionalSceneParser
from mov_ai.parser.spacy_pipeline import load_spacy
from mov_ai.training.distillation import load_members
from mov_ai.training.factual_alignment import read_captions
from mov_ai.training.objectives.parser import fitted_calibration


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.builders.between_parsers", description=__doc__)
    parser.add_argument("--later", type=Path, required=True, help="folder of the parser that went on")
    parser.add_argument("--earlier", type=Path, required=True, help="folder of the one that it began with")
    parser.add_argument("--share", type=float, default=0.5, help="of the later weights, 0 to 1")
    parser.add_argument("--out", type=Path, required=True, help="folder of the parser that is made")
    return parser.parse_args(given)


def between(
    later: Sequence[CompositionalSceneParser], earlier: Sequence[CompositionalSceneParser], share: float
) -> list[CompositionalSceneParser]:
    """Networks whose weights are `share` of each later one's and the rest of the earlier one's that is nearest to it.

    Raises:
        UsageError: if they are not as many, or the share is none.
    """
    if len(later) != len(earlier):
        raise UsageError(f"--later, --earlier: expected as many networks; found {len(later)} and {len(earlier)}")
    if not 0 <= share <= 1:
        raise UsageError(f"--share: expected a number from 0 to 1; found {share}")
    orders = itertools.permutations(earlier)
    paired = min(orders, key=lambda order: sum(map(_distance, later, order)))
    mixed = []
    for after, before in zip(later, paired, strict=True):
        network, old = copy.deepcopy(after), before.state_dict()
        weights = {
            name: torch.lerp(old[name], tensor, share) if tensor.is_floating_point() else tensor
            for name, tensor in after.state_dict().items()
        }
        network.load_state_dict(weights)
        mixed.append(network)
    return mixed


def _distance(one: CompositionalSceneParser, other: CompositionalSceneParser) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return sum(float((a - b).detach().square().sum()) for a, b in pairs)


@torch.no_grad()
def run(options: argparse.Namespace) -> None:
    """Read both, write what is between them. Raises UsageError as `between`, and if a parser is not there."""
    vocabulary = load_networks(options.later)[1].vocabulary
    later, earlier = (load_members([folder], vocabulary) for folder in (options.later, options.earlier))
    networks = between(later, earlier, options.share)
    spacy = load_spacy()
    factual = read_captions(spacy, "random", "dev", vocabulary)
    save_parser(networks, vocabulary, options.out, fitted_calibration(networks, spacy, vocabulary, factual))


def main(given: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_script("between_parsers", lambda: run(arguments(given)))


if __name__ == "__main__":
    sys.exit(main())
