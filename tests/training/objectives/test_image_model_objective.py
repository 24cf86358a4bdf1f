"""Training an image model on single frames: its loss falls, and its folder is one that video networks are built on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.models.codec import AnyCodec
from mov_ai.models.codec_registry import load_codec, save_codec
from mov_ai.models.conditioning import collate, condition
from mov_ai.models.image_model import load_image_model
from mov_ai.models.image_video import ImageVideoConfig, ImageVideoDenoiser
from mov_ai.models.image_video_parts import TEMPORAL
from mov_ai.models.registry import build_denoiser
from mov_ai.models.text_to_image import TextToImage, TextToImageConfig, word_tokenizer
from mov_ai.models.trained_on import TrainedOn
from mov_ai.training.clip_source import ClipSource, LatentSample
from mov_ai.training.loop import Trainer
from mov_ai.training.objective import Progress
from mov_ai.training.objectives.image_model import ImageModelObjective
from mov_ai.training.settings import TrainerConfig
from tests.data.test_shards import make_graph
from tests.models.builders import ENCODER, LABELS
from tests.models.test_codec import small_codec

FRAMES, SIZE, CELLS = 3, 32, 4
CAPTIONS = ("A red ball.", "A blue cube rolls.")
TINY = TextToImageConfig(widths=(16, 16), heads=2, text_width=16, text_layers=1, text_heads=2)


class Two(ClipSource):
    """Two clips, each of one picture that its caption names; no boxes."""

    about = "Two pictures."
    has_boxes = False

    def __init__(self, captions: tuple[str, ...] = CAPTIONS) -> None:
        self.graphs = [make_graph(caption) for caption in captions]
        pictures = torch.randn(len(captions), 1, 4, CELLS, CELLS, generator=torch.Generator().manual_seed(5))
        self.latents = pictures.expand(-1, FRAMES, -1, -1, -1)

    def bind(self, codec_source: str, codec: AnyCodec, stages: tuple[int, ...], frames: int, seed: int) -> None:
        self.trained_on = TrainedOn(VideoShape(frames, height=stages[0], width=stages[0]))

    def prepare(self, progress: Progress) -> None:
        pass

    def _these(self, chosen: list[int]) -> LatentSample:
        latents = self.latents[chosen]
        window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(chosen), 1)
        stage = torch.zeros(len(chosen), dtype=torch.long)
        nothing: list[None] = [None] * len(chosen)
        graphs = [self.graphs[i] for i in chosen]
        return LatentSample(latents, torch.zeros_like(latents), window, stage, graphs, [*nothing], [*nothing])

    def draw(self, stage: int, batch_size: int, step: int, rng: np.random.Generator) -> LatentSample:
        return self._these(rng.integers(len(self.graphs), size=batch_size).tolist())

    def validation(self, stage: int, most: int) -> LatentSample | None:
        return self._these([0, 1])

    def training_graphs(self, stage: int) -> Iterator[SceneGraph]:
        yield from self.graphs


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("codec")
    save_codec(small_codec(), folder)
    return str(folder)


def make_objective(codec: str, **changes: Any) -> ImageModelObjective:
    values = {"batch_size": 8, "data": Two(), "size": SIZE, "frames": FRAMES, "model": TINY, "drop_text": 0.0}
    objective = ImageModelObjective(codec=codec, **{**values, **changes})
    objective.prepare(torch.device("cpu"), lambda done, total, what: None)
    return objective


@pytest.fixture(scope="module")
def trained(codec: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, float]:
    """What a training ends with, its folder, and the validation error before it."""
    threads = torch.get_num_threads()
    objective = make_objective(codec)
    with torch.no_grad():
        before = objective.validate(objective.module())["denoise"]
    folder = tmp_path_factory.mktemp("run")
    config = TrainerConfig(
        max_steps=80, learning_rate=4e-3, warmup_steps=5, ema_decay=0.8, device="cpu", threads=1, optimizer="muon"
    )
    result = Trainer(objective, config, folder).run()
    torch.set_num_threads(threads)
    return result, folder, before


def test_the_loss_falls_and_the_caption_decides_the_picture(
    codec: str, trained: tuple[dict[str, Any], Path, float]
) -> None:
    result, folder, before = trained
    assert result["validation"]["denoise"] < 0.6 * before
    assert (folder / "sheets").is_dir() or any(folder.rglob("*.png"))
    made, pictures = _from_noise(folder / "export"), Two().latents[:, 0]
    errors = (made[:, None] - pictures[None]).square().mean((2, 3, 4))
    assert errors[0, 0] < errors[0, 1]
    assert errors[1, 1] < errors[1, 0]


def _video(folder: Path, temporal: str = "blocks") -> ImageVideoDenoiser:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "graph": False,
        "layout": False,
        "head_width": 8,
        "labels": LABELS,
        "stages": (SIZE,),
        "frames": FRAMES,
    }
    network = build_denoiser(ImageVideoConfig(str(folder), temporal=temporal, **values))
    assert isinstance(network, ImageVideoDenoiser)
    return network.eval()


@torch.no_grad()
def _videos(network: ImageVideoDenoiser, folder: Path, noisy: Tensor, sigma: Tensor) -> Tensor:
    text = PretrainedText(str(folder))
    asked = collate([condition(make_graph(one), None, ENCODER, noisy.shape[1], text([one])) for one in CAPTIONS])
    window = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(noisy), 1)
    return network(noisy, sigma, torch.zeros(len(noisy), dtype=torch.long), torch.zeros_like(noisy), window, asked)


def _from_noise(folder: Path) -> Tensor:
    """The picture that each caption leads to at first sight of noise."""
    noise = torch.randn(1, 1, 4, CELLS, CELLS, generator=torch.Generator().manual_seed(2)).expand(2, -1, -1, -1, -1)
    return _videos(_video(folder), folder, noise, torch.full((2,), 0.95))[:, 0]


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_a_video_network_around_it_is_the_image_model_frame_by_frame_at_first(
    temporal: str, codec: str, trained: tuple[dict[str, Any], Path, float]
) -> None:
    folder = trained[1] / "export"
    image = load_image_model(folder)
    assert (image.latent_channels, image.text_width, image.schedule.prediction) == (4, 16, "v_prediction")
    alone = _loaded(codec, folder)
    noisy = torch.randn(2, FRAMES, 4, CELLS, CELLS, generator=torch.Generator().manual_seed(3))
    for level in (1.0, 0.7, 0.1):
        sigma = torch.full((2,), level)
        video = _videos(_video(folder, temporal), folder, noisy, sigma)
        with torch.no_grad():
            for frame in range(FRAMES):
                picture = alone(noisy[:, frame], sigma, alone.tokens(list(CAPTIONS)))
                assert_close(video[:, frame], picture, atol=1e-4, rtol=1e-4)


def _loaded(codec: str, folder: Path) -> TextToImage:
    """The exported weights in a network as it is trained."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    network = make_objective(codec).module().eval()
    network.unet.load_state_dict(UNet2DConditionModel.from_pretrained(folder / "unet").state_dict())
    network.text_encoder.load_state_dict(CLIPTextModel.from_pretrained(folder / "text_encoder").state_dict())
    return network


