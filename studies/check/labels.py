"""Is a label nearer to its kin than to the rest of a class? `python -m studies.check.labels` says."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mov_ai.errors import UsageError, run_script
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.labels.features import LabelFeatures, Weights
from mov_ai.labels.meanings import load_meanings
from mov_ai.shipped_files import shipped

HALVES = ("development", "held_out")
WIDTHS = (128, 256, 384, 512, 768)
#: Similarity of one label to several, all in one role: (role, label, others) -> (n,).
Similarity = Callable[[str, str, Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Triplet:
    """One question: is `anchor` nearer to `kin` than to any of `others`?"""

    half: str
    group: str
    role: str
    anchor: str
    kin: str
    others: list[str]


def read_triplets(path: Path) -> list[Triplet]:
    """Read triplets, one JSON object a line.

    Raises:
        UsageError: if the file cannot be read or a line is no triplet.
    """
    try:
        return [Triplet(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path}: expected triplets, one JSON object a line ({error})") from None


def wrong(triplets: Sequence[Triplet], similarity: Similarity) -> list[tuple[Triplet, str]]:
    """The triplets whose kin is not the nearest, each with the nearest."""
    missed = []
    for triplet in triplets:
        labels = [triplet.kin, *triplet.others]
        nearness = similarity(triplet.role, triplet.anchor, labels)
        # A tie counts as wrong.
        if (nearness[1:] >= nearness[0]).any():
            missed.append((triplet, labels[1 + int(nearness[1:].argmax())]))
    return missed


def sparse_similarity(weights: Weights | None = None) -> Similarity:
    """Exact cosines of the embedded encoder's features, before projection."""
    encode = LabelFeatures(load_meanings(), weights)
    known: dict[tuple[str, str], dict[int, float]] = {}

    def features(role: str, text: str) -> dict[int, float]:
        if (role, text) not in known:
            known[role, text] = encode(role, text)
        return known[role, text]

    def similarity(role: str, label: str, others: Sequence[str]) -> np.ndarray:
        own = features(role, label)
        return np.array([sum(own.get(k, 0.0) * v for k, v in features(role, other).items()) for other in others])

    return similarity


def encoder_similarity(config: LabelEncoderConfig) -> Similarity:
    """Cosines of an encoder's vectors."""
    encoder = load_label_encoder(config)

    def similarity(role: str, label: str, others: Sequence[str]) -> np.ndarray:
        vectors = encoder([(role, label), *((role, other) for other in others)])
        return np.asarray(vectors[1:] @ vectors[0])

    return similarity


def table(triplets: Sequence[Triplet], similarities: Mapping[str, Similarity]) -> Table:
    """How many triplets of each half are right, one row for each way to compare labels."""
    rows = Table("vectors", *HALVES)
    for name, similarity in similarities.items():
        cells = []
        for half in HALVES:
            asked = [triplet for triplet in triplets if triplet.half == half]
            right = len(asked) - len(wrong(asked, similarity))
            cells.append(f"{right} of {len(asked)} ({right / max(len(asked), 1):.0%})")
        rows.add_row(name, *cells)
    return rows


def run(console: Console, path: Path | None = None, widths: Sequence[int] = WIDTHS, show_missed: bool = False) -> None:
    """Print how many triplets are right.

    Args:
        console: for the table.
        path: file of triplets; None for the one that ships.
        widths: of the embedded vectors.
        show_missed: also name the triplets that the exact features miss.

    Raises:
        UsageError: if the file holds something else, or a width is out of range.
    """
    triplets = read_triplets(shipped("data/labels/triplets.jsonl") if path is None else path)
    exact = sparse_similarity()
    by_width = {f"{width} wide": encoder_similarity(LabelEncoderConfig(width=width)) for width in widths}
    console.print(table(triplets, {"features, not projected": exact, **by_width}))
    if show_missed:
        for triplet, nearest in wrong(triplets, exact):
            console.print(f"{triplet.half}: {triplet.anchor}: expected {triplet.kin}, nearest {nearest}")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m studies.check.labels", description=__doc__)
    parser.add_argument("--triplets", type=Path, help="triplets, one JSON object a line; those that ship if not given")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="of the embedded vectors")
    parser.add_argument("--missed", action="store_true", help="name the triplets that the exact features miss")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = arguments(given)
    return run_script("check", lambda: run(Console(), options.triplets, options.widths, options.missed))


if __name__ == "__main__":
    sys.exit(main())
