"""Frozen text encoders of `transformers`: captions and labels as their features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mov_ai.errors import MovAIError, UsageError, shown
from mov_ai.graph.files import read_json
from mov_ai.labels.transformers_files import LOCAL, load_network, local_folder, quiet, require_printable_names

#: Tokens of a text that count.
MAX_TOKENS = 64


def _reader_of(model: Any) -> Any:
    """What of a model reads texts."""
    if model.config.is_encoder_decoder and hasattr(model, "decoder"):
        return model.get_encoder()
    return model.text_model if hasattr(model, "vision_model") else model


class PretrainedText:
    """A frozen text encoder of `transformers` (T5, CLIP, BERT, ...): what the larger presets read captions with.

    Its weights belong to no network of ours: they are neither trained, nor counted, nor stored with the denoiser, which
    learns a projection of the features (`TextProjection`).

    Args:
        name: a folder that `save_pretrained` has written, a text-to-image pipeline of diffusers, or a name on the hub
            that was fetched before: nothing is fetched here, and no code that a checkpoint brings is run; UsageError if
            model or tokenizer cannot be loaded; pickled weights never are.
    """

    def __init__(self, name: str, device: torch.device | str = "cpu") -> None:
        from transformers import AutoModel, AutoModelForTextEncoding, AutoTokenizer

        folder = local_folder(name)
        if folder is None:
            raise UsageError(
                f"text_encoder: {shown(name, 200)}: cannot be loaded: it is no folder, and was not fetched before; "
                "nothing is fetched by itself: give a folder, or run `hf download` with that name if you trust it"
            )
        in_pipeline = (folder / "text_encoder").is_dir()
        tokenizer_folder, model_folder = folder, folder
        if in_pipeline:
            tokenizer_folder, model_folder = folder / "tokenizer", folder / "text_encoder"
        # Of T5, a pipeline holds the encoder only.
        kind = AutoModelForTextEncoding if in_pipeline else AutoModel
        self.name, self.device = name, torch.device(device)
        try:
            settings = tokenizer_folder / "tokenizer_config.json"
            if settings.is_file():
                require_printable_names(read_json(settings), settings)
            with quiet():
                self.tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, **LOCAL)
            model = load_network(kind, model_folder, _reader_of)
            self.encoder = model.to(device).eval().requires_grad_(False)
            # Stable Diffusion was trained to read what CLIP makes of the tokens that fill up a text.
            self._fill_up = in_pipeline and model.config.model_type == "clip_text_model"
            # Settings that do not fit together are seen here, those of what fills up the shorter caption too.
            self(["a", "a a a a"])
        except MovAIError as error:
            raise type(error)(f"text_encoder: {error}") from None
        except Exception as error:
            # Whatever a file holds, its readers raise; they have errors of every kind.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(
                f"text_encoder: {shown(name, 200)}: cannot be loaded ({shown(reason, 200)}); give a folder with "
                "config.json, safetensors weights and a tokenizer, or null"
            ) from None

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return int(self.encoder.config.hidden_size)

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> Tensor:
        """(B, T, width) float32 for T tokens of the longest of B captions; rows of zeros where there is no token.

        Of each, the first `MAX_TOKENS` tokens count; with CLIP of a text-to-image pipeline T is always as many as it
        takes, and there are no zeros.
        """
        if self._fill_up:
            most = self.tokenizer.model_max_length
            filled = self.tokenizer(
                captions, padding="max_length", truncation=True, max_length=most, return_tensors="pt"
            ).to(self.device)
            return self.encoder(input_ids=filled["input_ids"]).last_hidden_state.float()
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
