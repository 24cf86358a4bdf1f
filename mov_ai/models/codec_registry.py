"""Any codec by its folder or its name, and back into a folder: ours, TAEF2, the autoencoders of diffusers, and those
whose frames a temporal decoder makes."""

from __future__ import annotations

from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json
from mov_ai.models.codec import AnyCodec, CodecConfig, VideoCodec
from mov_ai.models.component import CONFIG_FILE, load_component, save_component
from mov_ai.models.diffusers_codec import DiffusersCodec, load_diffusers_codec, save_diffusers_codec
from mov_ai.models.diffusers_files import CLASS_KEY
from mov_ai.models.registry import channels_last
from mov_ai.models.taef2 import TAEF2, TAEF2Config, load_taef2
from mov_ai.models.taef2_files import NAME as TAEF2_NAME
from mov_ai.models.taef2_files import find_taef2, weights_in
from mov_ai.models.temporal_codec import ENCODER, NETWORK, TemporalCodec

#: Codecs that are found by name, where a command has put them.
NAMES = (TAEF2_NAME,)
#: Where a pipeline of diffusers has its autoencoder.
_VAE = "vae"
#: Network, as `config.json` calls it -> network and config.
_NETWORKS: dict[str, tuple[type[AnyCodec], type]] = {
    "VideoCodec": (VideoCodec, CodecConfig),
    "TAEF2": (TAEF2, TAEF2Config),
}


def load_codec(source: str | Path) -> AnyCodec:
    """Read a codec, in float32, evaluation mode and the memory format that it is fastest in; nothing is fetched.

    Args:
        source: a folder that `save_codec`, a training or an autoencoder of diffusers wrote, or a whole pipeline of
            diffusers; one with TAEF2's files; or "taef2", once it was pulled.

    Raises:
        UsageError: if there is no such codec, or it is a pickle or of a kind that is not known.
        MovAIError: if weights are damaged or of another size.
    """
    return channels_last(_read(source))


def _read(source: str | Path) -> AnyCodec:
    folder = Path(source)
    if str(source) == TAEF2_NAME and not folder.is_dir():
        codec = load_taef2(find_taef2())
        codec.name = TAEF2_NAME
        return codec
    if files := weights_in(folder):
        return load_taef2(files)
    if not folder.is_dir():
        raise UsageError(f"codec: {source}: no such folder; expected the folder of a codec, or the name {TAEF2_NAME!r}")
    if not (folder / CONFIG_FILE).is_file() and (folder / _VAE / CONFIG_FILE).is_file():
        folder = folder / _VAE
    header = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).is_file() else None
    if isinstance(header, dict) and CLASS_KEY in header:
        return load_diffusers_codec(folder)
    network = header.get("network") if isinstance(header, dict) else None
    if network == NETWORK:
        return _read_temporal(folder)
    # `load_component` says what was expected instead of what is there.
    return load_component(*_NETWORKS.get(str(network), _NETWORKS["VideoCodec"]), folder)


def _read_temporal(folder: Path) -> TemporalCodec:
    # It builds on diffusers, which takes seconds to load.
    from mov_ai.models.temporal_decoder import TemporalDecoder, TemporalDecoderConfig

    if not (folder / ENCODER).is_dir():
        raise UsageError(f"{folder}: expected a folder {ENCODER} with the codec whose latents the decoder takes")
    return TemporalCodec(load_component(TemporalDecoder, TemporalDecoderConfig, folder), _read(folder / ENCODER)).eval()


def save_codec(codec: AnyCodec, directory: str | Path) -> None:
    """Write a folder that `load_codec` reads.

    Raises:
        MovAIError: if it cannot be written.
    """
    if isinstance(codec, DiffusersCodec):
        save_diffusers_codec(codec, Path(directory))
    elif isinstance(codec, TemporalCodec):
        save_component(codec.decoder, directory)
        save_codec(codec.encoder, Path(directory) / ENCODER)
    else:
        save_component(codec, directory)
