"""Reading parts of `transformers` from this machine: no connection, no code from a checkpoint, no pickles."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from mov_ai.errors import MovAIError, shown
from mov_ai.graph.files import read_json
from mov_ai.weight_files import require_finite

#: For every `from_pretrained` of transformers: a checkpoint's own Python (`auto_map`) is never run nor asked about.
LOCAL = MappingProxyType({"local_files_only": True, "trust_remote_code": False})
#: More layers no encoder has; made one by one, they would take for ever.
_MOST_LAYERS = 256
_COUNTS = re.compile("layer|block|depth|expert")
#: Ways of computing attention that come with PyTorch; any other may name code on the hub.
_ATTENTIONS = (None, "eager", "sdpa")


def local_folder(source: str) -> Path | None:
    """The folder of that path, or the one that holds what was fetched of that name before; None if there is neither.

    The hub's own library is only asked where it keeps its files: before any loading, even of local files, it may fetch
    small files of its own.
    """
    try:
        if Path(source).is_dir():
            return Path(source)
    except (OSError, ValueError):
        # Too long for a path, or with a zero byte in it.
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        places = [try_to_load_from_cache(source, name) for name in ("config.json", "model_index.json")]
    except HFValidationError:
        return None
    return next((Path(place).parent for place in places if isinstance(place, str)), None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what transformers logs while it loads: it prints names that stand in the files as they are."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def require_printable_names(settings: Any, source: Path) -> None:
    """Raises ValueError if a name in JSON steers a terminal: the tokenizers print those that they do not know."""
    for name, value in settings.items() if isinstance(settings, dict) else enumerate(settings):
        if isinstance(name, str) and not name.isprintable():
            raise ValueError(f"{source.name}: the name {shown(name)}: expected characters that can be printed")
        if isinstance(value, (dict, list)):
            require_printable_names(value, source)


def load_network(kind: Any, folder: Path, part: Callable[[Any], Any] = lambda network: network) -> Any:
    """A network by one of the `AutoModel...` classes, or a part of it, from safetensors.

    Args:
        kind: the class. folder: see `local_folder`.
        part: from the network to what is used of it; what the files lack of the rest does not matter.

    Raises:
        MovAIError: if a weight is not finite, or the files lack one. ValueError: if its config asks for what is not
            loaded here; and what transformers raises.
    """
    from transformers import AutoConfig

    _require_few_layers(read_json(folder / "config.json"))
    with quiet():
        config = AutoConfig.from_pretrained(folder, **LOCAL)
    for settings in (config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", ()))):
        chosen = getattr(settings, "_attn_implementation", None)
        if chosen not in _ATTENTIONS:
            raise ValueError(f"its config chooses the attention {chosen!r}, and a checkpoint does not choose what runs")
    _require_size(kind, config, folder)
    with quiet():
        network, report = kind.from_pretrained(
            folder, config=config, use_safetensors=True, output_loading_info=True, **LOCAL
        )
    used = part(network)
    # Transformers makes them up at random, and says so in its log only. What pools is not asked for here.
    asked, named = set(used.parameters()), dict(network.named_parameters(remove_duplicate=False))
    missing = sorted(name for name in report["missing_keys"] if named.get(name) in asked and "pooler" not in name)
    if missing:
        raise MovAIError(f"{folder}: missing tensors: {len(missing)}, the first {missing[0]}; fetch its files again")
    require_finite(used.state_dict(), str(folder))
    return used


def _require_size(kind: Any, config: Any, folder: Path) -> None:
    """Raises ValueError if the config asks for far more numbers than the files hold: they would be made up first."""
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if not stored:
        raise ValueError("it has no weights in safetensors, and pickles are never loaded")
    with torch.device("meta"):
        asked = sum(part.numel() for part in kind.from_config(config, trust_remote_code=False).parameters())
    # No file has less than a quarter of a byte for a number.
    if asked > 4 * stored:
        raise ValueError(f"its config asks for {asked} numbers, and its files have {stored} bytes")


def _require_few_layers(settings: Any) -> None:
    """Raises ValueError if a number of layers, blocks or experts, here or deeper, is beyond what is made of layers."""
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, dict):
            _require_few_layers(value)
        elif isinstance(value, (int, float)) and value > _MOST_LAYERS and _COUNTS.search(str(name)):
            raise ValueError(f"{name}: expected {_MOST_LAYERS} at most; found {shown(value)}")
