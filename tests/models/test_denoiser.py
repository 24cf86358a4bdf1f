"""TSAM: shapes, what reaches the output and what must not, and the switches of its configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.models.conditioning import Conditioning, collate
from mov_ai.models.denoiser import DenoiserConfig, TSAMDenoiser
from mov_ai.models.graph_encoder import GraphEncoderConfig
from tests.models.builders import ENCODER, LABELS, ball_and_cube, dogs_and_frisbees, given, small_denoiser

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def _run(
    network: TSAMDenoiser, condition: Conditioning, grid: tuple[int, int] = (8, 8), stage: int = 0, seed: int = 0
) -> Tensor:
    """One evaluation on noise, (batch, frames, channels, *grid); the noise of a sample depends on seed and place."""
    batch, frames = len(condition), condition.boxes.shape[2]
    shape = (frames, network.config.latent_channels, *grid)
    noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed + i)) for i in range(batch)])
    low = noise.flip(1) * (stage > 0)
    sigma = torch.linspace(0.7, 0.9, batch)
    with torch.no_grad():
        return network(noise, sigma, torch.full((batch,), stage), low, FULL.expand(batch, 4), condition)


def _difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("combine", ["sequence", "parallel"])
@pytest.mark.parametrize(
    ("grid", "frames", "stage"),
    [((16, 16), 16, 0), ((32, 32), 4, 1), ((64, 64), 2, 2), ((8, 24), 1, 0), ((6, 10), 5, 0)],
)
def test_the_output_has_the_shape_of_the_input(combine: str, grid: tuple[int, int], frames: int, stage: int) -> None:
    out = _run(small_denoiser(combine=combine), given(frames=frames), grid, stage)
    assert out.shape == (1, frames, 4, *grid)
    assert out.isfinite().all()


def test_sides_that_patches_do_not_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 2, got 7 x 8"):
        _run(small_denoiser(), given(), (7, 8))


def test_sixteen_heads() -> None:
    assert DenoiserConfig().heads == 16
    assert _run(small_denoiser(dim=64, heads=16), given()).shape == (1, 16, 4, 8, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 30, "heads": 4}, "multiple of 4 for rotary positions, got 30 / 4"),
        ({"dim": 24, "heads": 4}, "got 24 / 4"),
        ({"attentions": ["spatial", "causal"]}, "expected some of spatial, temporal, cross"),
        ({"combine": "both"}, "expected 'sequence' or 'parallel', got 'both'"),
        ({"prediction": "x"}, "expected one of preconditioned, .*, got 'x'"),
        ({"text_encoder": "t5"}, "expected the width of t5's features, got 0"),
        ({"stages": (256, 128)}, r"expected ascending sizes, got \(256, 128\)"),
        ({"stages": (128, 128)}, "expected ascending sizes"),
        ({"stages": ()}, "expected ascending sizes"),
    ],
)
def test_wrong_configurations_say_what_was_expected(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenoiserConfig(**changes)  # type: ignore[arg-type]


def test_a_sequence_and_a_parallel_block_differ() -> None:
    sequence, parallel = small_denoiser(combine="sequence"), small_denoiser(combine="parallel")
    missing = parallel.load_state_dict(sequence.state_dict(), strict=False).missing_keys
    assert missing == [f"blocks.{i}.mix" for i in range(2)]
    assert _difference(_run(sequence, given()), _run(parallel, given())) > 1e-3


def _change_text(c: Conditioning) -> Conditioning:
    return replace(c, text_features=-c.text_features)


def _change_graph(c: Conditioning) -> Conditioning:
    return replace(
        c,
        node_label=c.node_label.flip(-1),
        node_direction=c.node_direction.flip(-1),
        node_interval=c.node_interval * 0.5,
        link_label=c.link_label.flip(-1),
        scene=c.scene + ENCODER([("light", "moonlight")]),
    )


def _change_layout(c: Conditioning) -> Conditioning:
    boxes = c.boxes.clone()
    boxes[..., 0] += 0.2
    return replace(c, boxes=boxes, entity=c.entity.flip(-1), attribute=c.attribute.flip(-1))


CHANGES = {"text": _change_text, "graph": _change_graph, "layout": _change_layout}


@pytest.mark.parametrize("source", CHANGES)
def test_a_source_of_conditioning_has_influence_unless_it_is_dropped(source: str) -> None:
    network, whole = small_denoiser(), given()
    change = CHANGES[source]
    yes, no = torch.tensor([True]), torch.tensor([False])
    dropped = whole.drop(*(yes if source == name else no for name in CHANGES))
    assert _difference(_run(network, whole), _run(network, change(whole))) > 1e-4
    assert torch.equal(_run(network, dropped), _run(network, change(dropped)))


@pytest.mark.parametrize("source", CHANGES)
def test_a_source_that_is_switched_off_has_no_influence(source: str) -> None:
    network, whole = small_denoiser(**{source: False}), given()
    assert torch.equal(_run(network, whole), _run(network, CHANGES[source](whole)))
    other = next(name for name in CHANGES if name != source)
    assert _difference(_run(network, whole), _run(network, CHANGES[other](whole))) > 1e-4


def test_dropping_the_graph_drops_what_is_painted_from_it() -> None:
    network, whole = small_denoiser(), given()
    bare = whole.without(graph=True)
    assert torch.equal(_run(network, bare), _run(network, _change_layout(_change_graph(bare))))
    assert _difference(_run(network, bare), _run(network, _change_text(bare))) > 1e-4
    empty = whole.without(text=True, graph=True)
    assert torch.equal(_run(network, empty), _run(network, _change_text(_change_layout(_change_graph(empty)))))


@pytest.mark.parametrize("gating", [True, False])
def test_a_node_is_silent_outside_its_interval(gating: bool) -> None:
    # One block, no layout and no layers in the graph encoder: a node can reach a frame by cross-attention only.
    network = small_denoiser(
        depth=1, layout=False, interval_gating=gating, graph_encoder=GraphEncoderConfig(16, 0, 2), softness=0.02
    )
    whole, other = given(), given()
    red = [node.id for node in ball_and_cube().nodes].index("red")
    assert whole.node_interval[0, red].tolist() == [0.0, 0.5]
    other.node_label[0, red] = ENCODER([("attribute", "green")])[0]
    change = (_run(network, other) - _run(network, whole)).abs().amax((0, 2, 3, 4))
    assert change[:6].min() > 1e-5
    if gating:
        assert change[11:].max() < 2e-3 * change[:6].max()
    else:
        assert change[11:].min() > 0.05 * change[:6].max()


def test_a_batch_equals_its_samples_one_by_one() -> None:
    network = small_denoiser()
    plain, many = given(), given(ball_and_cube(count=3))
    both = _run(network, collate([plain, many]))
    assert_close(both[:1], _run(network, plain), atol=1e-4, rtol=1e-3)
    shape = (16, 4, 8, 8)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))[None]
    with torch.no_grad():
        alone = network(noise, torch.tensor([0.9]), torch.zeros(1).long(), noise * 0, FULL, many)
    assert_close(both[1:], alone, atol=1e-4, rtol=1e-3)


def test_attention_stays_in_windows_and_shifts_carry_it_on() -> None:
    # Tokens of 2 cells, windows of 4 tokens. Five convolutions on either side reach 5 cells each. A change in the
    # corner is in tokens 0-2, after the first block 0-3, after the second, with windows shifted by 2, 0-5: cells 0-11.
    network, condition = small_denoiser(window=4), given(frames=1)
    noise = torch.randn(1, 1, 4, 24, 24, generator=torch.Generator().manual_seed(0))
    other = noise.clone()
    other[..., 0, 0] += 3
    sigma, stage = torch.tensor([0.8]), torch.zeros(1).long()
    with torch.no_grad():
        outputs = [network(x, sigma, stage, noise * 0, FULL, condition) for x in (noise, other)]
    change = (outputs[0] - outputs[1]).abs().amax((0, 1, 2))
    assert change[13:17, 13:17].max() > 1e-6
    assert change[17:].max() < 1e-7
    assert change[:, 17:].max() < 1e-7


def test_the_stage_and_the_earlier_video_matter() -> None:
    network, condition = small_denoiser(), given()
    assert _difference(_run(network, condition, stage=1), _run(network, condition, stage=2)) > 1e-4
    noise = torch.randn(1, 16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    sigma, stage = torch.tensor([0.8]), torch.ones(1).long()
    with torch.no_grad():
        outputs = [network(noise, sigma, stage, low, FULL, condition) for low in (noise, noise * 0)]
    assert _difference(*outputs) > 1e-4


@pytest.mark.parametrize("combine", ["sequence", "parallel"])
def test_gradients_reach_every_parameter(combine: str) -> None:
    network = small_denoiser(combine=combine)
    condition = given(dogs_and_frisbees())
    noise = torch.randn(1, 16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    out = network(noise, torch.tensor([0.5]), torch.ones(1).long(), noise, FULL, condition)
    (out * torch.randn_like(out)).sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_a_fresh_network_predicts_nearly_the_linear_estimate() -> None:
    torch.manual_seed(0)
    network = TSAMDenoiser(small_denoiser().config)
    out = _run(network, given())
    assert out.isfinite().all()
    assert out.abs().max() < 10


@pytest.mark.parametrize("text_encoder", [None, "somewhere"])
def test_features_of_another_width_are_refused(text_encoder: str | None) -> None:
    network = small_denoiser(text_encoder=text_encoder, text_width=12)
    whole = given()
    wrong = replace(whole, text_features=torch.randn(1, 3, 13))
    with pytest.raises(ValueError, match=r"expected text_features \(batch, tokens, (12|64)\) .*, got \(1, 3, 13\)"):
        _run(network, wrong)


def test_stages_are_the_configurations_own() -> None:
    network = small_denoiser(stages=[64, 96, 192, 384])
    assert network.config.stages == (64, 96, 192, 384)
    condition = given()
    assert _difference(_run(network, condition, stage=2), _run(network, condition, stage=3)) > 1e-4


def test_features_of_a_text_encoder_replace_the_words() -> None:
    network = small_denoiser(text_encoder="somewhere", text_width=12)
    features = torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(0))
    condition = replace(given(), text_features=features)
    out = _run(network, condition)
    assert _difference(out, _run(network, replace(condition, text_features=features * -1))) > 1e-4
    # Rows of zeros are padding.
    padded = torch.cat([features, torch.zeros(1, 3, 12)], 1)
    assert_close(_run(network, replace(condition, text_features=padded)), out, atol=1e-5, rtol=1e-4)
    bare = condition.without(text=True)
    assert torch.equal(_run(network, bare), _run(network, replace(bare, text_features=features * -1)))
    words = given()
    with pytest.raises(ValueError, match=rf"\(batch, tokens, 12\) from somewhere, got .*, {LABELS.width}\)"):
        _run(network, words)
    with pytest.raises(ValueError, match=r"got \(1, 5, 11\)"):
        _run(network, replace(condition, text_features=features[..., 1:]))
