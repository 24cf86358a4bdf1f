"""A parser's folder: its networks, vocabulary and calibration, written and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from mov_ai.checked_config import Layers, Name, config_from_dict
from mov_ai.errors import UsageError, shown
from mov_ai.graph.files import read_json, write_bytes, write_json
from mov_ai.parser.confidence import UNCHANGED, Calibration
from mov_ai.parser.network import (
    DIRECTIONS,
    LINKS,
    MAX_DISTANCE,
    ORDERS,
    PARTS,
    ROLES,
    CompositionalSceneParser,
    ParserConfig,
)
from mov_ai.parser.token_graph import RELATIONS
from mov_ai.parser.vocabulary import Vocabulary
from mov_ai.weight_files import fit_weights, load_weights, pack, require_shape, unfilled

#: Version of the folder that `save_parser` writes.
SCHEMA = 3
#: How many roles and links parsers had that knew no camera, style, written words and places on the screen.
_FIRST_ROLES, _FIRST_LINKS = 14, 20
#: How many directions parsers had that knew no "across", "back and forth", "zigzag", "up and down".
_FIRST_DIRECTIONS = 8
#: What stands for a label that a network has not learnt: it is never said, but can still be learnt.
_UNLEARNT = -8.0


@dataclass(frozen=True)
class ParserFile:
    """A parser's config.json.

    Attributes:
        schema: `SCHEMA`.
        networks: how many stand in the weights. network: their sizes.
        spacy_model: an installed pipeline of spaCy's; None for the embedded one.
        calibration, vocabulary: see there.
    """

    schema: int
    networks: Layers
    network: ParserConfig
    vocabulary: Vocabulary
    spacy_model: Name | None = None
    calibration: Calibration = UNCHANGED

    def __post_init__(self) -> None:
        for name in ("forms", "labels", "endings"):
            words, outputs = len(getattr(self.vocabulary, name)), getattr(self.network, name)
            if words != outputs:
                raise UsageError(f"vocabulary: {name}: expected {outputs}, as the network has; found {words}")


def load_networks(folder: Path) -> tuple[list[CompositionalSceneParser], ParserFile]:
    """A parser's networks and its config.json.

    Raises:
        UsageError: if there is none, or a setting is not what it should be. MovAIError: if its weights are damaged.
    """
    source = str(folder / "config.json")
    config = read_json(source)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"{folder}: no model.safetensors there; give the folder of a trained parser")
    schema = config.get("schema") if isinstance(config, dict) else config
    if not isinstance(config, dict) or type(schema) is not int or schema != SCHEMA:
        raise UsageError(
            f"{source}: expected a parser of schema {SCHEMA}, found {shown(schema)}; it comes from another version of "
            "mov_ai: train it again with `python -m mov_ai.train experiment=parser/factual`"
        )
    about = config_from_dict(ParserFile, config, source)
    tensors = load_weights(weights)
    networks = []
    for number in range(about.networks):
        start = f"{number}."
        own = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        _require_sizes(about.network, own, str(weights))
        _add_later_labels(about.network, own, str(weights))
        with unfilled():
            network = CompositionalSceneParser(about.network)
        fit_weights(network, own, str(weights))
        networks.append(network)
    return networks, about


def _require_sizes(config: ParserConfig, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises MovAIError where the weights have not the sizes that the config claims: before a network is made of them.

    Of each setting, one tensor shows it.
    """
    dim = config.dim
    shapes = {
        "norm.weight": (dim,),
        f"layers.{config.layers - 1}.mlp_in.weight": (config.hidden, dim),
        "relation.weight": (RELATIONS, config.layers * config.heads),
        "guess.weight": (config.embedding, dim),
        "ends.0.weight": (2 * config.pair_dim, dim),
        "form.weight": (2 * config.forms, dim),
        "label.weight": (config.labels, dim),
        "ending.weight": (config.endings, dim),
    }
    for name, shape in shapes.items():
        require_shape(tensors, name, shape, source)


def _add_later_labels(config: ParserConfig, tensors: dict[str, Tensor], source: str) -> None:
    """Give a network of earlier days the directions, roles and links that came later, in place; it says none of them.

    Raises MovAIError if such a network lacks a weight of its labels, or one has another shape.
    """
    if "direction.bias" in tensors and tensors["direction.bias"].shape == (_FIRST_DIRECTIONS,):
        require_shape(tensors, "direction.weight", (_FIRST_DIRECTIONS, config.dim), source)
        grow_rows(tensors, "direction", len(DIRECTIONS) - _FIRST_DIRECTIONS)
    if "role.bias" not in tensors or tensors["role.bias"].shape != (_FIRST_ROLES,):
        return
    outputs, pair_dim = _FIRST_LINKS + len(ORDERS), config.pair_dim
    # Of each tensor its shape, which of its axes has the links, and what stands for later ones.
    with_links: dict[str, tuple[tuple[int, ...], int, float]] = {
        "bilinear": ((outputs, pair_dim, pair_dim), 0, 0.0),
        "from_source.weight": ((outputs, pair_dim), 0, 0.0),
        "from_source.bias": ((outputs,), 0, _UNLEARNT),
        "from_target.weight": ((outputs, pair_dim), 0, 0.0),
        "pair_distance.weight": ((2 * MAX_DISTANCE + 1, outputs), 1, 0.0),
    }
    require_shape(tensors, "role.weight", (_FIRST_ROLES, config.dim), source)
    for name, (shape, _, _) in with_links.items():
        require_shape(tensors, name, shape, source)
    grow_rows(tensors, "role", len(ROLES) - _FIRST_ROLES)
    tensors["part.weight"], tensors["part.bias"] = torch.zeros(len(PARTS), config.dim), torch.zeros(len(PARTS))
    for name, (_, axis, value) in with_links.items():
        links, orders = tensors[name].split([_FIRST_LINKS, len(ORDERS)], dim=axis)
        later = [*links.shape]
        later[axis] = len(LINKS) - _FIRST_LINKS
        tensors[name] = torch.cat([links, links.new_full(later, value), orders], dim=axis)


def grow_rows(tensors: dict[str, Tensor], name: str, count: int) -> None:
    """Give a linear layer so many more outputs, in place, which are never the likeliest."""
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    tensors[f"{name}.weight"] = torch.cat([weight, weight.new_zeros(count, *weight.shape[1:])])
    tensors[f"{name}.bias"] = torch.cat([bias, bias.new_full((count,), _UNLEARNT)])


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
    write_bytes(folder / "model.safetensors", safetensors.torch.save(pack(tensors, 2)))
    config = {
        "schema": SCHEMA,
        "networks": len(networks),
        "network": asdict(networks[0].config),
        "spacy_model": None,
        "calibration": asdict(calibration),
        "vocabulary": vocabulary.to_dict(),
    }
    write_json(folder / "config.json", config)
