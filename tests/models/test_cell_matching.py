from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mov_ai.models.cell_matching import match_cells, moved
from mov_ai.models.interpolation_blocks import MovedCopies


def patch(top: int, left: int) -> Tensor:
    """A patch of noise, the same one wherever it is, on an even floor."""
    frame = torch.zeros(1, 4, 20, 20)
    frame[..., top : top + 4, left : left + 4] = torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(0))
    return frame


@pytest.mark.parametrize(("down", "across"), [(4, 0), (0, -4), (2, 4), (-3, 3)])
def test_what_has_moved_by_whole_cells_is_found_where_it_is_half_way(down: int, across: int) -> None:
    left, right = patch(8, 8), patch(8 + down, 8 + across)
    motion = match_cells(left, right, torch.full((1, 1, 20, 20), 0.05))
    middle = motion[0, :, 10 + down // 2, 10 + across // 2]
    assert middle.tolist() == [down, across]
    assert motion[0, :, 0, 0].tolist() == [0, 0]


def test_what_hardly_moves_or_cannot_be_told_apart_is_left_alone() -> None:
    assert not match_cells(patch(8, 8), patch(8, 9), torch.full((1, 1, 20, 20), 0.05)).any()
    assert not match_cells(patch(8, 8), patch(8, 8), torch.full((1, 1, 20, 20), 0.05)).any()
    assert not match_cells(torch.zeros(1, 4, 9, 7), torch.zeros(1, 4, 9, 7), torch.ones(1, 1, 9, 7)).any()


def test_frames_are_taken_from_where_motion_points() -> None:
    motion = torch.zeros(1, 2, 20, 20)
    motion[:, 0], motion[:, 1] = -2, 3
    torch.testing.assert_close(moved(patch(8, 8), motion)[..., 2:, :17], patch(10, 5)[..., 2:, :17])
    half = moved(patch(8, 8), torch.full((1, 2, 20, 20), 0.5))
    expected = patch(8, 8).unfold(2, 2, 1).unfold(3, 2, 1).mean((-1, -2))
    torch.testing.assert_close(half[..., :19, :19], expected)


@torch.no_grad()
def test_copies_are_mixed_in_the_shares_that_are_chosen() -> None:
    copies = MovedCopies(3, 2)
    features = torch.randn(1, 3, 6, 6)
    left, right = torch.randn(2, 1, 1, 4, 6, 6).expand(2, 1, 2, 4, 6, 6)
    mixed = copies(features, left, right)
    assert torch.equal(mixed[:, 0], mixed[:, 1])
    torch.testing.assert_close(mixed[:, 0], (left + right)[:, 0] / 2, atol=0.1, rtol=0.1)
    # All of the second frame from what lies one cell below in the right keyframe.
    number = len(copies.MOVES) * 3 + copies.MOVES.index((1, 0))
    copies.choose.bias[number] += 100
    torch.testing.assert_close(copies(features, left, right)[:, 1, :, :5], right[:, 1, :, 1:])
