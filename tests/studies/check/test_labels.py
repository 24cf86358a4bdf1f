"""Triplets of labels: how they are read and judged, and what the shipped meanings reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mov_ai.data.downloads import project_data_folder
from mov_ai.errors import UsageError
from mov_ai.labels.encoder import LabelEncoderConfig
from studies.check.labels import HALVES, Triplet, encoder_similarity, read_triplets, wrong

TRIPLETS = project_data_folder() / "labels" / "triplets.jsonl"


@pytest.mark.parametrize("half", HALVES)
def test_labels_are_nearest_to_their_kin(half: str) -> None:
    asked = [triplet for triplet in read_triplets(TRIPLETS) if triplet.half == half]
    assert len(asked) == 50
    assert len(wrong(asked, encoder_similarity(LabelEncoderConfig()))) <= 0.15 * len(asked)


def test_a_tie_is_wrong() -> None:
    triplet = Triplet("development", "colour", "attribute", "crimson", "red", ["blue", "pink"])
    assert wrong([triplet], lambda role, label, others: np.array([0.5, 0.1, 0.2])) == []
    assert wrong([triplet], lambda role, label, others: np.array([0.5, 0.1, 0.5])) == [(triplet, "pink")]


@pytest.mark.parametrize("content", [None, "{", '{"anchor": "red"}'])
def test_a_file_of_something_else_is_one_line(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "triplets.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="expected triplets"):
        read_triplets(path)
