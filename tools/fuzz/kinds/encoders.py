"""Folders of text encoders, damaged, or with code of their own in them: loaded and asked for features."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from mov_ai.labels.pretrained import PretrainedText
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_bytes, damaged_json, json_text

_WORDS = ("<pad>", "<unk>", "</s>", "a", "red", "ball", "rolls")
_FILES = ("config.json", "config.json", "tokenizer_config.json", "tokenizer.json")


@cache
def _whole() -> Path:
    """A small T5 with a tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5Model

    folder = Path(tempfile.mkdtemp(prefix="mov-ai-fuzz-encoder-"))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(_WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")
    fast.save_pretrained(folder)
    config = T5Config(vocab_size=len(_WORDS), d_model=12, d_kv=6, d_ff=16, num_layers=1, num_heads=2)
    T5Model(config).save_pretrained(folder)
    return folder


def make(rng: random.Random, folder: Path) -> Case:
    """A damaged encoder, one with code of its own, or a name that nobody fetched."""
    copy, ran = folder / "encoder", folder / "ran"
    shutil.copytree(_whole(), copy)
    how, name = rng.choice(("json", "json", "json", "code", "bytes", "tensors", "hub")), str(copy)
    if how in ("json", "code"):
        file = copy / rng.choice(_FILES)
        value = json.loads(file.read_text(encoding="utf-8"))
        if how == "code":
            reference = rng.choice(("evil.Evil", "somebody/evil--evil.Evil"))
            kinds = ("AutoConfig", "AutoModel", "AutoModelForTextEncoding", "AutoTokenizer")
            value |= {"auto_map": dict.fromkeys(kinds, reference)}
            value |= {"model_type": "evil"} if rng.random() < 0.5 else {}
            (copy / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Evil: pass\n", encoding="utf-8")
            file.write_text(json.dumps(value), encoding="utf-8")
            about = f"{file.name}: auto_map {reference}"
        else:
            damaged, about = damaged_json(value, rng)
            file.write_bytes(json_text(damaged, rng).encode("utf-8", "surrogatepass"))
            about = f"{file.name}: {about}"
    elif how == "tensors":
        from safetensors.torch import load_file, save_file

        tensors = load_file(copy / "model.safetensors")
        lost = rng.choice(sorted(tensors))
        tensors[rng.choice(("x", "\x1b[31mx", "a" * 300))] = tensors.pop(lost)
        save_file(tensors, copy / "model.safetensors", {"format": "pt"})
        about = f"without {lost}"
    elif how == "bytes":
        content, about = damaged_bytes((copy / "model.safetensors").read_bytes(), rng)
        (copy / "model.safetensors").write_bytes(content)
    else:
        name = about = rng.choice(("somebody/encoder", "../encoder", "https://huggingface.co/x/y", "a" * 300, "x\x00y"))

    def run() -> Tensor:
        return PretrainedText(name)(["a red ball"])

    def wrong(features: Tensor) -> str | None:
        if ran.exists():
            return "code of the checkpoint ran"
        if not features.isfinite().all():
            return "features that are not finite"
        return None if torch.equal(features, run()) else "other features when it is loaded again"

    return Case(about, run, wrong)


KIND = Kind("encoders", 0.7, make)
