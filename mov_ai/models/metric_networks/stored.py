"""Loading a metric network, with the words by which results name its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from mov_ai.errors import UsageError
from mov_ai.graph.files import sha256_of
from mov_ai.models.component import WEIGHTS_FILE, load_component

EMBEDDED = Path(__file__).resolve().parents[2] / "assets" / "metrics"
#: Name of the weights of a network that was not loaded from files.
UNTRAINED = "none: untrained"
Network = TypeVar("Network", bound=nn.Module)


def load_network(network: type[Network], config_type: type, path: str | Path | None, name: str) -> tuple[Network, str]:
    """A network and the identity of its weights: "embedded, sha256 ..." or "FOLDER, sha256 ...".

    Args:
        path: folder that training exported; None for the embedded one, `name`, which is also its recipe's name.

    Raises UsageError if the folder holds none, naming the command that trains one; else as `load_component`.
    """
    folder = EMBEDDED / name if path is None else Path(path)
    if not (folder / WEIGHTS_FILE).is_file():
        # A folder that the user gave may hold pickles or other mistakes: those are reported as they are.
        if path is not None and folder.exists():
            load_component(network, config_type, folder)
        raise UsageError(
            f"{folder}: holds no weights of a {network.__name__}; train them in a checkout with "
            f"recipes/{name}.sh, which writes runs/metrics/{name}/export"
        )
    module = load_component(network, config_type, folder)
    digest = sha256_of([folder / WEIGHTS_FILE])
    return module, f"{'embedded' if path is None else folder}, sha256 {digest}"
