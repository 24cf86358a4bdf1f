"""A parser's folder: its networks, vocabulary and calibration, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json, write_bytes, write_json
from mov_ai.parser.confidence import UNCHANGED, Calibration
from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
from mov_ai.parser.vocabulary import Vocabulary

#: Version of the folder that `save_parser` writes.
SCHEMA = 3


def load_networks(folder: Path) -> tuple[list[CompositionalSceneParser], Vocabulary, dict[str, Any]]:
    """A parser's networks, their vocabulary and its whole config.json. Raises UsageError if there is none."""
    config = read_json(folder / "config.json")
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"{folder}: no model.safetensors there; give the folder of a trained parser")
    if not isinstance(config, dict) or config.get("schema") != SCHEMA:
        schema = config.get("schema") if isinstance(config, dict) else config
        raise UsageError(
            f"{folder}: config.json: expected a parser of schema {SCHEMA}, found {schema!r}; it comes from another "
            "version of mov_ai: train it again with `python -m mov_ai.train experiment=parser/factual`"
        )
    try:
        vocabulary = Vocabulary.from_dict(config["vocabulary"])
        tensors = _unpacked(safetensors.torch.load_file(weights))
        networks = []
        for number in range(config["networks"]):
            network = CompositionalSceneParser(ParserConfig(**config["network"]))
            start = f"{number}."
            own = {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}
            network.load_state_dict(own)
            networks.append(network)
    except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        # PyTorch says in the second line which tensor does not fit.
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{folder}: config.json and model.safetensors are not a parser's ({reason}); train or fetch it again"
        ) from None
    return networks, vocabulary, config


def save_parser(
    networks: Sequence[CompositionalSceneParser],
    vocabulary: Vocabulary,
    path: str | Path,
    calibration: Calibration = UNCHANGED,
) -> None:
    """Write config.json and model.safetensors into a folder, made if need be; each file at once.

    The networks, at least one, are of one size and vocabulary, and what they say together is their mean. Matrices are
    kept in 8 bits with a scale for each row, all else in half precision: a quarter of the size of single
    precision, and the same graphs for all but a few captions in a thousand.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{i}.{name}": part for i, network in enumerate(networks) for name, part in network.state_dict().items()}
    write_bytes(folder / "model.safetensors", safetensors.torch.save(_packed(tensors)))
    config = {
        "schema": SCHEMA,
        "networks": len(networks),
        "network": asdict(networks[0].config),
        "spacy_model": None,
        "calibration": asdict(calibration),
        "vocabulary": vocabulary.to_dict(),
    }
    write_json(folder / "config.json", config)


def _packed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored: `name` in half precision, or `name` in 8 bits and `name.scale` (rows,)."""
    packed = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().float()
        if tensor.dim() == 2 and min(tensor.shape) > 8:
            scale = (tensor.abs().amax(1) / 127).clamp(min=1e-8)
            packed[name] = (tensor / scale[:, None]).round().to(torch.int8)
            packed[f"{name}.scale"] = scale
        else:
            packed[name] = tensor.half().contiguous()
    return packed


def _unpacked(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `_packed` packed, in single precision."""
    scales = {name: tensor for name, tensor in packed.items() if name.endswith(".scale")}
    return {
        name: tensor.float() * scales[f"{name}.scale"][:, None] if f"{name}.scale" in scales else tensor.float()
        for name, tensor in packed.items()
        if name not in scales
    }
