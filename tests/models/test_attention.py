"""Attention: the backends agree, positions are relative, intervals gate, windows keep apart what is apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.models.attention import (
    BACKENDS,
    CrossAttention,
    SelfAttention,
    attend,
    choose_backend,
    interval_bias,
    rotary,
    rotate,
    window_merge,
    window_partition,
    window_sides,
)

CPU = torch.device("cpu")


def _usable(backend: str, device: torch.device) -> bool:
    try:
        choose_backend(backend, device)
    except UsageError:
        return False
    return True


DEVICES = [torch.device(name) for name in ("cpu", "cuda") if name == "cpu" or torch.cuda.is_available()]
PAIRS = [
    (device, backend)
    for device in DEVICES
    for backend in BACKENDS
    if backend not in ("auto", "math") and _usable(backend, device)
]


def _random(*shape: int, device: torch.device = CPU, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)


@pytest.mark.parametrize(("device", "backend"), PAIRS, ids=lambda value: str(value))
@pytest.mark.parametrize("bias_shape", [None, (1, 1, 7, 16), (2, 1, 7, 16), (2, 3, 7, 16), (2, 1, 1, 16)])
def test_backends_agree_forwards_and_backwards(
    device: torch.device, backend: str, bias_shape: tuple[int, ...] | None
) -> None:
    results = []
    for name in ("math", backend):
        query, key, value = (
            _random(2, 3, n, 8, device=device, seed=seed).requires_grad_() for seed, n in enumerate((7, 16, 16))
        )
        bias = None if bias_shape is None else _random(*bias_shape, device=device, seed=9) * 3
        out = attend(query, key, value, bias, name)
        (out * _random(2, 3, 7, 8, device=device, seed=5)).sum().backward()
        results.append((out.detach(), query.grad, key.grad, value.grad))
    for expected, found in zip(*results, strict=True):
        assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_attention_is_what_the_docstring_says() -> None:
    query, key, value, bias = (
        _random(1, 1, 3, 4),
        _random(1, 1, 5, 4, seed=1),
        _random(1, 1, 5, 4, seed=2),
        _random(3, 5),
    )
    weights = torch.exp(query[0, 0] @ key[0, 0].T / 2 + bias)
    expected = (weights / weights.sum(1, keepdim=True)) @ value[0, 0]
    assert_close(attend(query, key, value, bias, "math")[0, 0], expected)


def test_an_excluded_key_has_no_influence() -> None:
    query, key, value = _random(1, 2, 4, 8), _random(1, 2, 6, 8, seed=1), _random(1, 2, 6, 8, seed=2)
    bias = torch.zeros(1, 1, 1, 6)
    bias[..., -1] = -1e4
    other = value.clone()
    other[..., -1, :] = 100
    for backend in ("math", "sdpa"):
        assert torch.equal(attend(query, key, value, bias, backend), attend(query, key, other, bias, backend))


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(UsageError, match=r"expected one of auto, xformers, sdpa, math; found 'flash'"):
        choose_backend("flash", CPU)


def test_xformers_is_refused_where_it_cannot_run() -> None:
    with pytest.raises(UsageError, match=r"xformers needs CUDA and the \[gpu\] extra"):
        choose_backend("xformers", CPU)


def test_auto_depends_on_device_installation_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    for installed, expected in ((True, "xformers"), (False, "sdpa")):
        monkeypatch.setattr("mov_ai.models.attention._xformers_installed", lambda installed=installed: installed)
        assert choose_backend("auto", cuda) == expected
        assert choose_backend("auto", CPU) == "math"
        with torch.no_grad():
            assert choose_backend("auto", CPU) == "sdpa"
    for explicit in ("sdpa", "math"):
        assert choose_backend(explicit, cuda) == choose_backend(explicit, CPU) == explicit


def test_rotary_positions_are_relative() -> None:
    places = torch.cartesian_prod(torch.arange(4), torch.arange(3))
    query, key = _random(2, 2, 12, 16), _random(2, 2, 12, 16, seed=1)

    def logits(positions: Tensor) -> Tensor:
        angles = rotary(positions, 16)
        return rotate(query, angles) @ rotate(key, angles).transpose(-1, -2)

    assert_close(logits(places + torch.tensor([7, -3])), logits(places), atol=1e-4, rtol=1e-4)
    assert (logits(places * 2) - logits(places)).abs().max() > 0.1


def test_rotation_keeps_lengths_and_types() -> None:
    angles = rotary(torch.arange(5)[:, None], 8)
    assert angles.shape == (2, 5, 4)
    x = _random(1, 2, 5, 8)
    assert_close(rotate(x, angles).norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(rotate(x, angles)[..., 0, :], x[..., 0, :])
    assert rotate(x.bfloat16(), angles).dtype == torch.bfloat16


@pytest.mark.parametrize(("width", "axes", "multiple"), [(6, 2, 4), (5, 1, 2), (8, 3, 6)])
def test_a_head_that_the_axes_cannot_share_is_refused(width: int, axes: int, multiple: int) -> None:
    with pytest.raises(ValueError, match=f"{width} channels .* {axes} axes; use a multiple of {multiple}"):
        rotary(torch.zeros(3, axes), width)


def test_a_node_that_always_holds_speaks_in_every_frame() -> None:
    assert torch.equal(interval_bias(torch.tensor([[[0.0, 1.0]]]), 16, 0.03), torch.zeros(1, 16, 1))


def test_a_node_speaks_inside_its_interval_only() -> None:
    bias = interval_bias(torch.tensor([[[0.0, 0.5], [0.5, 1.0], [0.25, 0.75]]]), 16, 0.03)[0]
    assert bias.shape == (16, 3)
    assert bias.max() <= 0
    # The first half is open at 0, the second at 1: the frames farthest from the middle are wholly free.
    assert bias[:5, 0].min() > -0.01
    assert bias[11:, 1].min() > -0.01
    assert bias[6:10, 2].min() > -0.1
    assert bias[12:, 0].max() < -6
    assert bias[:4, 1].max() < -6
    assert bias[[0, 1, 14, 15], 2].max() < -5
    assert bias.min() >= -9


def test_edges_are_soft_and_monotone() -> None:
    bias = interval_bias(torch.tensor([[[0.5, 1.0], [0.0, 0.5]]]), 64, 0.1)[0]
    rising, falling = bias[:, 0], bias[:, 1]
    assert (rising.diff() > 0).all()
    assert (falling.diff() < 0).all()
    assert_close(rising, falling.flip(0), atol=1e-5, rtol=1e-5)
    softer = interval_bias(torch.tensor([[[0.5, 1.0]]]), 64, 0.3)[0, :, 0]
    assert softer[10] > rising[10]


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    ("grid", "window"),
    [((8, 12), (4, 4)), ((9, 16), (3, 8)), ((16, 9), (8, 3)), ((6, 10), (6, 5)), ((5, 7), (5, 1)), ((1, 1), (1, 1))],
)
def test_merging_undoes_partitioning(grid: tuple[int, int], window: tuple[int, int], shifted: bool) -> None:
    x = _random(2, *grid, 3)
    windows, bias = window_partition(x, window, shifted)
    tokens = window[0] * window[1]
    assert windows.shape == (2 * grid[0] * grid[1] // tokens, tokens, 3)
    assert (bias is None) == (not shifted)
    assert torch.equal(window_merge(windows, window, shifted, *grid), x)


@pytest.mark.parametrize(
    ("grid", "most", "sides"),
    [
        ((8, 8), 8, (8, 8)),
        ((16, 32), 8, (8, 8)),
        ((9, 16), 8, (3, 8)),
        ((20, 12), 8, (5, 6)),
        ((6, 10), 8, (6, 5)),
        ((11, 4), 8, (1, 4)),
        ((1, 3), 8, (1, 3)),
    ],
)
def test_windows_are_the_largest_that_divide_the_grid(grid: tuple[int, int], most: int, sides: tuple[int, int]) -> None:
    assert window_sides(*grid, most) == sides


def test_tokens_rolled_in_from_the_other_side_are_kept_apart() -> None:
    height = width = 8
    place = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)[None].float()
    windows, bias = window_partition(place, (4, 4), True)
    assert bias is not None
    assert bias.shape == (4, 16, 16)
    distance = (windows[:, :, None] - windows[:, None, :]).abs().amax(-1)
    # Neighbours see one another; what only the roll brought together does not.
    assert torch.equal(bias == 0, distance < 4)
    assert bias[bias != 0].max() <= -1e3


def test_shifted_window_attention_does_not_leak_around_the_frame() -> None:
    attention = SelfAttention(8, 2, "math")
    x = _random(1, 8, 8, 8)
    places = torch.cartesian_prod(torch.arange(4), torch.arange(4))

    def run(x: Tensor) -> Tensor:
        windows, bias = window_partition(x, (4, 4), True)
        assert bias is not None
        return window_merge(attention(windows, rotary(places, 4), bias[:, None]), (4, 4), True, 8, 8)

    changed = x.clone()
    changed[:, 0, 0] += 5
    reached = (run(changed) - run(x)).abs().amax(-1)[0] > 1e-6
    assert reached[:2, :2].all()
    assert not reached[2:].any()
    assert not reached[:, 2:].any()


def test_cross_attention_hides_nodes_frame_by_frame() -> None:
    attention = CrossAttention(16, 2, "math")
    x, context = _random(2, 3, 4, 16), _random(2, 5, 16, seed=1)
    bias = torch.zeros(2, 3, 5)
    bias[:, 1, 4] = -1e4
    other = context.clone()
    other[:, 4] += 3
    difference = (attention(x, other, bias) - attention(x, context, bias)).abs().amax((0, 2, 3))
    assert difference[1] == 0
    assert difference[0] > 1e-4
    assert difference[2] > 1e-4
