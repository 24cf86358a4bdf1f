"""Reading parts of `transformers` from this machine: no connection, no code from a checkpoint, no pickles."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from mov_ai.weight_files import require_finite

#: For every `from_pretrained` of transformers: a checkpoint's own Python (`auto_map`) is never run nor asked about.
LOCAL = MappingProxyType({"local_files_only": True, "trust_remote_code": False})
#: Ways of computing attention that come with PyTorch; any other may name code on the hub.
_ATTENTIONS = (None, "eager", "sdpa")


def local_folder(source: str) -> Path | None:
    """The folder of that path, or the one that holds what was fetched of that name before; None if there is neither.

    The hub's own library is only asked where it keeps its files: before any loading, even of local files, it may fetch
    small files of its own.
    """
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        places = [try_to_load_from_cache(source, name) for name in ("config.json", "model_index.json")]
    except HFValidationError:
        return None
    return next((Path(place).parent for place in places if isinstance(place, str)), None)


def load_network(kind: Any, folder: Path) -> Any:
    """A network by one of the `AutoModel...` classes, from safetensors.

    Args:
        kind: the class. folder: see `local_folder`.

    Raises:
        MovAIError: if a weight is not finite. ValueError: if its config asks for what is not loaded here; and what
            transformers raises.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, **LOCAL)
    for part in (config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", ()))):
        chosen = getattr(part, "_attn_implementation", None)
        if chosen not in _ATTENTIONS:
            raise ValueError(f"its config chooses the attention {chosen!r}, and a checkpoint does not choose what runs")
    network = kind.from_pretrained(folder, config=config, use_safetensors=True, **LOCAL)
    require_finite(network.state_dict(), str(folder))
    return network
