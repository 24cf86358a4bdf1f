"""Peers of the denoiser: what reaches their output and what must not, saving and loading, sampling in the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import UsageError
from mov_ai.models.cascade import Cascade, CascadeConfig
from mov_ai.models.component import save_component
from mov_ai.models.conditioning import Conditioning, collate
from mov_ai.models.denoiser import DenoiserConfig
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.registry import AnyConfig, AnyDenoiser, build_denoiser, load_denoiser, reads_graph, sources
from mov_ai.pipeline import MovAIPipeline
from studies.peers.factorised import FactorisedConfig
from studies.peers.flops import sampling_flops, training_flops
from studies.peers.unet3d import UNet3DConfig
from tests.models.builders import LABELS, awake, ball_and_cube, dogs_and_frisbees, given
from tests.models.test_codec import small_codec

TSAM = DenoiserConfig(
    latent_channels=4,
    dim=32,
    heads=2,
    depth=1,
    mlp_ratio=2.0,
    stem=8,
    graph_encoder=GraphEncoderConfig(16, 1, 2),
    labels=LABELS,
)
SMALL: dict[str, AnyConfig] = {
    "ours": TSAM,
    "text_only": replace(TSAM, graph=False, layout=False, text_layers=1),
    "no_layout": replace(TSAM, layout=False),
    "no_gating": replace(TSAM, interval_gating=False),
    "factorised": FactorisedConfig(
        latent_channels=4, dim=32, heads=2, depth=1, mlp_ratio=2.0, text_layers=1, labels=LABELS
    ),
    "unet3d": UNet3DConfig(4, (8, 16), 1, 2, 4, text_dim=16, text_layers=1, text_heads=2, labels=LABELS),
}
TEXT_ONLY = ("text_only", "factorised", "unet3d")
FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def small_peer(name: str, seed: int = 0) -> AnyDenoiser:
    """A small network with random weights that all matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return awake(build_denoiser(SMALL[name]), seed)


def _run(network: AnyDenoiser, condition: Conditioning, grid: tuple[int, int] = (8, 8), grad: bool = False) -> Tensor:
    batch, frames = len(condition), condition.boxes.shape[2]
    shape = (frames, network.config.latent_channels, *grid)
    noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(i)) for i in range(batch)])
    sigma, stage = torch.linspace(0.7, 0.9, batch), torch.zeros(batch, dtype=torch.long)
    with torch.set_grad_enabled(grad):
        return network(noise, sigma, stage, noise * 0, FULL.expand(batch, 4), condition)


def _difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


def _other_graph(c: Conditioning) -> Conditioning:
    return replace(c, node_label=c.node_label.flip(-1), link_label=c.link_label.flip(-1), scene=c.scene.flip(1))


def _other_boxes(c: Conditioning) -> Conditioning:
    boxes = c.boxes.clone()
    boxes[..., 0] += 0.2
    return replace(c, boxes=boxes, entity=c.entity.flip(-1), attribute=c.attribute.flip(-1))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("grid", "frames"), [((8, 8), 16), ((16, 16), 3)])
def test_the_output_has_the_shape_of_the_input(name: str, grid: tuple[int, int], frames: int) -> None:
    out = _run(small_peer(name), given(frames=frames), grid)
    assert out.shape == (1, frames, 4, *grid)
    assert out.isfinite().all()


@pytest.mark.parametrize("name", TEXT_ONLY)
def test_text_alone_decides_without_a_graph(name: str) -> None:
    network, whole = small_peer(name), given(frames=4)
    assert not reads_graph(network.config)
    assert sources(network.config) == ["a text"]
    other = _other_boxes(_other_graph(replace(whole, node_interval=whole.node_interval * 0.5)))
    assert torch.equal(_run(network, whole), _run(network, other))
    assert torch.equal(_run(network, whole), _run(network, whole.without(graph=True)))
    assert _difference(_run(network, whole), _run(network, replace(whole, text_features=-whole.text_features))) > 1e-4
    bare = whole.without(text=True)
    assert _difference(_run(network, whole), _run(network, bare)) > 1e-4
    assert torch.equal(_run(network, bare), _run(network, replace(bare, text_features=-bare.text_features)))


@pytest.mark.parametrize("name", TEXT_ONLY)
def test_the_order_of_words_matters(name: str) -> None:
    network, whole = small_peer(name), given(frames=4)
    assert (
        _difference(_run(network, whole), _run(network, replace(whole, text_features=whole.text_features.flip(1))))
        > 1e-4
    )


