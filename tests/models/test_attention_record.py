"""What is recorded is what cross-attention did, and only of passes with the whole condition."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange

from mov_ai.diffusion.sampling import Guidance
from mov_ai.models.attention import CrossAttention
from mov_ai.models.attention_record import attention_weights, cross_attentions, recorded_attention
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.codec import CodecConfig, VideoCodec
from mov_ai.models.conditioning import collate
from mov_ai.models.denoiser import TSAMDenoiser
from mov_ai.models.text_encoder import ABSENT
from tests.models.builders import given, small_denoiser

SMALL_CODEC = CodecConfig(widths=(16, 16, 8), blocks=(1, 1, 1))


def test_weights_are_those_of_the_module() -> None:
    torch.manual_seed(0)
    cross = CrossAttention(32, heads=4)
    x, context = torch.randn(2, 3, 5, 32), torch.randn(2, 7, 32)
    bias = torch.randn(2, 3, 7)
    bias[:, :, 6] = ABSENT
    weights = attention_weights(cross, x, context, bias)
    assert weights.shape == (2, 3, 5, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5))
    assert weights[..., 6].max() == 0
    # With one and the same head, the mean over heads says all: the output follows from it.
    single = CrossAttention(32, heads=1)
    value = single.key_value(context).chunk(2, -1)[1]
    mixed = torch.einsum("bfnm,bmd->bfnd", attention_weights(single, x, context, bias), value)
    torch.testing.assert_close(single.out(mixed), single(x, context, bias), atol=1e-5, rtol=1e-4)


def test_mean_over_heads() -> None:
    torch.manual_seed(1)
    cross = CrossAttention(16, heads=2)
    x, context, bias = torch.randn(1, 2, 3, 16), torch.randn(1, 4, 16), torch.zeros(1, 2, 4)
    query = cross.norm_query(rearrange(cross.query(x), "b f n (h d) -> b h f n d", h=2))
    key = cross.norm_key(rearrange(cross.key_value(context).chunk(2, -1)[0], "b m (h d) -> b h m d", h=2))
    expected = (torch.einsum("bhfnd,bhmd->bhfnm", query, key) / 8**0.5).softmax(-1).mean(1)
    torch.testing.assert_close(attention_weights(cross, x, context, bias), expected)


@pytest.fixture
def denoiser() -> TSAMDenoiser:
    return small_denoiser(depth=3, latent_channels=8)


def make(denoiser: TSAMDenoiser, seeds: tuple[int, ...] = (0,), guidance: float = 1.0) -> None:
    """Run the first stage in three steps."""
    cascade = Cascade(CascadeConfig(steps=(3, 1, 1)), VideoCodec(SMALL_CODEC), [denoiser])
    conditions = collate([given(frames=4)] * len(seeds))
    cascade.run_stage(0, conditions, list(seeds), Guidance(guidance, guidance), frames=4, sides=(32, 32))


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_passes_of_guidance_are_not_looked_at(denoiser: TSAMDenoiser, guidance: float) -> None:
    with recorded_attention(denoiser) as record:
        make(denoiser, guidance=guidance)
    assert record.passes == 3
    maps = record.maps()
    assert list(maps) == [1, 2, 3]
    for weights in maps.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


def test_chosen_blocks_and_steps(denoiser: TSAMDenoiser) -> None:
    def maps(**chosen: tuple[int, ...]) -> dict[int, torch.Tensor]:
        with recorded_attention(denoiser, **chosen) as record:
            make(denoiser)
        return record.maps()

    everything, apart = maps(), [maps(blocks=(2,), steps=(step,)) for step in (1, 2, 3)]
    assert [list(each) for each in apart] == [[2]] * 3
    assert not torch.equal(apart[0][2], apart[2][2])
    torch.testing.assert_close(sum(each[2] for each in apart) / 3, everything[2])


def test_nothing_is_left_on_the_network(denoiser: TSAMDenoiser) -> None:
    with pytest.raises(ValueError, match="one video at a time, got 2"), recorded_attention(denoiser):
        make(denoiser, seeds=(0, 1))
    make(denoiser, seeds=(0, 1))
    with recorded_attention(denoiser) as record:
        pass
    make(denoiser)
    assert (record.passes, record.sums) == (0, {})


def test_networks_without_cross_attention_have_none() -> None:
    assert cross_attentions(torch.nn.Linear(2, 2)) == {}
    assert list(cross_attentions(small_denoiser())) == [1, 2]
