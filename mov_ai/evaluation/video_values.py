"""What was measured on real clips is kept in files, and measured again only where something that decides it changed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.folders import VideoFolder
from mov_ai.evaluation.video_metrics import METRICS_VERSION
from mov_ai.evaluation.video_pass import Quantity, Values
from mov_ai.evaluation.video_store import VideoStore
from mov_ai.graph.files import sha256_of, write_bytes


def kept_values(
    store: VideoStore,
    names: Sequence[str],
    wanted: Sequence[Quantity],
    measure: Callable[[VideoFolder, Sequence[Quantity]], Values],
) -> Values:
    """Values of stored clips; only those that are not kept beside the store yet are measured.

    Args:
        names: of the clips.
        measure: measures quantities on a folder.
    """
    files = store.files(names)
    content = sha256_of(file.path for file in files.files)
    folder = store.folder.parent / f"{store.folder.name}-values"
    places = {q.name: folder / f"{q.name}-{short_digest(content, *_source_of(q))}.npz" for q in wanted}
    stored_values = {name: values for name, path in places.items() if (values := _load_values(path)) is not None}
    missing = [quantity for quantity in wanted if quantity.name not in stored_values]
    result = measure(files, missing) if missing else Values(files.settings)
    for name, values in result.of.items():
        if values:
            _save_values(places[name], values)
    result.names = [file.name for file in files.files]
    result.of |= stored_values
    return result


def _source_of(quantity: Quantity) -> tuple[str, ...]:
    """What a quantity's values depend on besides the videos."""
    return quantity.name, str(quantity.network), str(quantity.weights), quantity.parameters, str(METRICS_VERSION)


def short_digest(*parts: str) -> str:
    """Sixteen hexadecimal digits that change with any of the texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _save_values(path: Path, values: Mapping[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, allow_pickle=False, names=np.array(list(values)), values=np.stack(list(values.values()))
    )
    write_bytes(path, buffer.getvalue())


def _load_values(path: Path) -> dict[str, np.ndarray] | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(zip(archive["names"].tolist(), archive["values"], strict=True))
    except Exception as error:
        raise MovAIError(f"{path}: is damaged ({error}); remove it") from None
