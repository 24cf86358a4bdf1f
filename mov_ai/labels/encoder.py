"""Labels as vectors: what a word means to a network, whichever word it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mov_ai.checked_config import Channels, Name
from mov_ai.errors import UsageError
from mov_ai.labels.features import ROLES, LabelFeatures, Weights, clean
from mov_ai.labels.meanings import load_meanings

EMBEDDED = "embedded"
VERSION = 1
#: Labels that an encoder remembers, the last ones used: 40 MB at the default width.
REMEMBERED = 20_000


@dataclass(frozen=True)
class LabelEncoderConfig:
    """Which encoder reads labels; lives in a checkpoint, for another one gives other vectors.

    Attributes:
        name: "embedded", or a folder or hub name of a `transformers` text encoder.
        width: channels of a vector.
        version: of the rules that make embedded vectors.
    """

    name: Name = EMBEDDED
    width: Channels = 512
    version: int = VERSION


class LabelEncoder(Protocol):
    """From labels in their roles to vectors; the same label has the same vector every time."""

    config: LabelEncoderConfig

    @property
    def width(self) -> int:
        """Channels of a vector."""
        ...

    def __call__(self, labels: Sequence[tuple[str, str]]) -> Tensor:
        """(n, width) float32 on the CPU, rows of unit length, of n pairs (role of `ROLES`, text)."""
        ...


class _Remembering:
    """What both encoders share: check labels, and encode each only once while it is remembered.

    `encode`: checked (role, clean text) pairs -> (n, width) float32, rows of unit length.
    """

    def __init__(self, config: LabelEncoderConfig, encode: Callable[[list[tuple[str, str]]], np.ndarray]) -> None:
        self.config = config
        self._encode = encode
        self._known: dict[tuple[str, str], Tensor] = {}

    @property
    def width(self) -> int:
        return self.config.width

    def __call__(self, labels: Sequence[tuple[str, str]]) -> Tensor:
        keys = [_checked(role, text) for role, text in labels]
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            self._known.update(zip(new, torch.from_numpy(self._encode(new)), strict=True))
        if not keys:
            return torch.zeros(0, self.width)
        vectors = torch.stack([self._known[key] for key in keys])
        for key in dict.fromkeys(keys):
            self._known[key] = self._known.pop(key)
        for key in list(self._known)[: max(0, len(self._known) - REMEMBERED)]:
            del self._known[key]
        return vectors


def _checked(role: str, text: str) -> tuple[str, str]:
    if role not in ROLES:
        raise UsageError(f"label {text!r}: expected a role of {', '.join(ROLES)}; found {role!r}")
    cleaned = clean(text)
    if not cleaned:
        raise UsageError(f"label: expected a word or phrase for a node's {role}; found {text!r}: write what it is")
    return role, cleaned


class EmbeddedLabelEncoder(_Remembering):
    """Word meanings that ship with the package, cut down by a fixed random projection.

    The projection keeps cosines of the sparse features up to about 1 / sqrt(width) (Achlioptas 2003), so a linear layer
    on the vectors learns what an embedding of every feature would, and no matrix has to be stored.
    """

    def __init__(self, config: LabelEncoderConfig, weights: Weights | None = None) -> None:
        if config.version != VERSION:
            raise UsageError(
                f"label encoder: expected version {VERSION} of the embedded vectors, found {config.version}: "
                "train the checkpoint again, or use the release of mov_ai that wrote it"
            )
        if config.width < 1:
            raise UsageError(f"label encoder: expected a width of at least 1, found {config.width}")
        features = LabelFeatures(load_meanings(), weights)

        def encode(labels: list[tuple[str, str]]) -> np.ndarray:
            return np.stack([project(features(role, text), config.width) for role, text in labels])

        super().__init__(config, encode)


class PretrainedLabelEncoder(_Remembering):
    """The mean of a text encoder's token features, at unit length; the role is not read.

    `features`: captions -> (n, T, width), rows of zeros where there is no token, such as `PretrainedText`.
    """

    def __init__(self, config: LabelEncoderConfig, features: Callable[[list[str]], Tensor]) -> None:
        def encode(labels: list[tuple[str, str]]) -> np.ndarray:
            tokens = features([text for _, text in labels]).float().cpu()
            if tokens.shape[-1] != config.width:
                raise UsageError(
                    f"label encoder: expected width {config.width}, found {tokens.shape[-1]} in {config.name}"
                )
            # A sum has the direction of the mean.
            return np.asarray(torch.nn.functional.normalize(tokens.sum(1), dim=-1))

        super().__init__(config, encode)


def project(features: dict[int, float], width: int) -> np.ndarray:
    """Sum features, each by a vector of signs that its number alone decides, to unit length: (width,) float32.

    Weights are rounded to 2^-30 first: sums of such numbers are exact in any order, so every machine gets one result.
    """
    numbers = np.fromiter(features, dtype=np.uint64, count=len(features))
    amounts = np.round(np.fromiter(features.values(), dtype=np.float64, count=len(features)) * 2.0**30)
    summed = amounts @ _signs(numbers, width)
    if not summed.any():
        # Signs that cancel out exactly would leave no direction; this has never been observed.
        summed[0] = 1.0
    return (summed / np.sqrt((summed * summed).sum())).astype(np.float32)


def _signs(numbers: np.ndarray, width: int) -> np.ndarray:
    """(n, width) of -1 and 1: bits of SplitMix64 (Steele et al. 2014) started from each number."""
    blocks = -(-width // 64)
    step = np.uint64(0x9E3779B97F4A7C15)
    seeds = _mixed(numbers * step)
    states = seeds[:, None] + np.arange(1, blocks + 1, dtype=np.uint64) * step
    bits = np.unpackbits(_mixed(states).astype("<u8").view(np.uint8), axis=1, count=width)
    return bits * 2.0 - 1.0


def _mixed(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _embedded(config: LabelEncoderConfig) -> EmbeddedLabelEncoder:
    return EmbeddedLabelEncoder(config)


def load_label_encoder(config: LabelEncoderConfig, device: torch.device | str = "cpu") -> LabelEncoder:
    """The encoder that a checkpoint's configuration names; the embedded one is loaded once.

    `device`: where a pretrained encoder runs; vectors come back to the CPU. Raises UsageError if it cannot be loaded,
    or its width is not the configuration's.
    """
    if config.name == EMBEDDED:
        return _embedded(config)
    from mov_ai.labels.pretrained import PretrainedText

    text = PretrainedText(config.name, device)
    if text.width != config.width:
        raise UsageError(f"label encoder: expected width {config.width}, found {text.width} in {config.name}")
    return PretrainedLabelEncoder(config, text)
