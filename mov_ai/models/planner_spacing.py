"""Guidance of the planner: things that have nothing to do with one another do not cover one another.

A network that draws all instances together still puts some of seven sheep in one place. In each step of sampling, those
that cover one another for long are moved apart by constant offsets, and the steps after it see that: a constraint on
overlap in sampling, as layout diffusion has it (LACE, arXiv 2402.04754). Where nothing overlaps nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mov_ai.models.planner_input import CENTRE, SPREAD, PlannerInput

#: Noise level from which on instances are moved apart: above, where they are is no more than a guess.
SPACED_BELOW = 0.6
#: Share of the smaller box that may be covered, and of the time in which both are there for which more may be.
COVERED, TIME = 0.25, 0.34
#: Part of the frame from which on a box is a region's, or so near that others are before it.
_LARGE = 0.2
#: Rounds of moving apart in a step, and the part of what is missing that a round brings.
_ROUNDS, _SHARE = 4, 0.6
#: Room between two that were moved apart, in widths or heights.
_GAP = 0.05


def keep_apart(tracks: Tensor, graph_input: PlannerInput) -> Tensor:
    """Move instances apart that cover one another for long; (B, K, frames, CHANNELS) as `to_track`.

    Those stay where they are whose boxes are given or large, and pairs that an event or a relation links ("a cat on a
    mat", "two dogs hug"). Returns `tracks` itself where nobody is moved.
    """
    x, y = (tracks[..., i] * SPREAD[i] + CENTRE[i] for i in (0, 1))  # (B, K, F)
    half_w, half_h = (torch.exp(tracks[..., i] * SPREAD[i] + CENTRE[i]).clamp(max=1.0) / 2 for i in (2, 3))
    is_there = (tracks[..., 5] > 0) & (4 * half_w * half_h < _LARGE)
    both = _pair(is_there, torch.logical_and) & free_pairs(graph_input)[..., None]
    moved = torch.zeros_like(tracks[:, :, 0, :2])
    for _ in range(_ROUNDS if both.any() else 0):
        push = _push(x + moved[..., :1], y + moved[..., 1:], half_w, half_h, both)
        if not push.any():
            break
        moved = moved + push
    if not moved.any():
        return tracks
    result = tracks.clone()
    result[..., :2] += (moved / moved.new_tensor(SPREAD[:2]))[:, :, None]
    return result


def free_pairs(graph_input: PlannerInput) -> Tensor:
    """(B, K, K) bool: instances that nothing links, of which no box is given."""
    is_free = graph_input.mask & ~graph_input.given.any(-1)
    pairs = is_free[:, :, None] & is_free[:, None]
    pairs = pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    if graph_input.link_ends.shape[1]:
        first, second = graph_input.link_ends.unbind(-1)
        linked = torch.zeros(pairs.shape, device=pairs.device)
        linked = linked.flatten(1).scatter_add(1, first * pairs.shape[1] + second, (graph_input.link_kind > 0).float())
        linked = linked.view(pairs.shape) + linked.view(pairs.shape).transpose(1, 2)
        pairs = pairs & (linked == 0)
    return pairs


def _pair(values: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """(B, K, F) -> (B, K, K, F), rows joined with columns."""
    return join(values[:, :, None], values[:, None])


def _push(x: Tensor, y: Tensor, half_w: Tensor, half_h: Tensor, both: Tensor) -> Tensor:
    """(B, K, 2) by how much each moves in a round."""
    aside, below = (_pair(value, torch.sub) for value in (x, y))
    wide, tall = (_pair(value, torch.add) for value in (half_w, half_h))
    into_x, into_y = wide - aside.abs(), tall - below.abs()  # how deep they are in one another
    least = _pair(half_w * half_h, torch.minimum) * 4
    narrower, lower = (2 * _pair(value, torch.minimum) for value in (half_w, half_h))
    covered = into_x.clamp(min=0).minimum(narrower) * into_y.clamp(min=0).minimum(lower)
    is_covered = both & (covered > COVERED * least)
    is_long = is_covered.sum(-1) > TIME * both.sum(-1).clamp(min=1)
    if not is_long.any():
        return x.new_zeros(*x.shape[:2], 2)
    times = is_covered.sum(-1).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (values * is_covered).sum(-1) / times

    order = torch.arange(x.shape[1], device=x.device)
    first = torch.where(order[:, None] < order, -1.0, 1.0)  # whoever is counted first goes left or up
    moves = []
    depths = [mean(into_x) + _GAP * mean(wide), mean(into_y) + _GAP * mean(tall)]
    is_aside = depths[0] / mean(wide).clamp(min=1e-4) <= depths[1] / mean(tall).clamp(min=1e-4)
    for apart, depth, chosen in ((aside, depths[0], is_aside), (below, depths[1], ~is_aside)):
        gap = mean(apart)
        sign = torch.where(gap.abs() < 0.1 * depth, first, torch.sign(gap))
        moves.append((0.5 * _SHARE * depth * sign * (is_long & chosen)).sum(2))
    return torch.stack(moves, -1)