def test_without_a_layout_boxes_are_ignored_and_the_graph_is_not() -> None:
    network, whole = small_peer("no_layout"), given(frames=4)
    assert sources(network.config) == ["a scene graph", "a text"]
    assert torch.equal(_run(network, whole), _run(network, _other_boxes(whole)))
    assert _difference(_run(network, whole), _run(network, _other_graph(whole))) > 1e-4
    ours = small_peer("ours")
    assert _difference(_run(ours, whole), _run(ours, _other_boxes(whole))) > 1e-4


@pytest.mark.parametrize(("name", "listens"), [("ours", True), ("no_gating", False)])
def test_without_gating_attention_does_not_know_the_intervals(name: str, listens: bool) -> None:
    network, whole = small_peer(name), given(frames=16)
    # The interval stays a feature of its node; here only what attention makes of it is looked at.
    for parameter in network.graph.interval.parameters():
        torch.nn.init.zeros_(parameter)
    other = replace(whole, node_interval=whole.node_interval * 0.5)
    difference = _difference(_run(network, whole), _run(network, other))
    assert difference > 1e-4 if listens else difference == 0


@pytest.mark.parametrize("name", SMALL)
def test_no_weight_is_idle(name: str) -> None:
    network, condition = small_peer(name), given(dogs_and_frisbees(), frames=4)
    out = _run(network, condition, grad=True)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", SMALL)
def test_a_video_does_not_depend_on_the_others_in_its_batch(name: str) -> None:
    network = small_peer(name)
    longer = replace(ball_and_cube(count=2), caption="there is " * 8 + ball_and_cube().caption)
    both = _run(network, collate([given(frames=4), given(longer, frames=4)]))
    # The same noise level for the first of the batch and for it alone.
    assert_close(both[:1], _run(network, given(frames=4)), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded_it_is_the_same(name: str, tmp_path: Path) -> None:
    network = small_peer(name)
    save_component(network, tmp_path, torch.float32)
    loaded = load_denoiser(tmp_path)
    assert type(loaded) is type(network)
    assert loaded.config == network.config
    assert_close(_run(loaded, given(frames=4)), _run(network, given(frames=4)), atol=1e-4, rtol=1e-4)


def test_a_folder_of_another_network_is_refused(tmp_path: Path) -> None:
    save_component(small_codec(), tmp_path)
    with pytest.raises(UsageError, match="expected TSAMDenoiser, found 'VideoCodec'"):
        load_denoiser(tmp_path)
    with pytest.raises(UsageError, match="expected a folder"):
        load_denoiser(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (FactorisedConfig, {"dim": 30, "heads": 4}, "multiple of 4 .*, got 30 / 4"),
        (FactorisedConfig, {"prediction": "x"}, "expected one of preconditioned, .*, got 'x'"),
        (UNet3DConfig, {"channels": (20, 24)}, "multiples of groups 8 and heads 4"),
        (UNet3DConfig, {"prediction": "x"}, "got 'x'"),
        (CascadeConfig, {"first": 512, "last": 128}, "first <= last"),
        (CascadeConfig, {"last": 100}, r"both of \(128, 256, 512\)"),
    ],
)
def test_wrong_configurations_say_what_was_expected(kind: type, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**changes)


def test_sides_that_patches_do_not_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 2, got 7 x 8"):
        _run(small_peer("factorised"), given(frames=2), (7, 8))


# -- sampling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_cascade_samples_every_peer(name: str) -> None:
    cascade = Cascade(CascadeConfig(steps=(2, 1, 1), last=128), small_codec(), [small_peer(name)])
    condition = collate([given(frames=2), given(ball_and_cube(count=2), frames=2)])
    latents = cascade.run_stage(0, condition, [0, 1], Guidance(2.0, 1.0), frames=2)
    assert latents.shape == (2, 2, 4, 16, 16)
    assert latents.isfinite().all()
    again = cascade.run_stage(0, condition, [0, 1], Guidance(2.0, 1.0), frames=2)
    assert torch.equal(latents, again)


def test_a_single_stage_begins_with_noise_at_its_own_size() -> None:
    single = CascadeConfig(steps=(1, 1, 1), starts=(1.0, 1.0, 1.0), first=512, last=512)
    cascade = Cascade(single, small_codec(), [small_peer("ours")])
    assert cascade.run_stage(2, given(frames=1), [0], Guidance(), frames=1).shape == (1, 1, 4, 64, 64)
    whole = Cascade(CascadeConfig(steps=(1, 1, 1)), small_codec(), [small_peer("ours")])
    with pytest.raises(ValueError, match="stage 512 starts from an earlier stage's video"):
        whole.run_stage(2, given(frames=1), [0], Guidance(), frames=1)


