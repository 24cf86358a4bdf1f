"""Weights between two parsers': half of each, of the networks that belong together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
from tools.builders.between_parsers import between, main


def small(seed: int, moved: float = 0.0) -> CompositionalSceneParser:
    """A network of a seed, its weights moved by so much."""
    torch.manual_seed(seed)
    network = CompositionalSceneParser(
        ParserConfig(dim=16, layers=1, heads=2, embedding=4, hidden=16, pair_dim=4, labels=2)
    )
    with torch.no_grad():
        for weight in network.parameters():
            weight += moved
    return network


def test_networks_are_paired_with_what_they_began_with() -> None:
    earlier = [small(0), small(1)]
    later = [small(1, moved=0.1), small(0, moved=0.2)]
    made = between(later, earlier, 0.5)
    for network, origin, moved in zip(made, (small(1), small(0)), (0.05, 0.1), strict=True):
        for weight, old in zip(network.parameters(), origin.parameters(), strict=True):
            assert torch.allclose(weight, old + moved, atol=1e-6)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (1.0, 0.4)])
def test_the_ends_are_the_parsers_themselves(share: float, expected: float) -> None:
    (made,) = between([small(3, moved=0.4)], [small(3)], share)
    for weight, old in zip(made.parameters(), small(3).parameters(), strict=True):
        assert torch.allclose(weight, old + expected, atol=1e-6)


def test_bad_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--share: expected a number from 0 to 1; found 2"):
        between([small(0)], [small(0)], 2)
    with pytest.raises(UsageError, match="expected as many networks; found 1 and 2"):
        between([small(0)], [small(0), small(1)], 0.5)
    assert main(["--later", str(tmp_path), "--earlier", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
