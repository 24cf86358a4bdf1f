"""CLIPSIM by a CLIP small enough to be made here, with weights at random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.errors import UsageError
from mov_ai.evaluation.clip_similarity import ClipSimilarity
from tests.evaluation.metrics.videos import sprites


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `save_pretrained` writes it."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({piece: place for place, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    text = {"vocab_size": len(pieces), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {"image_size": 32, "patch_size": 16, **sizes}
    config = CLIPConfig(
        text_config={**text, **sizes, "max_position_embeddings": 12}, vision_config=vision, projection_dim=8
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=12)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


def test_similarity_is_the_mean_cosine_of_transformers_own_embeddings(checkpoint: Path) -> None:
    from transformers import CLIPModel, CLIPProcessor

    clip, video = ClipSimilarity.from_pretrained(checkpoint), sprites(0, frames=5)
    model, processor = CLIPModel.from_pretrained(checkpoint), CLIPProcessor.from_pretrained(checkpoint)
    with torch.no_grad():
        given = processor(text=["a red ball"], images=list(video), return_tensors="pt", padding=True)
        output = model(**given)
    expected = float((output.image_embeds @ output.text_embeds.T).mean())
    found = clip.similarity("a red ball", video)
    assert found == pytest.approx(expected, abs=1e-5)
    assert -1 <= found <= 1
    assert found != clip.similarity("a cube", video)
    assert np.isfinite(clip.similarity("many words " * 40, video))


def test_it_names_its_weights(checkpoint: Path) -> None:
    clip = ClipSimilarity.from_pretrained(checkpoint)
    assert clip.network == "CLIPModel, transformers"
    assert clip.weights.startswith("model.safetensors (sha256 ")
    assert len(clip.weights) == len("model.safetensors (sha256 )") + 64


def test_folders_of_anything_else_are_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    with pytest.raises(UsageError, match="no such folder"):
        ClipSimilarity.from_pretrained(tmp_path / "none")
    with pytest.raises(UsageError, match="transformers cannot load it"):
        ClipSimilarity.from_pretrained(tmp_path)
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="clip: "):
        ClipSimilarity.from_pretrained(tmp_path)
