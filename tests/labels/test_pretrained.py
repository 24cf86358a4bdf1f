"""Text encoders of `transformers`: captions and labels as their features, and clear errors."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from mov_ai.errors import MovAIError, UsageError
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.labels.pretrained import MAX_TOKENS, PretrainedText
from mov_ai.models.text_encoder import TextProjection


def save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<unk>", "</s>", "a", "red", "ball", "rolls"]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")
    fast.save_pretrained(folder)


def save_t5(folder: Path) -> None:
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=7, d_model=12, d_kv=6, d_ff=16, num_layers=1, num_heads=2)
    T5Model(config).save_pretrained(folder)


def _save_clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    text = {
        "vocab_size": 7,
        "hidden_size": 12,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text |= {"eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1}
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 8, "patch_size": 4}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=4)).save_pretrained(folder)


@pytest.mark.parametrize("save", [save_t5, _save_clip])
def test_captions_are_read_by_a_pretrained_encoder(tmp_path: Path, save: object) -> None:
    save(tmp_path)  # type: ignore[operator]
    save_tokenizer(tmp_path)
    text = PretrainedText(str(tmp_path))
    assert text.width == 12
    features = text(["a red ball", "a red ball rolls"])
    assert features.shape == (2, 4, 12)
    assert features.dtype == torch.float32
    assert features[1].abs().sum(-1).min() > 0
    assert not features[0, 3].any()
    assert_close(text(["a red ball"])[0], features[0, :3], atol=1e-5, rtol=1e-4)
    assert not any(parameter.requires_grad for parameter in text.encoder.parameters())
    tokens, missing = TextProjection(text.width, 32)(features)
    assert missing.tolist() == [[False] * 3 + [True], [False] * 4]
    assert tokens.shape == (2, 4, 32)
    assert tokens.requires_grad
    assert text(["ball " * 500]).shape[1] <= MAX_TOKENS


def test_an_encoder_that_cannot_be_loaded_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match=r"text_encoder: .*nowhere': cannot be loaded") as caught:
        PretrainedText(str(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        PretrainedText(str(tmp_path))
    assert "\n" not in str(caught.value)
    weights.unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(UsageError, match="safetensors"):
        PretrainedText(str(tmp_path))


def test_labels_are_read_by_a_pretrained_encoder(tmp_path: Path) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    encoder = load_label_encoder(LabelEncoderConfig(str(tmp_path), 12))
    vectors = encoder([("entity", "red ball"), ("attribute", "red"), ("entity", "Red  ball")])
    assert vectors.shape == (3, 12)
    assert_close(vectors.norm(dim=1), torch.ones(3))
    assert torch.equal(vectors[0], vectors[2])
    assert not torch.equal(vectors[0], vectors[1])
    assert not vectors.requires_grad


def test_a_pretrained_encoder_of_another_width_is_refused(tmp_path: Path) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(UsageError, match=r"label encoder: expected width 64, found 12 in ") as caught:
        load_label_encoder(LabelEncoderConfig(str(tmp_path), 64))
    assert "\n" not in str(caught.value)


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Online as far as anybody knows, and nobody is asked or reached."""

    def never(*_: Any, **__: Any) -> None:
        pytest.fail("a checkpoint asks for something")

    monkeypatch.setattr("builtins.input", never)
    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("reference", ["evil.{name}", "somebody/evil--evil.{name}"])
@pytest.mark.usefixtures("no_questions")
def test_code_that_a_checkpoint_brings_neither_runs_nor_is_asked_about(
    tmp_path: Path, file: str, reference: str
) -> None:
    folder, ran = tmp_path / "encoder", tmp_path / "ran"
    save_t5(folder)
    save_tokenizer(folder)
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    names = ("AutoConfig", "AutoModel", "AutoModelForTextEncoding", "AutoTokenizer")
    references = {name: reference.format(name=name) for name in names}
    _change(folder / file, auto_map={**references, "AutoTokenizer": [references["AutoTokenizer"]] * 2})
    # A kind that transformers knows is read by its own class.
    assert PretrainedText(str(folder))(["a red ball"]).shape == (1, 3, 12)
    assert not ran.exists()
    _change(folder / "config.json", model_type="evil", auto_map=references)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        PretrainedText(str(folder))
    assert str(caught.value).isprintable()
    assert not ran.exists()


@pytest.mark.usefixtures("no_questions")
def test_a_name_on_the_hub_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    with pytest.raises(
        UsageError, match=r"somebody/encoder': cannot be loaded: .* nothing is fetched by itself"
    ) as caught:
        PretrainedText("somebody/encoder")
    assert str(caught.value).isprintable()


@pytest.mark.usefixtures("no_questions")
def test_a_base_model_of_an_adapter_is_not_fetched(tmp_path: Path) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "somebody/encoder"})
    )
    with pytest.raises(UsageError, match="cannot be loaded"):
        PretrainedText(str(tmp_path))


def test_a_checkpoint_chooses_no_attention_of_its_own(tmp_path: Path) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    _change(tmp_path / "config.json", attn_implementation="somebody/kernel")
    with pytest.raises(UsageError, match="does not choose what runs"):
        PretrainedText(str(tmp_path))


def test_an_encoder_whose_weights_are_not_finite_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["shared.weight"][2, 3] = float("nan")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(MovAIError, match="expected finite numbers"):
        PretrainedText(str(tmp_path))


def test_an_encoder_that_lacks_a_tensor_is_refused_and_no_name_in_it_reaches_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    # Of the decoder, nothing is used.
    tensors["\x1b[31mmore"] = tensors.pop("decoder.final_layer_norm.weight")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    capfd.readouterr()
    first, second = (PretrainedText(str(tmp_path))(["a red ball"]) for _ in range(2))
    assert torch.equal(first, second)
    del tensors["encoder.block.0.layer.0.SelfAttention.q.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(MovAIError, match=r"missing tensors: 1, the first encoder\.block\.0.*fetch its files again"):
        PretrainedText(str(tmp_path))
    _change(tmp_path / "config.json", model_type="\x1b[31mevil")
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        PretrainedText(str(tmp_path))
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


def test_names_in_a_tokenizer_that_steer_a_terminal_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    capfd.readouterr()
    token = {"content": "a", "lstrip": False, "\x1b[31mred": True}
    _change(tmp_path / "tokenizer_config.json", added_tokens_decoder={"3": token})
    with pytest.raises(UsageError, match="expected characters that can be printed") as caught:
        PretrainedText(str(tmp_path))
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "changes",
    [{"num_layers": 100_000_000}, {"vocab_size": 2**31}, {"d_model": "0"}, {"num_heads": 0}, {"d_kv": [1]}],
)
def test_settings_of_an_encoder_that_cannot_be_are_one_line_and_cost_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    save_t5(tmp_path)
    save_tokenizer(tmp_path)
    _change(tmp_path / "config.json", **changes)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        PretrainedText(str(tmp_path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a" * 5000, "x\0y", "../nowhere", "https://huggingface.co/somebody/encoder"])
def test_a_name_that_cannot_be_one_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="it is no folder, and was not fetched before") as caught:
        PretrainedText(name)
    assert str(caught.value).isprintable()