def _pipeline(folder: Path, name: str, **cascade: Any) -> MovAIPipeline:
    """The small pipeline with another denoiser."""
    whole = MovAIPipeline.from_pretrained(folder, "cpu")
    config = replace(SMALL[name], latent_channels=whole.cascade.codec.config.latent_channels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_denoiser(config)
    made = Cascade(CascadeConfig(**{"steps": (1, 1, 1), **cascade}), whole.cascade.codec, [network])
    return MovAIPipeline(made, whole.planner, name=name, device="cpu")


@pytest.mark.parametrize("name", SMALL)
def test_a_pipeline_is_saved_loaded_and_makes_videos(name: str, tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_pipeline_dir, name, last=128)
    pipeline.save_pretrained(tmp_path / "peer", parser=False)
    assert not (tmp_path / "peer" / "parser").exists()
    loaded = MovAIPipeline.from_pretrained(tmp_path / "peer", "cpu")
    assert loaded.cascade.config == pipeline.cascade.config
    video = loaded(ball_and_cube(), seed=1)
    assert video.frames.shape == (16, 128, 128, 3)
    assert np.array_equal(video.frames, loaded(ball_and_cube(), seed=1).frames)


def test_a_stage_that_was_not_trained_is_warned_of(tiny_pipeline_dir: Path) -> None:
    video = _pipeline(tiny_pipeline_dir, "ours", last=128)(ball_and_cube(), stages=256)
    assert sorted(video.stages) == [128, 256]
    assert "trained for stages 128, asked for 256" in video.run["warnings"]


def test_the_video_of_a_later_first_stage_is_shrunk_to_the_size_asked_for(tiny_pipeline_dir: Path) -> None:
    pipeline = _pipeline(tiny_pipeline_dir, "ours", starts=(1.0, 1.0, 1.0), first=256, last=256)
    large, small = pipeline(ball_and_cube(), seed=0), pipeline(ball_and_cube(), seed=0, stages=128)
    assert large.frames.shape == (16, 256, 256, 3)
    assert list(small.stages) == [128]
    means = large.frames.reshape(16, 128, 2, 128, 2, 3).mean((2, 4))
    assert np.abs(small.frames - means).max() <= 1.0
    assert "this pipeline begins at 256; its video was shrunk to 128" in small.run["warnings"]
    assert not any("shrunk" in line for line in large.run["warnings"])


def test_text_alone_is_read_as_it_was_typed(tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {}

    def noted(graph: Any, *others: Any, **more: Any) -> Conditioning:
        read["text"] = graph.caption
        raise KeyboardInterrupt

    monkeypatch.setattr("mov_ai.pipeline.condition", noted)
    graph = ball_and_cube()
    roll = graph.caption.index("rolls")
    graph = graph.with_node("roll", span=(roll, roll + 5))
    for name, said in (("ours", "roll left"), ("text_only", "rolls left"), ("unet3d", "rolls left")):
        with pytest.raises(KeyboardInterrupt):
            _pipeline(tiny_pipeline_dir, name, last=128)(graph)
        assert said in read["text"]


# -- FLOPs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_flops_are_counted(name: str) -> None:
    network, condition = small_peer(name), given(frames=2)
    once = training_flops(network, condition, 64)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert training_flops(network, collate([condition, condition]), 64) == 2 * once
    cascade = Cascade(CascadeConfig(steps=(3, 1, 1), last=128), small_codec(), [network])
    one = Cascade(replace(cascade.config, steps=(1, 1, 1)), small_codec(), [network])
    cost, single = sampling_flops(cascade, condition), sampling_flops(one, condition)
    assert cost["denoise"] == 3 * single["denoise"] > 0
    assert cost["codec"] == single["codec"] > 0
    assert cost["total"] == cost["denoise"] + cost["codec"]


def test_a_convolution_costs_what_arithmetic_says() -> None:
    """The codec's share of a video of two frames: twice that of one."""
    network = small_peer("factorised")
    cascade = Cascade(CascadeConfig(steps=(1, 1, 1), last=128), small_codec(), [network])
    assert sampling_flops(cascade, given(frames=2))["codec"] == 2 * sampling_flops(cascade, given(frames=1))["codec"]
    # A linear layer of the network alone: 2 multiply-adds a weight, three times (forward, and both gradients).
    config = FactorisedConfig(latent_channels=4, dim=32, heads=2, depth=1, text_layers=1, labels=LABELS)
    wider = replace(config, mlp_ratio=5.0)
    extra = training_flops(build_denoiser(wider), given(frames=2), 64)
    extra -= training_flops(build_denoiser(config), given(frames=2), 64)
    tokens, weights = 2 * 4 * 4, 2 * 2 * 32 * 32
    assert extra == 3 * 2 * tokens * weights