def test_the_folder_is_a_pipeline_of_diffusers_without_pickles(
    codec: str, trained: tuple[dict[str, Any], Path, float]
) -> None:
    from diffusers import StableDiffusionPipeline

    folder = trained[1] / "export"
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt")]
    assert {path.parent.name for path in folder.rglob("*.safetensors")} == {"unet", "text_encoder", "vae"}
    own, given = load_codec(folder), load_codec(codec)
    assert all(torch.equal(own.state_dict()[name], value) for name, value in given.state_dict().items())
    pipeline: Any = StableDiffusionPipeline.from_pretrained(folder, vae=None)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(CAPTIONS[0], guidance_scale=1.0, num_inference_steps=2, output_type="latent").images
    assert made.shape == (1, 4, CELLS, CELLS)
    assert "Two pictures." in (folder / "README.md").read_text()


def test_a_batch_depends_on_seed_and_step_only(codec: str) -> None:
    one, two, other = (make_objective(codec, seed=seed, drop_text=0.5) for seed in (0, 0, 1))
    batches = [one.batch(step) for step in range(4)]
    for step in (2, 0, 3):
        assert all(torch.equal(value, batches[step][name]) for name, value in two.batch(step).items())
    assert not torch.equal(batches[0]["latents"], batches[1]["latents"])
    assert not torch.equal(other.batch(0)["latents"], batches[0]["latents"])
    assert torch.equal(one.module().unet.conv_in.weight, two.module().unet.conv_in.weight)
    assert not torch.equal(other.module().unet.conv_in.weight, one.module().unet.conv_in.weight)
    empty = one.module().tokens([""])[0]
    dropped = torch.cat([(batch["tokens"] == empty).all(1) for batch in batches])
    assert 0 < dropped.sum() < len(dropped)


def test_words_of_the_clips_are_known_and_others_are_not(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(CAPTIONS)
    red, green, capital = (tokenizer(text)["input_ids"] for text in ("a red ball", "a green ball", "A Red Ball"))
    assert red == capital
    assert green[2] == tokenizer.unk_token_id
    assert tokenizer.unk_token_id not in red
    # Five words and signs of the longer caption, and both ends.
    assert tokenizer.model_max_length == 7


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda codec: TextToImageConfig(prediction="noise"), "prediction: expected one of epsilon, .*; found 'noise'"),
        (lambda codec: TextToImageConfig(widths=(12,)), "widths: expected multiples of twice the 4 heads; found"),
        (lambda codec: TextToImageConfig(text_width=30), "text_width: expected a multiple of the 4 text_heads"),
        (lambda codec: make_objective(codec, drop_text=1.5), "drop_text: expected a share from 0 to 1; found 1.5"),
        (lambda codec: make_objective(codec, data=Two(("", " "))), "the clips have no captions"),
        (
            lambda codec: make_objective(codec, model=TextToImageConfig(widths=(16,) * 4, heads=2)),
            "4 levels halve the latents' 4 cells 3 times; give fewer",
        ),
        (lambda codec: make_objective("nowhere"), "codec: nowhere: no such folder"),
    ],
)
def test_settings_that_do_not_fit_are_one_clear_line(make: Any, words: str, codec: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        make(codec)
    assert "\n" not in str(caught.value)
