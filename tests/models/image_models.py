"""Tiny text-to-image pipelines with random weights, saved as diffusers saves them."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch

from tests.labels.test_pretrained import save_tokenizer

TEXT_WIDTH, TOKENS = 12, 8


def save_unet_pipeline(folder: Path) -> Path:
    """As Stable Diffusion: a U-Net, CLIP's text encoder and tokenizer, noise to be predicted."""
    from diffusers import DDIMScheduler, UNet2DConditionModel

    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
    ).save_pretrained(folder / "unet")
    betas = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    DDIMScheduler(**betas, clip_sample=False).save_pretrained(folder / "scheduler")
    _save_clip(folder)
    return _save_codec(folder)


def save_pixart_pipeline(folder: Path) -> Path:
    """As PixArt: a transformer that predicts velocities and a variance, T5's encoder."""
    from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer, T5Config, T5EncoderModel

    torch.manual_seed(1)
    PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        num_layers=2,
        cross_attention_dim=24,
        caption_channels=TEXT_WIDTH,
        sample_size=8,
        use_additional_conditions=True,
    ).save_pretrained(folder / "transformer")
    DPMSolverMultistepScheduler(prediction_type="v_prediction").save_pretrained(folder / "scheduler")
    T5EncoderModel(
        T5Config(vocab_size=7, d_model=TEXT_WIDTH, d_kv=6, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(folder / "text_encoder")
    save_tokenizer(folder / "tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    # T5's own ends every text, the empty one too.
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer.save_pretrained(folder / "tokenizer")
    return _save_codec(folder)


def _save_clip(folder: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    start, end = "<|startoftext|>", "<|endoftext|>"
    letters = [letter + close for close in ("", "</w>") for letter in string.ascii_lowercase + ",."]
    vocabulary = {token: number for number, token in enumerate([*letters, start, end])}
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "bos_token": start}
    settings |= dict.fromkeys(("eos_token", "unk_token", "pad_token"), end)
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(settings))
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=TEXT_WIDTH,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=vocabulary[start],
            eos_token_id=vocabulary[end],
            pad_token_id=vocabulary[end],
        )
    ).save_pretrained(folder / "text_encoder")


def _save_codec(folder: Path) -> Path:
    from diffusers import AutoencoderKL

    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4,) * 4,
        norm_num_groups=4,
        scaling_factor=0.2,
    ).save_pretrained(folder / "vae")
    return folder
