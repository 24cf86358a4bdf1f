"""A parser's folder that is not what it should be: one line, nothing imported, nothing made of claimed sizes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from mov_ai.errors import MovAIError, UsageError
from mov_ai.parser.parser import SceneGraphParser


@pytest.fixture
def folder(tiny_pipeline_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_pipeline_dir / "parser", tmp_path / "parser")
    return tmp_path / "parser"


def _set(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["network"].update(heads=0), "network.heads: expected greater than or equal to 1; found 0"),
        (lambda c: c["network"].update(heads=3), "dim: expected a multiple of heads"),
        (lambda c: c["network"].update(layers=100_000_000), "network.layers: expected less than or equal to 256"),
        (lambda c: c["network"].update(dim=65_536), "expected .*, found .*; the file is of another size"),
        (lambda c: c["network"].update(dropout="x"), "network.dropout: expected a valid number"),
        (lambda c: c["network"].update(labels=9), "vocabulary: labels: expected 9, as the network has; found 2"),
        (lambda c: c["vocabulary"].update(free_labels=[7]), "free_labels: expected numbers below 2; found 7"),
        (lambda c: c["vocabulary"].update(free_labels=[-1]), "free_labels.0: expected greater than or equal to 0"),
        (lambda c: c["vocabulary"].update(words=[1]), "vocabulary.words.0: expected a valid string; found 1"),
        (lambda c: c["calibration"].update(node=[1e300, 0]), "calibration.node.0: expected less than"),
        (lambda c: c.update(networks=10**9), "networks: expected less than or equal to 256"),
        (lambda c: c.update(networks=2), "the tensor .* is missing"),
        (lambda c: c.update(schema=3.0), "expected a parser of schema 3, found 3.0"),
        (lambda c: c.update(command="rm"), "'command' is not a setting"),
        (lambda c: c.pop("network"), "network: expected a value"),
    ],
)
def test_settings_are_checked_before_anything_is_made_of_them(
    folder: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    _set(folder, change)
    with pytest.raises(MovAIError, match=words) as caught:
        SceneGraphParser.from_pretrained(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["typer", "webbrowser", "os.path", "../x", "/tmp"])
def test_a_checkpoint_names_no_module_to_import(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "webbrowser", raising=False)
    _set(folder, lambda c: c.update(spacy_model=name))
    with pytest.raises(UsageError, match="neither an installed pipeline package nor a folder"):
        SceneGraphParser.from_pretrained(folder)
    assert "webbrowser" not in sys.modules


def test_weights_that_are_not_finite_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = next(n for n, t in tensors.items() if t.is_floating_point())
    tensors[name].view(-1)[0] = float("inf")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(MovAIError, match="expected finite numbers, found NaN or infinity"):
        SceneGraphParser.from_pretrained(folder)
