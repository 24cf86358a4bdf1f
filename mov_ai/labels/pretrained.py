"""Frozen text encoders of `transformers`: captions and labels as their features."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from torch import Tensor

from mov_ai.errors import UsageError

#: Tokens of a text that count.
MAX_TOKENS = 64


class PretrainedText:
    """A frozen text encoder of `transformers` (T5, CLIP, BERT, ...): what the larger presets read captions with.

    Its weights belong to no network of ours: they are neither trained, nor counted, nor stored with the denoiser, which
    learns a projection of the features (`TextProjection`).

    Args:
        name: a folder that `save_pretrained` has written, or a name on the hub; UsageError if model or tokenizer
            cannot be loaded; pickled weights never are.
    """

    def __init__(self, name: str, device: torch.device | str = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModel.from_pretrained(name, use_safetensors=True)
        except (OSError, ValueError, ImportError, KeyError, SafetensorError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(
                f"text_encoder: {name}: cannot be loaded ({reason}); give a folder with config.json, safetensors "
                "weights and a tokenizer, a name on the hub while online, or null"
            ) from None
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        elif hasattr(model, "vision_model"):
            model = model.text_model
        self.name = name
        self.encoder = model.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return int(self.encoder.config.hidden_size)

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> Tensor:
        """(B, T, width) float32 for T tokens of the longest of B captions; rows of zeros where there is no token.

        Of each, the first `MAX_TOKENS` tokens count.
        """
        batch = self.tokenizer(
            captions,
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
            return_attention_mask=True,
        ).to(self.device)
        mask = batch["attention_mask"]
        hidden = self.encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        return hidden.float() * mask[..., None]
