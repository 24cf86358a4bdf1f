"""How well a text fits a video by a CLIP network, any that transformers can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mov_ai.errors import UsageError
from mov_ai.graph.files import sha256_of
from mov_ai.labels.transformers_files import LOCAL, load_network, quiet
from mov_ai.models.metric_networks.pixels import check_video

_FRAMES_AT_ONCE = 32


class ClipSimilarity:
    """Mean cosine of a text's and the frames' CLIP embeddings.

    CLIPSIM of Wu et al., "GODIVA" (2021). Frames are prepared as the checkpoint's own processor does (for OpenAI's:
    the shorter side to 224, then a crop of the centre); texts are cut to the length that the network takes.
    """

    def __init__(self, model: Any, processor: Any, network: str, weights: str) -> None:
        self._model, self._processor = model.eval().requires_grad_(False), processor
        self.network, self.weights = network, weights

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> ClipSimilarity:
        """Load a folder that transformers' `save_pretrained` wrote, or a clone of a model's repository; no download.

        Raises:
            UsageError: if it is no CLIP checkpoint.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UsageError(f"clip: {folder}: no such folder; give the folder of a transformers CLIP checkpoint")
        from transformers import AutoModel, AutoProcessor

        try:
            model = load_network(AutoModel, folder)
            with quiet():
                processor = AutoProcessor.from_pretrained(folder, **LOCAL)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise UsageError(
                f"clip: {folder}: transformers cannot load it ({reason}); give the folder of a CLIP checkpoint with "
                "its weights (safetensors), config, tokenizer and preprocessor_config.json"
            ) from None
        if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
            raise UsageError(
                f"clip: {folder}: expected a network of text and image such as CLIP, found {type(model).__name__}; "
                "give another folder"
            )
        files = sorted(p for p in folder.iterdir() if p.suffix == ".safetensors")
        weights = ", ".join(f"{path.name} (sha256 {sha256_of([path])})" for path in files)
        return cls(model, processor, f"{type(model).__name__}, transformers", weights)

    @torch.no_grad()
    def similarity(self, text: str, frames: np.ndarray) -> float:
        """Mean cosine over frames uint8 (T, H, W, 3); [-1, 1], higher is better."""
        check_video(frames)
        words = self._processor.tokenizer([text], padding=True, truncation=True, return_tensors="pt")
        text_features = _unit(self._model.get_text_features(**words))
        cosines = []
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            pictures = self._processor.image_processor(
                list(frames[start : start + _FRAMES_AT_ONCE]), return_tensors="pt"
            )
            cosines.append((_unit(self._model.get_image_features(**pictures)) * text_features).sum(-1))
        return float(torch.cat(cosines).double().mean())


def _unit(features: Any) -> torch.Tensor:
    # From transformers 5 on these are an output object; the embedding is its pooled part.
    tensor: torch.Tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return tensor / tensor.norm(dim=-1, keepdim=True)
