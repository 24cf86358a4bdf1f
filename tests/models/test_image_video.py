"""Videos from a frozen image model: at first its own frames, then what is trained around it, and nothing of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.conditioning import Conditioning, collate
from mov_ai.models.graph_encoder import GraphEncoderConfig
from mov_ai.models.image_model import ImageModel, load_image_model
from mov_ai.models.image_schedule import PREDICTIONS, ImageSchedule
from mov_ai.models.image_video import ImageVideoConfig, ImageVideoDenoiser
from mov_ai.models.image_video_parts import TEMPORAL, TemporalAttention
from mov_ai.models.lora import FOLDER, LoraSettings
from mov_ai.models.registry import build_denoiser, load_denoiser, save_denoiser, sources, text_encoder_of
from tests.models.builders import LABELS, dogs_and_frisbees, given
from tests.models.image_models import TOKENS, save_pixart_pipeline, save_unet_pipeline

CAPTION, FRAMES = "a red ball rolls", 3


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_unet_pipeline(tmp_path_factory.mktemp("unet"))


@pytest.fixture(scope="module")
def pixart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pixart_pipeline(tmp_path_factory.mktemp("pixart"))


def small(folder: Path, **changes: Any) -> ImageVideoConfig:
    graph = GraphEncoderConfig(16, 1, 2)
    values = {"head_width": 4, "graph_encoder": graph, "labels": LABELS, "stages": (64,), "frames": FRAMES}
    return ImageVideoConfig(str(folder), **{**values, **changes})


def build(folder: Path, **changes: Any) -> ImageVideoDenoiser:
    torch.manual_seed(0)
    network = build_denoiser(small(folder, **changes))
    assert isinstance(network, ImageVideoDenoiser)
    return network


def asked(folder: Path) -> Conditioning:
    """Every source of conditioning, with the text as the image model reads it."""
    return replace(given(dogs_and_frisbees(), FRAMES), text_features=PretrainedText(str(folder))([CAPTION]))


def denoise(network: ImageVideoDenoiser, noisy: Tensor, sigma: Tensor, condition: Conditioning) -> Tensor:
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    return network(noisy, sigma, torch.zeros(1, dtype=torch.long), torch.zeros_like(noisy), window, condition)


def of_unet(folder: Path, images: Tensor, timestep: int, caption: str) -> Tensor:
    """What diffusers itself makes of single frames: the clean latents that a sampler's step goes by."""
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    tokens = AutoTokenizer.from_pretrained(folder / "tokenizer")(
        caption, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    )
    text = CLIPTextModel.from_pretrained(folder / "text_encoder")(tokens["input_ids"])[0]
    output = UNet2DConditionModel.from_pretrained(folder / "unet")(images, timestep, text.expand(len(images), -1, -1))
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    scheduler.set_timesteps(1000)
    return scheduler.step(output.sample, timestep, images).pred_original_sample


def of_pixart(folder: Path, images: Tensor, timestep: int, caption: str) -> Tensor:
    from diffusers import DDIMScheduler, PixArtTransformer2DModel
    from transformers import AutoTokenizer, T5EncoderModel

    tokens = AutoTokenizer.from_pretrained(folder / "tokenizer")(caption, return_tensors="pt")["input_ids"]
    text = T5EncoderModel.from_pretrained(folder / "text_encoder")(tokens)[0].expand(len(images), -1, -1)
    size = torch.tensor([[8.0 * side for side in images.shape[-2:]]]).repeat(len(images), 1)
    output = PixArtTransformer2DModel.from_pretrained(folder / "transformer")(
        images,
        text,
        torch.tensor([timestep]).expand(len(images)),
        {"resolution": size, "aspect_ratio": size[:, :1] / size[:, 1:]},
    )
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", clip_sample=False)
    scheduler.set_timesteps(1000)
    return scheduler.step(output.sample[:, :4], timestep, images).pred_original_sample


