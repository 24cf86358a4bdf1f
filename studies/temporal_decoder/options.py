"""The rows of the study: the nine options of FusionFrames' Table 3, and two rows to read them by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from mov_ai.hydra_entry import build, config_directory
from mov_ai.models.presets import parameters
from mov_ai.models.temporal_decoder import TemporalDecoder, TemporalDecoderConfig
from mov_ai.train import register_resolvers


@dataclass(frozen=True)
class Option:
    """A row.

    Attributes:
        decoder: its file in `conf/decoder`.
        part, tuned: what looks over time, and what is trained, in the paper's words.
        million: parameters at the paper's sizes; None where the paper has no such row.
        paper_psnr: the paper's own, in dB: another encoder, size, data and training.
    """

    decoder: str
    part: str
    tuned: str
    million: float | None
    paper_psnr: float | None


#: The image decoder that all the others begin with.
BASE = "none"
#: It, trained for as many steps more as the others: what they gain beyond it is the temporal part's.
CONTROL = "none_tuned"
OPTIONS: dict[str, Option] = {
    BASE: Option("image", "none (image decoder)", "-", 161.1, 32.9677),
    CONTROL: Option("image", "none (control)", "decoder", None, None),
    "conv3x1x1_temporal": Option("conv3x1x1_temporal", "3×1×1", "temporal", 203.2, 32.2544),
    "conv3x3x3_temporal": Option("conv3x3x3_temporal", "3×3×3", "temporal", 539.8, 33.5819),
    "conv3x1x1": Option("conv3x1x1", "3×1×1", "decoder", 203.2, 33.5051),
    "conv3x3x3": Option("conv3x3x3", "3×3×3", "decoder", 539.8, 33.6342),
    "conv3x1x1_attention": Option("conv3x1x1_attention", "3×1×1 + attention", "decoder", 220.1, 33.7343),
    "conv3x3x3_attention": Option("conv3x3x3_attention", "3×3×3 + attention", "decoder", 556.6, 33.8376),
    "resnet_attention": Option("resnet_attention", "ResNet block + attention", "decoder", 220.3, 33.7024),
    "inflated": Option("inflated", "2D → 3D convolutions", "decoder", 419.5, 33.7321),
}


def composed(*overrides: str) -> DictConfig:
    """The configuration of `mov_ai.train experiment=temporal_decoder` with these overrides."""
    register_resolvers()
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose("train", overrides=["experiment=temporal_decoder", *overrides], return_hydra_config=True)


@cache
def full_size(decoder: str) -> float:
    """Million parameters of an option at the paper's sizes; nothing is allocated."""
    parts = build(composed(f"decoder={decoder}").decoder.parts, "decoder.parts")
    with torch.device("meta"):
        return parameters(TemporalDecoder(TemporalDecoderConfig(parts=parts))) / 1e6


def clips_overrides(clips: str, data: Path) -> list[str]:
    """What chooses the clips and the codec whose latents are decoded.

    Args:
        clips: "real" or "world".
        data: folder with real_clips and taef2.
    """
    if clips == "world":
        return ["clips=world", "codec=${embedded:codec}"]
    return ["clips=real", f"clips.path={data / 'real_clips'}", f"codec={data / 'taef2'}"]
