"""A codec whose frames are decoded by a temporal decoder: the encoder of another codec, frozen, and that decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from mov_ai.errors import UsageError
from mov_ai.models.codec import AnyCodec

if TYPE_CHECKING:
    from mov_ai.models.temporal_decoder import TemporalDecoder

#: The part of a codec's folder that holds the one whose latents are decoded.
ENCODER = "encoder"
#: What `config.json` calls the decoder.
NETWORK = "TemporalDecoder"


class TemporalCodec(AnyCodec):
    """Latents are those of the codec that encodes, so a denoiser that was trained with it goes on as it is.

    Args:
        decoder: trained on the latents of `encoder`, see `mov_ai.training.objectives.temporal_decoder`.
        encoder: any codec of the same cells and channels that has a latent frame for each frame.

    Raises:
        UsageError: if the two do not fit.
    """

    def __init__(self, decoder: TemporalDecoder, encoder: AnyCodec) -> None:
        super().__init__()
        check_fit(decoder.config.latent_channels, decoder.config.factor, encoder)
        self.decoder, self.encoder, self.config = decoder, encoder, decoder.config
        self.factor = encoder.factor

    def encode(self, video: Tensor) -> Tensor:
        return self.encoder.encode(video)

    def decode(self, latents: Tensor, frames: int | None = None) -> Tensor:
        # Every latent frame is a frame of its own, so there is none to leave out.
        return self.decoder(latents).float().contiguous()  # type: ignore[no-any-return]


def check_fit(channels: int, factor: int, encoder: AnyCodec) -> None:
    """Raises UsageError if a decoder of so many latent channels and pixels a cell cannot decode a codec's latents."""
    expected = (encoder.config.latent_channels, encoder.factor)
    if (channels, factor) != expected or encoder.frame_factor != 1:
        raise UsageError(
            f"temporal decoder: expected a codec of {channels} channels, cells of {factor} pixels and a latent frame "
            f"for each frame; found {expected[0]}, {expected[1]} and one for {encoder.frame_factor}"
        )


def encoder_folder(folder: Path) -> Path | None:
    """The folder of the codec whose latents a temporal codec's folder is of; None if that is no such folder."""
    inside = folder / ENCODER
    return inside if inside.is_dir() else None
