"""A small text-to-image model of diffusers' own parts, made to be trained here and then frozen under a video's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn

from mov_ai.checked_config import Channels, Heads, Layers
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_json
from mov_ai.labels.pretrained import MAX_TOKENS
from mov_ai.labels.transformers_files import quiet
from mov_ai.models.codec import AnyCodec
from mov_ai.models.codec_registry import save_codec
from mov_ai.models.diffusers_codec import DiffusersCodec
from mov_ai.models.image_schedule import PREDICTIONS, ImageSchedule

_PAD, _UNKNOWN, _START, _END = "<pad>", "<unk>", "<s>", "</s>"


@dataclass(frozen=True)
class TextToImageConfig:
    """Sizes of the U-Net and of the text encoder that is trained with it.

    Attributes:
        widths: channels of the U-Net's levels, each half as high and wide as the one before.
        blocks: residual blocks of a level, each followed by attention to the frame and to the text.
        heads: of every attention of the U-Net.
        text_width, text_layers, text_heads: of the text encoder, CLIP's.
        prediction: what the U-Net predicts, one of `PREDICTIONS`. Noise is not to be had from noise alone: with
            "epsilon" the schedule ends before it, with the others it goes all the way.
    """

    widths: tuple[Channels, ...] = (64, 128)
    blocks: Layers = 1
    heads: Heads = 4
    text_width: Channels = 64
    text_layers: Layers = 2
    text_heads: Heads = 4
    prediction: str = "v_prediction"

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "widths", tuple(self.widths))
        if not self.widths or any(width % (2 * self.heads) for width in self.widths):
            raise UsageError(
                f"text_to_image: widths: expected multiples of twice the {self.heads} heads; found {self.widths}"
            )
        if self.text_width % self.text_heads:
            raise UsageError(
                f"text_to_image: text_width: expected a multiple of the {self.text_heads} text_heads; found "
                f"{self.text_width}"
            )
        if self.prediction not in PREDICTIONS:
            raise UsageError(
                f"text_to_image: prediction: expected one of {', '.join(PREDICTIONS)}; found {self.prediction!r}"
            )


def word_tokenizer(captions: Iterable[str]) -> Any:
    """A tokenizer of transformers for the words of captions, and for as many tokens as the longest of them has.

    It lies beside the network that was trained with it: what is no word of these captions is "unknown" to both.

    Raises:
        UsageError: if there is no word in them.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    normalizer, splitter = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    texts = [
        [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(caption))] for caption in set(captions)
    ]
    longest = max(map(len, texts), default=0)
    if not longest:
        raise UsageError("text_to_image: the clips have no captions; a text-to-image model needs them")
    names = [_PAD, _UNKNOWN, _START, _END, *sorted({word for text in texts for word in text})]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token=_UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    ends = [(name, names.index(name)) for name in (_START, _END)]
    tokenizer.post_processor = TemplateProcessing(single=f"{_START} $A {_END}", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        bos_token=_START,
        eos_token=_END,
        model_max_length=min(longest + 2, MAX_TOKENS),
    )


class TextToImage(nn.Module):
    """Noisy latents of single frames and captions in, clean latents out: a U-Net and CLIP's text encoder.

    Args:
        config: sizes.
        tokenizer: as `word_tokenizer` gives it.
        latent_channels: of the codec.
        cells: side of the latents that it is trained on.
    """

    #: Of libraries without types.
    unet: Any
    text_encoder: Any

    def __init__(self, config: TextToImageConfig, tokenizer: Any, latent_channels: int, cells: int) -> None:
        super().__init__()
        from diffusers import DDIMScheduler, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        levels = len(config.widths)
        if cells % 2 ** (levels - 1):
            raise UsageError(
                f"text_to_image: widths: {levels} levels halve the latents' {cells} cells {levels - 1} times; "
                "give fewer"
            )
        self.config, self.tokenizer = config, tokenizer
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=config.text_width,
                intermediate_size=4 * config.text_width,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_heads,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=cells,
            in_channels=latent_channels,
            out_channels=latent_channels,
            block_out_channels=config.widths,
            layers_per_block=config.blocks,
            down_block_types=("CrossAttnDownBlock2D",) * levels,
            up_block_types=("CrossAttnUpBlock2D",) * levels,
            cross_attention_dim=config.text_width,
            # The number of heads, whatever diffusers calls it.
            attention_head_dim=config.heads,
            # Of eight channels and more, as Stable Diffusion's are.
            norm_num_groups=min(32, max(1, math.gcd(*config.widths) // 8)),
        )
        scheduler: Any = DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            prediction_type=config.prediction,
            rescale_betas_zero_snr=config.prediction != "epsilon",
            timestep_spacing="trailing",
            steps_offset=1,
        )
        self.scheduler = scheduler
        self._schedule = ImageSchedule(scheduler.alphas_cumprod, config.prediction)

    def tokens(self, captions: list[str]) -> Tensor:
        """Numbers of the captions' tokens, (batch, tokens): always as many, as `PretrainedText` reads them."""
        filled = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
        numbers: Tensor = filled["input_ids"]
        return numbers

    def forward(self, noisy: Tensor, sigma: Tensor, tokens: Tensor) -> Tensor:
        """Clean latents, as noisy.

        Args:
            noisy: (batch, channels, h, w), on the way of `mov_ai.diffusion.process.add_noise`.
            sigma: (batch,) noise level in (0, 1]. tokens: (batch, tokens).
        """
        text = self.text_encoder(input_ids=tokens).last_hidden_state
        scaled, timestep, signal = self._schedule.scaled(noisy, sigma)
        output = self.unet(scaled, timestep, text, return_dict=False)[0].float()
        return self._schedule.clean(output, scaled, signal)

    def save(self, directory: Path, codec: AnyCodec) -> None:
        """Write a pipeline's folder of diffusers, as `load_image_model` and `PretrainedText` read it, with the codec.

        Diffusers itself reads it too, with `vae=None` where the codec is none of its own: it then makes latents.

        Raises:
            MovAIError: if it cannot be written.
        """
        vae = type(codec.model).__name__ if isinstance(codec, DiffusersCodec) else None
        parts: dict[str, tuple[str, Any]] = {
            "unet": ("diffusers", self.unet),
            "scheduler": ("diffusers", self.scheduler),
            "text_encoder": ("transformers", self.text_encoder),
            "tokenizer": ("transformers", self.tokenizer),
        }
        index: dict[str, Any] = {"_class_name": "StableDiffusionPipeline", "requires_safety_checker": False}
        index |= {name: [library, type(part).__name__] for name, (library, part) in parts.items()}
        index |= {"vae": ["diffusers", vae] if vae else [None, None]}
        index |= {name: [None, None] for name in ("safety_checker", "feature_extractor", "image_encoder")}
        try:
            with quiet():
                for name, (_, part) in parts.items():
                    part.save_pretrained(directory / name)
        except (OSError, SafetensorError) as error:
            raise MovAIError(f"{directory}: cannot be written ({error}); choose another place") from None
        save_codec(codec, directory / "vae")
        write_json(directory / "model_index.json", index)
