"""A codec works through a video in pieces: the same numbers, without ever holding all that it makes on the way."""

from __future__ import annotations

import pytest
import torch

from mov_ai.models import convolution
from mov_ai.models.codec import CodecConfig, VideoCodec


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@torch.no_grad()
def test_pieces_are_the_whole_to_the_bit(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    codec = VideoCodec(CodecConfig(widths=(8, 8, 8), blocks=(1, 1, 1))).eval()
    for parameter in codec.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    video = torch.rand(2, frames, 3, 32, 48) * 2 - 1
    whole = codec.encode(video)
    decoded = codec.decode(whole)
    for pieces in (1, 2):
        monkeypatch.setattr(convolution, "_PIXELS", pieces * 32 * 48)
        torch.testing.assert_close(codec.encode(video), whole, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(codec.decode(whole), decoded, atol=1e-6, rtol=1e-5)
