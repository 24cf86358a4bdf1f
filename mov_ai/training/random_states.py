"""The states of all generators of random numbers, as JSON values."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decode(text: Any, size: int | None = None) -> bytes:
    content = base64.b64decode(text, validate=True)
    if size is not None and len(content) != size:
        raise ValueError(f"a random state of {len(content)} bytes, expected {size}")
    return content


def random_states(generator: torch.Generator) -> dict[str, Any]:
    """The random states of python, numpy, torch (CPU, and the GPU if in use) and `generator`, as JSON values."""
    version, words, gauss = random.getstate()
    _, numpy_words, position, has_gauss, cached = np.random.get_state(legacy=True)
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    return {
        "python": {"version": version, "words": _encode(np.asarray(words, "<u4").tobytes()), "gauss": gauss},
        "numpy": {
            "words": _encode(np.asarray(numpy_words, "<u4").tobytes()),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "gauss": float(cached),
        },
        "torch": _encode(torch.get_rng_state().numpy().tobytes()),
        "cuda": None if cuda is None else _encode(cuda.numpy().tobytes()),
        "generator": _encode(generator.get_state().numpy().tobytes()),
    }


def parse_random_states(states: Any) -> dict[str, Any]:
    """The arguments of each library's own setter. Raises ValueError if `states` is not what `random_states` returns."""
    try:
        python, legacy = states["python"], states["numpy"]
        python_words = np.frombuffer(_decode(python["words"], 625 * 4), "<u4")
        python_state = (int(python["version"]), tuple(int(word) for word in python_words), python["gauss"])
        random.Random().setstate(python_state)
        numpy_words = np.frombuffer(_decode(legacy["words"], 624 * 4), "<u4")
        numpy_state = (
            "MT19937",
            numpy_words,
            int(legacy["position"]),
            int(legacy["has_gauss"]),
            float(legacy["gauss"]),
        )
        np.random.RandomState().set_state(numpy_state)
        size = torch.get_rng_state().numel()
        parsed: dict[str, Any] = {"python": python_state, "numpy": numpy_state, "cuda": None}
        for name in ("torch", "generator"):
            parsed[name] = torch.frombuffer(bytearray(_decode(states[name], size)), dtype=torch.uint8)
            torch.Generator().set_state(parsed[name])
        if states["cuda"] is not None:
            parsed["cuda"] = torch.frombuffer(bytearray(_decode(states["cuda"])), dtype=torch.uint8)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"random states that cannot be read ({type(error).__name__}: {error})") from None
    return parsed


def set_random_states(states: Mapping[str, Any], generator: torch.Generator) -> None:
    """Put back what `random_states` returned.

    Raises:
        ValueError: if `states` is not of that form. Nothing is changed then.
    """
    parsed = parse_random_states(states)
    random.setstate(parsed["python"])
    np.random.set_state(parsed["numpy"])
    torch.set_rng_state(parsed["torch"])
    generator.set_state(parsed["generator"])
    if parsed["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(parsed["cuda"])
