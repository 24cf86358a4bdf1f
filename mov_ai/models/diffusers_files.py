"""Reading a model from a folder of diffusers: a class that is asked for, from safetensors only."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from mov_ai.errors import MovAIError, UsageError, shown
from mov_ai.graph.files import read_json
from mov_ai.models.component import CONFIG_FILE
from mov_ai.weight_files import require_finite

#: What `config.json` of a diffusers model names its class by.
CLASS_KEY = "_class_name"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"


def load_diffusers_model(folder: Path, classes: Collection[str]) -> Any:
    """The model of a folder, as float32 and in evaluation mode; nothing is fetched.

    Args:
        classes: the classes that are loaded, and no other: a checkpoint does not choose what runs.

    Raises:
        UsageError: if its class is none of them, its weights are pickles only, or its config builds no network.
        MovAIError: if its weights are damaged, incomplete or not finite.
    """
    header = read_json(folder / CONFIG_FILE)
    name = header.get(CLASS_KEY) if isinstance(header, dict) else None
    if name not in classes:
        raise UsageError(
            f"{folder / CONFIG_FILE}: {CLASS_KEY}: expected one of {', '.join(classes)}; found {shown(name)}"
        )
    if not any(folder.glob("*.safetensors")):
        raise UsageError(f"{folder}: expected {WEIGHTS_FILE}; pickles are never loaded, convert them to it")
    import diffusers

    network = getattr(diffusers, str(name), None)
    if network is None:
        raise UsageError(
            f"{folder / CONFIG_FILE}: {name}: the installed diffusers has no such class; install a newer one"
        )
    try:
        with _quiet():
            model, report = network.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise MovAIError(f"{folder}: its weights cannot be read ({first_line(error)}); fetch them again") from None
    except (TypeError, ValueError, KeyError) as error:
        if "shape" in str(error):
            raise MovAIError(f"{folder}: its weights do not fit {CONFIG_FILE} ({first_line(error)})") from None
        raise UsageError(f"{folder}: no {name} can be built ({first_line(error)})") from None
    for what in ("missing_keys", "unexpected_keys"):
        if names := report.get(what):
            which = f"{what.partition('_')[0]} tensors: {len(names)}, the first {sorted(names)[0]}"
            raise MovAIError(f"{folder}: {which}; the file is of another network or size")
    require_finite(model.state_dict(), str(folder))
    return model.float().eval()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of diffusers about tensors, which are errors here."""
    loggers = [logging.getLogger(name) for name in ("diffusers.models.modeling_utils", "diffusers.configuration_utils")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def first_line(error: Exception) -> str:
    """What an error says, in short."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0]