@pytest.mark.parametrize("temporal", TEMPORAL)
@pytest.mark.parametrize(("kind", "reference"), [("unet", of_unet), ("pixart", of_pixart)])
def test_before_training_each_frame_is_the_image_models(
    kind: str, reference: Callable[..., Tensor], temporal: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    network = build(folder, lora=LoraSettings(2), temporal=temporal).eval()
    assert text_encoder_of(network.config) == str(folder.resolve())
    assert sources(network.config) == ["a scene graph", "a layout", "a text"]
    alphas = _alphas(folder)
    condition = asked(folder)
    images = torch.randn(FRAMES, 4, 8, 6, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        for timestep in (150, 800):
            signal, noise = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
            noisy, sigma = images[None] / (signal + noise), noise / (signal + noise)
            video = denoise(network, noisy, sigma[None], condition)
            assert_close(video[0], reference(folder, images, timestep, CAPTION), atol=2e-3, rtol=1e-3)
        dropped = denoise(network, noisy, sigma[None], condition.without(text=True, graph=True))
        assert_close(dropped[0], reference(folder, images, timestep, ""), atol=2e-3, rtol=1e-3)
        assert not torch.allclose(dropped, video, atol=1e-3)


def _alphas(folder: Path) -> Tensor:
    from diffusers import DDPMScheduler

    scheduler: Any = DDPMScheduler.from_pretrained(folder / "scheduler")
    return scheduler.alphas_cumprod


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_noise_level_finds_its_timestep(prediction: str) -> None:
    from diffusers import DDPMScheduler

    scheduler: Any = DDPMScheduler(rescale_betas_zero_snr=prediction == "v_prediction", prediction_type=prediction)
    alphas = scheduler.alphas_cumprod
    schedule = ImageSchedule(alphas, prediction)
    signal, noise = alphas.sqrt(), (1 - alphas).sqrt()
    clean, drawn = torch.randn(2, 1000, 1, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    sigma = noise / (signal + noise)
    noisy = (1 - sigma.view(-1, 1, 1, 1, 1)) * clean + sigma.view(-1, 1, 1, 1, 1) * drawn
    scaled, timestep, _ = schedule.scaled(noisy, sigma)
    assert_close(timestep[:-1], torch.arange(999.0), atol=0.02, rtol=0)
    assert timestep[-1] == pytest.approx(999, abs=0.02)
    assert_close(scaled, scheduler.add_noise(clean, drawn, torch.arange(1000)), atol=1e-5, rtol=1e-4)
    perfect = {"epsilon": drawn, "sample": clean}.get(prediction)
    if perfect is None:
        perfect = scheduler.get_velocity(clean, drawn, torch.arange(1000))
    back = schedule.clean(perfect, scaled, schedule.scaled(noisy, sigma)[2])
    assert_close(back, clean, atol=0.02, rtol=0)
    # Beyond the ends of the schedule, as at its ends.
    _, ends, _ = schedule.scaled(noisy[:2], torch.tensor([1.0, 1e-6]))
    assert ends.tolist() == pytest.approx([999, 0], abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "rank", "temporal"), [("unet", 2, "blocks"), ("unet", 0, "layers"), ("pixart", 0, "blocks")]
)
def test_all_that_is_trained_learns_and_the_image_model_stays(
    kind: str, rank: int, temporal: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    network = build(folder, lora=LoraSettings(rank, targets=("to_q", "to_v")), temporal=temporal).train()
    part = folder / ("unet" if kind == "unet" else "transformer")
    before = load_file(part / "diffusion_pytorch_model.safetensors")
    condition = asked(folder)
    noisy, clean = torch.randn(2, 1, FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(4):
        optimizer.zero_grad()
        (denoise(network, noisy, torch.tensor([0.5]), condition) - clean).square().mean().backward()
        optimizer.step()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    after = network._image.network.state_dict()
    same = {name: name if name in after else name.replace(".weight", ".base_layer.weight") for name in before}
    same = {name: key if key in after else name.replace(".bias", ".base_layer.bias") for name, key in same.items()}
    assert all(torch.equal(after[same[name]], before[name]) for name in before)

    save_denoiser(network, tmp_path / "out")
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert set(stored) == {name for name in network.state_dict() if not name.startswith("adapters.")}
    assert {name.split(".")[0] for name in stored} == {
        *("painter", "graph", "null", "null_text", "blocks"),
        *(["time"] if temporal == "blocks" else []),
    }
    assert json.loads((tmp_path / "out" / "config.json").read_text())["config"]["digest"] == network.config.digest
    loaded = load_denoiser(tmp_path / "out")
    assert loaded.config == network.config
    with torch.no_grad():
        video = denoise(network.eval(), noisy, torch.tensor([0.5]), condition)
        assert_close(denoise(loaded, noisy, torch.tensor([0.5]), condition), video, atol=2e-2, rtol=2e-2)  # type: ignore[arg-type]
    assert (tmp_path / "out" / FOLDER).is_dir() == bool(rank)
    if rank:
        _check_peft(folder, tmp_path / "out" / FOLDER, network)
    _check_frame_rates(network, noisy, condition)


def _check_frame_rates(network: ImageVideoDenoiser, noisy: Tensor, condition: Conditioning) -> None:
    """Frames of half the rate are twice as far apart; of an unknown rate they are those of the training."""
    with torch.no_grad():
        of_rate = {
            fps: denoise(network, noisy, torch.tensor([0.5]), replace(condition, fps=torch.tensor([fps])))
            for fps in (0.0, 8.0, 4.0)
        }
    assert torch.equal(of_rate[0.0], of_rate[8.0])
    assert not torch.allclose(of_rate[4.0], of_rate[8.0], atol=1e-4)


def test_layers_follow_convolutions_and_blocks_stand_beside_whole_blocks(unet: Path, pixart: Path) -> None:
    image = load_image_model(unet)
    network = image.network
    names = {id(module): name for name, module in network.named_modules()}

    def places(temporal: str) -> list[tuple[str, str, bool]]:
        return [(names[id(p.module)], p.kind, p.before) for p in image.places_over_time(temporal)]

    down, middle, up = "down_blocks.0.", "mid_block.", "up_blocks.1."
    blocks = places("blocks")
    assert blocks[:2] == [(f"{down}resnets.0", "residual", False), (f"{down}attentions.0", "attention", False)]
    at = blocks.index((f"{middle}resnets.0", "residual", False))
    assert [name for name, _, _ in blocks[at : at + 3]] == [
        f"{middle}{x}" for x in ("resnets.0", "attentions.0", "resnets.1")
    ]
    assert blocks[-2:] == [(f"{up}resnets.1", "residual", True), (f"{up}attentions.1", "attention", True)]
    layers = places("layers")
    assert layers[:3] == [
        (f"{down}resnets.0.conv1", "convolution", False),
        (f"{down}resnets.0.conv2", "convolution", False),
        (f"{down}attentions.0.transformer_blocks.0", "attention", False),
    ]
    convolutions = {name for name, module in network.named_modules() if name.endswith((".conv1", ".conv2"))}
    assert {name for name, kind, _ in layers if kind == "convolution"} == convolutions
    residuals = {name.rpartition(".")[0] for name in convolutions}
    assert {name for name, kind, _ in blocks if kind == "residual"} == residuals
    # A transformer has no 3x3 convolutions: two attentions in a row of its blocks.
    transformer = load_image_model(pixart)
    assert [p.kind for p in transformer.places_over_time("layers")] == ["attention"] * 2
    assert [p.kind for p in transformer.places_over_time("blocks")] == ["residual", "attention"] * 2


def test_positions_are_scaled_by_the_frame_rate_of_each_video(unet: Path) -> None:
    network = build(unet)
    seen: list[Tensor] = []
    first = next(part for part in network.blocks if isinstance(part, TemporalAttention))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1].positions))
    two = collate([asked(unet)] * 2)
    given_rates = replace(two, fps=torch.tensor([8.0, 2.0]))
    noisy = torch.randn(2, FRAMES, 4, 8, 8)
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2)
    with torch.no_grad():
        network(noisy, torch.full((2,), 0.5), torch.zeros(2, dtype=torch.long), noisy, window, given_rates)
    assert seen[0].tolist() == [[0, 3, 6], [0, 12, 24]]


