"""Any codec by its folder or its name, and back into a folder."""

from __future__ import annotations

from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json
from mov_ai.models import taef2
from mov_ai.models.codec import AnyCodec, CodecConfig, VideoCodec
from mov_ai.models.component import CONFIG_FILE, load_component, save_component

#: Network, as `config.json` calls it -> network and config.
_NETWORKS: dict[str, tuple[type[AnyCodec], type]] = {
    "VideoCodec": (VideoCodec, CodecConfig),
    "TAEF2": (taef2.TAEF2, taef2.TAEF2Config),
}


def load_codec(source: str | Path) -> AnyCodec:
    """Read a codec, in float32 and evaluation mode; nothing is fetched.

    Args:
        source: a folder that `save_codec` or a training wrote; one with TAEF2's files; or "taef2", once it was pulled.

    Raises:
        UsageError: if there is no such codec, or it is a pickle or of a kind that is not known.
        MovAIError: if weights are damaged or of another size.
    """
    folder = Path(source)
    if str(source) == taef2.NAME and not folder.is_dir():
        codec = taef2.load_taef2(taef2.find_taef2())
        codec.name = taef2.NAME
        return codec
    if files := taef2.weights_in(folder):
        return taef2.load_taef2(files)
    if not folder.is_dir():
        raise UsageError(f"codec: {source}: no such folder; expected the folder of a codec, or the name {taef2.NAME!r}")
    header = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).is_file() else None
    network = header.get("network") if isinstance(header, dict) else None
    # `load_component` says what was expected instead of what is there.
    return load_component(*_NETWORKS.get(str(network), _NETWORKS["VideoCodec"]), folder)


def save_codec(codec: AnyCodec, directory: str | Path) -> None:
    """Write a folder that `load_codec` reads.

    Raises:
        MovAIError: if it cannot be written.
    """
    save_component(codec, directory)
