"""Parts of a network can be switched off alone, do what their names say, and come back to the bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.models.ablation import PARTS, without
from mov_ai.models.conditioning import Conditioning
from mov_ai.models.denoiser import ATTENTIONS, TSAMDenoiser
from tests.models.builders import ball_and_cube, given, relabelled, small_denoiser


def output(network: nn.Module, condition: Conditioning | None = None) -> Tensor:
    """What the network makes of the same noise under a condition."""
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(1, 16, 4, 8, 8, generator=generator)
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    with torch.no_grad():
        result: Tensor = network(
            noisy, torch.tensor([0.8]), torch.tensor([0]), torch.zeros_like(noisy), window, condition or given()
        )
    return result


@pytest.fixture(scope="module")
def network() -> TSAMDenoiser:
    return small_denoiser()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_matters_to_a_random_network_and_is_restored_to_the_bit(network: TSAMDenoiser, part: str) -> None:
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    before, config = output(network), network.config
    with without([network], part):
        changed = output(network)
    assert not torch.equal(before, changed)
    assert torch.equal(before, output(network))
    assert network.config is config
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("combine", ["sequence", "parallel"])
@pytest.mark.parametrize("part", ATTENTIONS)
def test_a_network_without_an_attention_is_as_if_it_were_switched_off(part: str, combine: str) -> None:
    whole = small_denoiser(combine=combine)
    lacking = small_denoiser(combine=combine, attentions=[name for name in ATTENTIONS if name != part])
    missed = lacking.load_state_dict(whole.state_dict(), strict=False)
    assert not missed.missing_keys
    assert all(f".{part}." in name for name in missed.unexpected_keys)
    with without([whole], part):
        assert torch.equal(output(whole), output(lacking))
    with pytest.raises(UsageError, match=f"no network has the part {part!r}"), without([lacking], part):
        pass


def test_parts_are_restored_after_an_error_inside(network: TSAMDenoiser) -> None:
    before = output(network)
    with pytest.raises(RuntimeError, match="stopped"), without([network], "cross", "gating", "labels"):
        raise RuntimeError("stopped")
    assert torch.equal(before, output(network))


def test_several_parts_at_once_are_each_off(network: TSAMDenoiser) -> None:
    with without([network], "text"):
        one = output(network)
        with without([network], "spatial"):
            nested = output(network)
        assert torch.equal(one, output(network))
    with without([network], "spatial", "text"):
        assert torch.equal(nested, output(network))


def test_without_temporal_attention_frames_do_not_see_each_other(network: TSAMDenoiser) -> None:
    def first_frame(last: float) -> Tensor:
        noisy = torch.randn(1, 16, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        noisy[:, -1] = last
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        with torch.no_grad():
            made: Tensor = network(
                noisy, torch.tensor([0.8]), torch.tensor([0]), torch.zeros_like(noisy), window, given()
            )
        return made[:, 0]

    assert not torch.equal(first_frame(0.0), first_frame(1.0))
    with without([network], "temporal"):
        assert torch.equal(first_frame(0.0), first_frame(1.0))


def test_dropping_is_what_the_conditioning_calls_dropping(network: TSAMDenoiser) -> None:
    yes, no = torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.bool)
    for part, dropped in (
        ("text", given().drop(yes, no, no)),
        ("layout", given().drop(no, no, yes)),
        ("graph", given().drop(no, yes, no)),
    ):
        with without([network], part):
            inside = output(network)
        assert torch.equal(inside, output(network, dropped))


def test_without_labels_what_a_thing_is_called_is_not_seen_but_relations_are(network: TSAMDenoiser) -> None:
    graph = ball_and_cube()
    # The caption stays the same: the text is another part.
    renamed = replace(graph, nodes=[replace(n, label="crate") if n.id == "cube" else n for n in graph.nodes])
    assert not torch.equal(output(network, given(graph)), output(network, given(renamed)))
    with without([network], "labels"):
        assert torch.equal(output(network, given(graph)), output(network, given(renamed)))
        beside = given(relabelled(graph, "behind", "beside"))
        assert not torch.equal(output(network, given(graph)), output(network, beside))


def test_without_intervals_times_are_not_seen_neither_by_attention_nor_in_the_painting(network: TSAMDenoiser) -> None:
    def timed(end: float) -> Conditioning:
        graph = ball_and_cube()
        edges = [replace(e, interval=(0.0, end)) if e.target == "red" else e for e in graph.edges]
        return given(replace(graph, edges=edges))

    assert not torch.equal(output(network, timed(0.5)), output(network, timed(0.8)))
    with without([network], "node_intervals"):
        assert not torch.equal(output(network, timed(0.5)), output(network, timed(0.8)))
    with without([network], "intervals"):
        assert torch.equal(output(network, timed(0.5)), output(network, timed(0.8)))


def test_what_no_network_has_is_refused_and_what_one_has_is_enough(network: TSAMDenoiser) -> None:
    ungated = small_denoiser(interval_gating=False)
    with pytest.raises(UsageError, match="no network has the part 'gating'"), without([ungated], "gating"):
        pass
    with without([ungated, network], "gating"):
        assert not network.config.interval_gating
    with pytest.raises(UsageError, match="expected parts of spatial, temporal"), without([network], "colour"):
        pass
    with pytest.raises(UsageError, match="'text'"), without([small_denoiser(text=False)], "text"):
        pass
