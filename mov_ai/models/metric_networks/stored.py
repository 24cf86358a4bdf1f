"""Loading a metric network, with the words by which results name its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from mov_ai.errors import UsageError
from mov_ai.graph.files import sha256_of
from mov_ai.models.component import WEIGHTS_FILE, load_component

if TYPE_CHECKING:
    from typing_extensions import Self

EMBEDDED = Path(__file__).resolve().parents[2] / "assets" / "metrics"


class StoredNetwork(nn.Module):
    """A network that says where its weights come from.

    Attributes:
        CONFIG, NAME: type of its config; name of its embedded folder and of the recipe that trains it.
        weights: "embedded, sha256 ..." or "FOLDER, sha256 ...", as results name them.
    """

    CONFIG: ClassVar[type]
    NAME: ClassVar[str]
    weights = "none: untrained"

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, device: torch.device | str = "cpu") -> Self:
        """The embedded network, or one from a folder that training exported.

        Raises UsageError if the folder holds none, naming the command that trains one; else as `load_component`.
        """
        folder = EMBEDDED / cls.NAME if path is None else Path(path)
        # A folder that the user gave may hold pickles or other mistakes: those are reported as they are.
        if not (folder / WEIGHTS_FILE).is_file() and (path is None or not folder.exists()):
            raise UsageError(
                f"{folder}: holds no weights of a {cls.__name__}; train them in a checkout with "
                f"recipes/{cls.NAME}.sh, which writes runs/metrics/{cls.NAME}/export"
            )
        module = load_component(cls, cls.CONFIG, folder)
        module.weights = f"{'embedded' if path is None else folder}, sha256 {sha256_of([folder / WEIGHTS_FILE])}"
        return module.to(device).requires_grad_(False)
