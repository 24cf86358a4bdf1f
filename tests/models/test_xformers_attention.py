"""What is handed to xformers: one type, strides that its kernels can read, and the same attention as in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.models import attention
from mov_ai.models.attention import attend, padded_rows
from mov_ai.models.denoiser import DenoiserConfig, TSAMBlock, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.text_encoder import TextProjection
from tests.models.builders import LABELS, given
from tests.models.preset_networks import load_preset
from tests.models.xformers_stand_in import StandIn, check, install

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return install(monkeypatch)


@contextlib.contextmanager
def pretended_cuda(dtype: torch.dtype) -> Iterator[None]:
    """Tensors without numbers on a GPU that is not there, with CUDA's own rules of autocast."""
    with (
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", return_value=False),
        mock.patch("torch.cuda.is_bf16_supported", return_value=True),
        FakeTensorMode(),
        torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32),
    ):
        yield


@pytest.mark.parametrize(("preset", "name"), [("tiny", "fp32"), ("tiny", "bf16"), ("tiny", "fp16"), ("base", "bf16")])
def test_xformers_takes_what_a_block_hands_it(preset: str, name: str, stand_in: StandIn) -> None:
    config = load_preset(preset).denoiser
    with pretended_cuda(TYPES[name]), torch.device("cuda"), torch.no_grad():
        block, text = TSAMBlock(config), TextProjection(64, config.dim, 1, config.heads)
        tokens, _ = text(torch.randn(1, 9, 64))
        # Ten tokens a side: windows of 25, no multiple of 8, that are shifted.
        x, modulation = torch.randn(1, 16, 10, 10, config.dim), torch.randn(1, 9, config.dim)
        block(x, modulation, tokens, torch.zeros(1, 16, 9), True)
        block(x, modulation, tokens, torch.zeros(1, 16, 9), False)
    # Of the text; then spatial, temporal and cross-attention of two blocks, of which only the first windows have none.
    assert len(stand_in.calls) == 7
    assert {dtype for dtype, _, _ in stand_in.calls} == {TYPES[name]}
    assert sum(strides is not None for _, _, strides in stand_in.calls) == 4


def test_queries_and_keys_are_float32_under_cuda_autocast_before_they_are_made_alike() -> None:
    with pretended_cuda(torch.bfloat16):
        linear, norm = torch.nn.Linear(8, 8, device="cuda"), torch.nn.RMSNorm(8, device="cuda")
        value = linear(torch.randn(2, 8, device="cuda"))
        assert (value.dtype, norm(value).dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=15, deadline=None)