def _check_peft(folder: Path, adapters: Path, network: ImageVideoDenoiser) -> None:
    """The adapters are what peft itself reads, and puts into the image model."""
    from diffusers import UNet2DConditionModel
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(UNet2DConditionModel.from_pretrained(folder / "unet"), str(adapters))
    own, theirs = network._image.network.state_dict(), adapted.base_model.model.state_dict()
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[name], theirs[name]) for name in own)
    assert any("lora_B" in name and own[name].any() for name in own)


def test_a_missing_or_another_image_model_is_one_clear_line(unet: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(unet, place)
    save_denoiser(build(place), tmp_path / "out")
    settings = json.loads((place / "scheduler" / "scheduler_config.json").read_text())
    (place / "scheduler" / "scheduler_config.json").write_text(json.dumps({**settings, "beta_end": 0.02}))
    with pytest.raises(UsageError, match=r"another image model than the network was trained around: expected files of"):
        load_denoiser(tmp_path / "out")
    shutil.rmtree(place)
    with pytest.raises(UsageError, match=r"config.json: image_model: .*model: no such folder; put the image model"):
        load_denoiser(tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder; expected a text-to-image pipeline"),
        (lambda folder: shutil.rmtree(folder / "unet"), "expected a folder unet or transformer in it"),
        (lambda folder: shutil.rmtree(folder / "scheduler"), "scheduler_config.json: not there"),
        (
            lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text(
                '{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000}'
            ),
            "expected a schedule of betas",
        ),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "text_encoder: .*: cannot be loaded"),
    ],
)
def test_what_is_not_an_image_model_is_one_clear_line(
    change: Callable[[Path], object], words: str, unet: Path, tmp_path: Path
) -> None:
    shutil.copytree(unet, tmp_path / "model")
    change(tmp_path / "model")
    with pytest.raises(UsageError, match=words):
        build(tmp_path / "model")


def test_models_that_are_shown_more_than_a_caption_and_sizes_that_do_not_fit_are_refused(unet: Path) -> None:
    from diffusers import UNet2DConditionModel

    config = json.loads((unet / "unet" / "config.json").read_text())
    schedule = ImageSchedule(torch.linspace(0.99, 0.01, 10), "epsilon")
    for more, words in (
        ({"in_channels": 9}, "9 channels in and 4 out"),
        ({"num_class_embeds": 3}, "num_class_embeds: 3: expected a model conditioned on one text"),
    ):
        network = UNet2DConditionModel.from_config({**config, **more})
        with pytest.raises(UsageError, match=words):
            ImageModel(network, schedule, "", "unet")
    with pytest.raises(ValueError, match="head_width: expected an even divisor of the image model's 8 channels, got 6"):
        build(unet, head_width=6)
    with pytest.raises(UsageError, match=r"lora.targets: no_such"):
        build(unet, lora=LoraSettings(2, targets=("no_such",)))
    with pytest.raises(ValueError, match="stages: expected one size"):
        small(unet, stages=(64, 128))
