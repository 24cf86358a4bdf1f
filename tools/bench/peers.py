"""diffusers' video transformers and its 3D U-Net, with as many parameters as our denoiser has, on the same tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mov_ai.models.presets import parameters

#: Tokens of text that every network attends to, as wide as they are here.
TEXT, TEXT_WIDTH = 36, 512


@dataclass(frozen=True)
class Shape:
    """What a network works on, one video: latents (1, frames, channels, cells, cells) in patches of 2 x 2."""

    frames: int = 16
    channels: int = 8
    cells: int = 16


def _step(video: Tensor) -> Tensor:
    return torch.tensor([500], device=video.device)


def _latte(width: int, depth: int, shape: Shape) -> tuple[nn.Module, Callable[[nn.Module], object]]:
    from diffusers import LatteTransformer3DModel

    network: Any = LatteTransformer3DModel(
        num_attention_heads=8,
        attention_head_dim=width // 8,
        in_channels=shape.channels,
        out_channels=shape.channels,
        num_layers=depth,
        cross_attention_dim=width,
        caption_channels=TEXT_WIDTH,
        attention_bias=True,
        sample_size=shape.cells,
        patch_size=2,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        video_length=shape.frames,
    )
    video, text = _inputs(shape, frames_first=False)
    return network, lambda net: net(video, _step(video), text, return_dict=False)[0]


def _cogvideox(width: int, depth: int, shape: Shape) -> tuple[nn.Module, Callable[[nn.Module], object]]:
    from diffusers import CogVideoXTransformer3DModel

    network: Any = CogVideoXTransformer3DModel(
        num_attention_heads=8,
        attention_head_dim=width // 8,
        in_channels=shape.channels,
        out_channels=shape.channels,
        time_embed_dim=128,
        text_embed_dim=TEXT_WIDTH,
        num_layers=2 * depth,
        sample_width=shape.cells,
        sample_height=shape.cells,
        sample_frames=shape.frames,
        temporal_compression_ratio=1,
        max_text_seq_length=TEXT,
    )
    video, text = _inputs(shape, frames_first=True)
    return network, lambda net: net(video, text, _step(video), return_dict=False)[0]


def _wan(width: int, depth: int, shape: Shape) -> tuple[nn.Module, Callable[[nn.Module], object]]:
    from diffusers import WanTransformer3DModel

    network: Any = WanTransformer3DModel(
        num_attention_heads=8,
        attention_head_dim=width // 8,
        in_channels=shape.channels,
        out_channels=shape.channels,
        text_dim=TEXT_WIDTH,
        freq_dim=128,
        ffn_dim=4 * width,
        num_layers=2 * depth,
        rope_max_seq_len=64,
    )
    video, text = _inputs(shape, frames_first=False)
    return network, lambda net: net(video, _step(video), text, return_dict=False)[0]


def _unet(width: int, depth: int, shape: Shape) -> tuple[nn.Module, Callable[[nn.Module], object]]:
    from diffusers import UNet3DConditionModel

    network: Any = UNet3DConditionModel(
        in_channels=shape.channels,
        out_channels=shape.channels,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        block_out_channels=(width, 2 * width),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
    )
    video, text = _inputs(shape, frames_first=False)
    return network, lambda net: net(video, _step(video), text, return_dict=False)[0]


#: By the name of diffusers' class.
PEERS = {
    "LatteTransformer3DModel": _latte,
    "CogVideoXTransformer3DModel": _cogvideox,
    "WanTransformer3DModel": _wan,
    "UNet3DConditionModel": _unet,
}


def _inputs(shape: Shape, frames_first: bool) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = (shape.frames, shape.channels) if frames_first else (shape.channels, shape.frames)
    video = torch.randn((1, *sizes, shape.cells, shape.cells), generator=generator, device="cpu")
    text = torch.randn((1, TEXT, TEXT_WIDTH), generator=generator, device="cpu")
    device = torch.get_default_device()
    return video.to(device), text.to(device)


def peer(
    name: str, wanted: int, depth: int, shape: Shape, device: torch.device
) -> tuple[nn.Module, Callable[[nn.Module], object]]:
    """A network whose width is chosen so that its parameters are nearest to `wanted`, and how it is called.

    Args:
        name: one of `PEERS`.
        wanted: parameters.
        depth: blocks of ours, which have two attentions among tokens each; so has a layer of Latte's, and two layers
            of CogVideoX's and of Wan's.
    """
    step = 8 if name == "UNet3DConditionModel" else 32

    def count(width: int) -> int:
        with torch.device("meta"):
            return parameters(PEERS[name](width, depth, shape)[0])

    width = step
    while count(width + step) <= wanted:
        width += step
    width = min((width, width + step), key=lambda one: abs(count(one) - wanted))
    torch.manual_seed(0)
    # Inputs are made with the network: both where they are to compute.
    with device:
        network, call = PEERS[name](width, depth, shape)
    return network.to(device).eval(), call


def tokens(shape: Shape) -> int:
    """Tokens of a video."""
    return shape.frames * (shape.cells // 2) ** 2