@drawn(
    batch=st.integers(1, 3),
    heads=st.integers(1, 3),
    queries=st.integers(1, 40),
    keys=st.integers(1, 41),
    width=st.sampled_from([4, 8, 12, 16, 20, 64, 160]),
    bias=st.sampled_from([None, "full", "row", "heads alike", "batch alike"]),
    seed=st.integers(0, 1000),
)
def test_padding_changes_no_number(
    name: str, batch: int, heads: int, queries: int, keys: int, width: int, bias: str | None, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(TYPES[name])

    shapes = {
        "full": (batch, heads, queries, keys),
        "row": (batch, 1, 1, keys),
        "heads alike": (batch, 1, queries, keys),
        "batch alike": (1, heads, queries, keys),
    }
    query, key, value = random(batch, heads, queries, width), random(batch, heads, keys, width), None
    # As the layers give values: a third of a wider tensor.
    value = random(batch, keys, 3, heads, width)[:, :, 2].transpose(1, 2)
    added = None if bias is None else 3 * random(*shapes[bias])
    exact = attend(query.double(), key.double(), value.double(), None if added is None else added.double(), "math")
    tensors = [tensor.detach().requires_grad_() for tensor in (query, key, value)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        stand_in = install(monkeypatch)
        monkeypatch.setattr(attention, "choose_backend", lambda wanted, device: wanted)
        found = attend(*tensors, added, "xformers")
    assert len(stand_in.calls) == 1
    assert found.dtype == TYPES[name]
    # What is left is one rounding of the result.
    close = {"fp32": 1e-6, "bf16": 2**-8, "fp16": 2**-11}[name]
    assert_close(found.double(), exact, atol=close, rtol=close)
    found.sum().backward()
    wide = [tensor.detach().double().requires_grad_() for tensor in (query, key, value)]
    attend(*wide, None if added is None else added.double(), "math").sum().backward()
    for narrow, precise in zip(tensors, wide, strict=True):
        assert narrow.grad is not None
        assert precise.grad is not None
        assert_close(narrow.grad.double(), precise.grad, atol=20 * close, rtol=20 * close)


@pytest.mark.parametrize("columns", [1, 7, 8, 30])
def test_padded_rows_hold_the_same_numbers_in_rows_of_eight(columns: int) -> None:
    bias = torch.randn(2, 1, 5, columns)
    rows = padded_rows(bias)
    assert torch.equal(rows, bias)
    assert rows.stride(-2) % 8 == 0
    assert rows.stride(-1) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: {**t, "query": t["query"].float()}, "one type"),
        (lambda t: {**t, "bias": t["bias"].float()}, "bias: torch.float32"),
        (lambda t: {**t, "bias": t["bias"][..., :7].contiguous(), "key": t["key"][:, :7]}, "shapes"),
        (lambda t: {n: x[..., :12] if n != "bias" else x for n, x in t.items()}, "multiples of 8"),
        (lambda t: {**t, "bias": torch.zeros(2, 2, 6, 9, dtype=torch.bfloat16)[..., :8]}, "strides"),
        (lambda t: {**t, "bias": t["bias"][:, :1]}, "bias: "),
    ],
)
def test_the_stand_in_refuses_what_xformers_refuses(spoil: object, message: str) -> None:
    tensors = {
        **{name: torch.zeros(2, length, 2, 16, dtype=torch.bfloat16) for name, length in (("query", 6), ("key", 8))},
        **{"value": torch.zeros(2, 8, 2, 16, dtype=torch.bfloat16), "bias": torch.zeros(2, 2, 6, 8).bfloat16()},
    }
    check(**tensors)
    assert callable(spoil)
    with pytest.raises(ValueError, match=message):
        check(**spoil(tensors))


def test_a_denoiser_is_the_same_with_xformers(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DenoiserConfig(
        dim=24, heads=2, depth=2, stem=8, graph_encoder=GraphEncoderConfig(16, 1, 2), labels=LABELS, backend="xformers"
    )
    stand_in = install(monkeypatch)
    monkeypatch.setattr(attention, "choose_backend", lambda wanted, device: wanted if wanted != "auto" else "math")
    outputs = []
    noisy = torch.randn(1, 16, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    for backend in ("xformers", "math"):
        torch.manual_seed(0)
        network = TSAMDenoiser(replace(config, backend=backend))
        # Fresh weights give zeros.
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        with torch.no_grad():
            outputs.append(network(noisy, torch.ones(1) * 0.7, torch.ones(1).long(), noisy, torch.ones(1, 4), given()))
    assert len(stand_in.calls) == 6
    assert_close(outputs[0], outputs[1], atol=2e-5, rtol=2e-5)


def test_where_xformers_has_no_kernel_another_takes_its_place_or_it_is_said(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def refuse(*given: Tensor, **_: object) -> Tensor:
        calls.append(given)
        raise NotImplementedError("No operator found for `memory_efficient_attention_forward` with inputs:\n  query")

    monkeypatch.setattr("xformers.ops.memory_efficient_attention", refuse)
    monkeypatch.setattr(attention, "_WITHOUT_KERNEL", set())
    query, key, value = (torch.randn(1, 2, n, 8) for n in (3, 5, 5))
    monkeypatch.setattr(attention, "choose_backend", lambda wanted, device: "xformers" if wanted == "auto" else wanted)
    with pytest.warns(UserWarning, match=r"no kernel for torch\.float32 on cpu \(No operator.*sdpa is used instead"):
        found = attend(query, key, value, None, "auto")
    assert_close(found, attend(query, key, value, None, "math"))
    # It is asked once.
    attend(query, key, value, None, "auto")
    assert len(calls) == 1
    with pytest.raises(UsageError, match=r"attention\.backend: xformers has no kernel .*use auto, sdpa or math"):
        attend(query, key, value, None, "xformers")
