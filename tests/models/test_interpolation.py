from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mov_ai.errors import UsageError
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.component import load_component, save_component
from mov_ai.models.in_between import blend, decoded, frames_after, in_between, interpolate, neighbourhoods, split
from mov_ai.models.interpolation import BETWEEN, InterpolationConfig, InterpolationNetwork
from mov_ai.models.interpolation_blocks import PairMixing
from mov_ai.models.presets import parameters

SMALL = InterpolationConfig(latent_channels=4, widths=(8, 12), blocks=(1, 1), dim=8, steps=2)


def fresh(seed: int = 0) -> InterpolationNetwork:
    torch.manual_seed(seed)
    return InterpolationNetwork(SMALL).eval()


def trained(seed: int = 0) -> InterpolationNetwork:
    """As if it was trained: no weight is 0."""
    network = fresh(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def inputs(pairs: int = 3) -> dict[str, Tensor]:
    """One clip, half-way between noise and clean."""
    generator = torch.Generator().manual_seed(1)
    return {
        "noisy": torch.randn(1, pairs, BETWEEN, 4, 6, 8, generator=generator),
        "time": torch.tensor([0.5]),
        "keyframes": torch.randn(1, pairs + 1, 4, 6, 8, generator=generator),
        "skip": torch.tensor([4.0]),
        "perturbation": torch.tensor([100.0]),
        "mask": torch.ones(1),
    }


def keyframes(count: int, seed: int = 2) -> Tensor:
    return torch.randn(1, count, 4, 6, 8, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_at_the_start_of_training_three_identical_frames_come_out() -> None:
    network = fresh()
    found = interpolate(keyframes(4), network, 32, steps=1, guidance=0)
    _, between = split(found)
    assert torch.equal(between[:, :, 0], between[:, :, 1])
    assert torch.equal(between[:, :, 0], between[:, :, 2])
    # What it says of the frames does not depend on the keyframes yet.
    said = [network._unet(values, torch.zeros(3, 8), 1, torch.ones(3)) for values in _two_that_share_the_noise()]
    assert torch.equal(*said)


def _two_that_share_the_noise() -> list[Tensor]:
    values = torch.randn(2, 3, 24, 8, 8)
    values[1, :, 4:16] = values[0, :, 4:16]
    return list(values)


@torch.no_grad()
def test_a_network_of_single_frames_can_be_started_from() -> None:
    network = fresh()
    first, last = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
    network.start_from(first, last)
    assert torch.equal(network.into.weight[:, 4:8], first.weight)
    assert network.into.weight[:, :4].count_nonzero() == network.into.weight[:, 8:].count_nonzero() == 0
    for frame in network.out.weight.split(4):
        assert torch.equal(frame, last.weight)


@torch.no_grad()
def test_pairs_are_mixed_by_a_learned_share_that_starts_at_0_and_by_the_mask() -> None:
    mixing = PairMixing(5)
    x = torch.randn(2 * 3, 5, 4, 4)
    assert torch.equal(mixing(x, 3, torch.ones(2)), x)
    mixing.alpha.fill_(0.25)
    nn.init.normal_(mixing.mix.weight)
    clips = x.view(2, 3, 5, 4, 4)
    around = torch.cat([clips[:, [0, 0, 1]], clips, clips[:, [1, 2, 2]]], 2)
    convolved = torch.einsum("bpchw,oc->bpohw", around, mixing.mix.weight) + mixing.mix.bias.view(5, 1, 1)
    mask = torch.tensor([1.0, 0.0])
    expected = 0.75 * clips + 0.25 * convolved
    merged = mixing(x, 3, mask).view(2, 3, 5, 4, 4)
    torch.testing.assert_close(merged[0], expected[0])
    assert torch.equal(merged[1], clips[1])


def test_the_share_and_the_convolution_both_begin_to_learn() -> None:
    network = fresh().train()
    given = inputs()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    for _ in range(4):
        optimizer.zero_grad()
        (network(**given) - 1).square().mean().backward()
        optimizer.step()
    untouched = [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert not untouched


@torch.no_grad()
def test_without_its_mask_the_network_sees_no_keyframe_and_no_other_pair() -> None:
    network, given = trained(), inputs()
    given["mask"] = torch.zeros(1)
    alone = network(**given)
    others = {**given, "keyframes": torch.full_like(given["keyframes"], torch.nan), "perturbation": torch.tensor([7.0])}
    assert torch.equal(network(**others), alone)
    others = {**given, "noisy": given["noisy"].clone()}
    others["noisy"][:, 0] += 1
    assert torch.equal(network(**others)[:, 1:], alone[:, 1:])
    # With it, it sees both.
    given["mask"] = torch.ones(1)
    known = network(**given)
    others = {**given, "keyframes": given["keyframes"] + 1}
    assert not torch.allclose(network(**others), known)
    others = {**given, "noisy": given["noisy"].clone()}
    others["noisy"][:, 0] += 1
    assert not torch.allclose(network(**others)[:, 1], known[:, 1])


@torch.no_grad()
@pytest.mark.parametrize("name", ["skip", "perturbation", "time"])
def test_the_network_is_told_skip_perturbation_and_time(name: str) -> None:
    network, given = trained(), inputs()
    before = network(**given)
    assert not torch.allclose(network(**{**given, name: given[name] * 0.5}), before, atol=1e-5)


@torch.no_grad()
def test_its_weight_makes_errors_of_all_times_alike() -> None:
    """An error of v, weighed, is one of x_0 where there is nothing but noise: by the spread, whatever the time."""
    network, given = trained(), inputs()
    given["keyframes"] = torch.zeros_like(given["keyframes"])
    ratios = []
    for time in (0.1, 0.5, 1.0):
        given["time"] = torch.tensor([time])
        before = network(**given)
        network.out.bias.add_(1.0)
        change = (network(**given) - before).square().mean()
        network.out.bias.sub_(1.0)
        ratios.append(float(change * network.weight(given["time"], given["keyframes"], given["mask"]).mean()))
    assert ratios == pytest.approx([SMALL.least_spread**2] * 3, rel=1e-3)


def test_keyframes_come_through_bit_for_bit_and_twice_gives_16n_minus_15() -> None:
    network, given = trained(), keyframes(3)
    once = interpolate(given, network, 32)
    assert once.shape[1] == frames_after(3) == 4 * 3 - 3
    assert torch.equal(once[:, ::4], given)
    twice = interpolate(once, network, 128)
    assert twice.shape[1] == frames_after(3, 2) == 16 * 3 - 15
    assert torch.equal(twice[:, ::16], given)
    assert not torch.allclose(split(once)[1], blend(given))


def test_no_guidance_is_the_plain_network() -> None:
    network, given, asked = trained(), keyframes(3), []
    network.register_forward_pre_hook(lambda _, arguments: asked.append(float(arguments[5])))
    plain = interpolate(given, network, 32, guidance=0)
    assert asked == [1.0, 1.0]
    guided = interpolate(given, network, 32, guidance=0.25)
    assert asked[2:] == [1.0, 0.0, 1.0, 0.0]
    assert not torch.equal(plain, guided)


def test_guidance_goes_away_from_what_is_said_without_keyframes() -> None:
    network, given = trained(), keyframes(2)
    torch.manual_seed(0)
    noise = torch.randn((1, BETWEEN, 4, 6, 8), generator=torch.Generator().manual_seed(0))[:, None]
    one, skip = torch.ones(1), torch.full((1,), 4.0)
    with torch.no_grad():
        known = network(noise, one, given, skip, 60 * one, one)
        alone = network(noise, one, given, skip, 0 * one, 0 * one)
    found = interpolate(given, network, 32, steps=1, guidance=0.5, perturbation=60)
    torch.testing.assert_close(split(found)[1], -(1.5 * known - 0.5 * alone))


def test_a_long_video_is_made_as_a_short_one_and_few_frames_are_held_at_a_time() -> None:
    network, given, taken = trained(), keyframes(40), 0
    whole = interpolate(given, network, 32)
    assert whole.shape[1] == frames_after(40)
    assert torch.equal(whole[:, ::4], given)
    part = interpolate(given[:, :12], network, 32)
    torch.testing.assert_close(part[:, :20], whole[:, :20])

    def counted():  # type: ignore[no-untyped-def]
        nonlocal taken
        for frame in given.unbind(1):
            taken += 1
            yield frame

    stream = in_between(counted(), network, 32)
    next(stream)
    assert taken < 25


def test_runs_with_their_neighbours() -> None:
    found = [(window[first:last], window) for window, first, last in neighbourhoods(range(7), 3, 1)]
    assert found == [([0, 1, 2], [0, 1, 2, 3]), ([3, 4, 5], [2, 3, 4, 5, 6]), ([6], [5, 6])]
    assert list(neighbourhoods([], 3, 1)) == []


def test_decoded_in_pieces_is_decoded_as_a_whole() -> None:
    torch.manual_seed(0)
    codec = VideoCodec(CodecConfig(4, (8, 8, 8), (1, 1, 1), (0.0,) * 4, (1.0,) * 4))
    for part in (codec.deep_time, codec.middle_time):
        nn.init.normal_(part.out.weight)
    latents = torch.randn(1, 21, 4, 2, 2)
    with torch.no_grad():
        whole = codec.eval().decode(latents).clamp(-1, 1)
    pieces = torch.cat(list(decoded(codec, latents.unbind(1))), 1)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)


def test_one_frame_and_latents_of_another_codec_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two frames or more, .*; found 1$"):
        interpolate(keyframes(1), fresh(), 32)
    with pytest.raises(UsageError, match=r"4 channels, as the network was trained on; found 5"):
        interpolate(torch.zeros(1, 2, 5, 6, 8), fresh(), 32)


def test_it_is_saved_and_loaded(tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_component(trained(), tmp_path, torch.float32)
    loaded = load_component(InterpolationNetwork, InterpolationConfig, tmp_path)
    given = keyframes(3)
    torch.testing.assert_close(interpolate(given, loaded, 32), interpolate(given, trained(), 32))


@torch.no_grad()
def test_as_much_of_what_matching_moved_is_mixed_in_as_was_learned() -> None:
    """A patch that jumps four cells is half-way in the middle frame, once the share is 1."""
    network = InterpolationNetwork(replace(SMALL, steps=1)).eval()
    patch, given = torch.randn(4, 4, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 2, 4, 20, 20)
    given[0, 0, :, 8:12, 6:10] = given[0, 1, :, 8:12, 10:14] = patch
    half_way = torch.zeros(4, 20, 20)
    half_way[:, 8:12, 8:12] = patch
    errors = []
    for share in (0.0, 1.0):
        network.matched.fill_(share / 10)
        middle = interpolate(given, network, 32, guidance=0)[0, 2]
        errors.append(float((middle - half_way).square().mean()))
    assert errors[1] < 0.25 * errors[0]


def test_the_standard_network_has_at_most_two_and_a_half_million_parameters() -> None:
    with torch.device("meta"):
        assert parameters(InterpolationNetwork(InterpolationConfig())) <= 2.5e6
