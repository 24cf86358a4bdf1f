"""The networks that clips are encoded with, by `mov-ai data prepare` or while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mov_ai.graph import SceneGraph
    from mov_ai.parser.parser import SceneGraphParser


@dataclass(frozen=True)
class EncoderChoice:
    """Which networks; called, it makes an encoder of them, in whatever process.

    Attributes:
        codec: its folder or name.
        stages: longer sides of the stages' videos in pixels, ascending; the last is that of every size.
        parse: captions without an annotated graph are parsed; else their graphs are empty.
        parser: folder of the parser; None for the embedded one.
        text_encoder: of transformers, a folder or a name; None for none.
        threads: of each process; 0 for as many as PyTorch takes.
        device: where codec and text encoder run.
    """

    codec: str
    stages: tuple[int, ...]
    parse: bool = True
    parser: str | None = None
    text_encoder: str | None = None
    threads: int = 0
    device: str = "cpu"

    def __call__(self) -> Encoder:
        return Encoder(self)

    def about(self) -> dict[str, Any]:
        """What the samples depend on: names, and digests of the weights. Raises UsageError if there is no codec."""
        from mov_ai.parser.parser import EMBEDDED_PARSER

        parser_files = _network_files(Path(self.parser) if self.parser else EMBEDDED_PARSER)
        return {
            "codec": codec_identity(self.codec),
            "stages": list(self.stages),
            "parser": _digest(parser_files, f"parser: {self.parser}") if self.parse else None,
            "text_encoder": self.text_encoder,
        }


def codec_identity(codec: str) -> dict[str, str]:
    """Name and digest of a codec's files: latents of another one are not the same. Raises UsageError if it has none."""
    return {"name": Path(codec).name, "sha256": _digest(_codec_files(codec), f"codec: {codec}")}


def folder_digest(folder: Path) -> str:
    """Digest of every weight and setting in a folder and below. Raises UsageError if there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json"))
    return _digest(files, str(folder))


def _codec_files(codec: str) -> list[Path]:
    """What decides what a codec makes of a frame."""
    from mov_ai.models.taef2_files import NAME, find_taef2, weights_in
    from mov_ai.models.temporal_codec import encoder_folder

    # What decodes has no part in latents.
    folder = encoder_folder(Path(codec)) or Path(codec)
    if codec == NAME and not folder.is_dir():
        return find_taef2()
    return weights_in(folder) or _network_files(folder if (folder / "config.json").is_file() else folder / "vae")


def _network_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in (".safetensors", ".json"))


def _digest(files: list[Path], name: str) -> str:
    from mov_ai.graph.files import sha256_of

    if not files:
        raise UsageError(f"{name}: holds no network; expected a folder with config.json and safetensors weights")
    return sha256_of(files)[:16]


class Encoder:
    """Frames to latents of each stage, captions to graphs and features; each network is loaded when it is needed."""

    def __init__(self, choice: EncoderChoice) -> None:
        import torch

        self.choice = choice
        if choice.threads:
            torch.set_num_threads(choice.threads)

    @cached_property
    def _codec(self) -> Any:
        from mov_ai.models.codec_registry import load_codec

        return load_codec(self.choice.codec).requires_grad_(False).to(self.choice.device)

    @cached_property
    def _parser(self) -> SceneGraphParser:
        from mov_ai.parser.parser import SceneGraphParser

        if self.choice.parser is None:
            return SceneGraphParser.from_pretrained()
        folder = Path(self.choice.parser)
        return SceneGraphParser.from_pretrained(folder / "parser" if (folder / "parser").is_dir() else folder)

    @cached_property
    def _text(self) -> Any:
        from mov_ai.labels.pretrained import PretrainedText

        assert self.choice.text_encoder is not None
        return PretrainedText(self.choice.text_encoder, self.choice.device)

    def graphs(self, captions: Sequence[str]) -> list[SceneGraph | str]:
        """A graph for each caption, or why it has none; "" if none is wanted."""
        if not self.choice.parse:
            return [""] * len(captions)
        answers = self._parser.parse_each(captions)
        return [str(answer) if isinstance(answer, UsageError) else answer.graph for answer in answers]

    def text(self, captions: Sequence[str]) -> list[Tensor]:
        """Features (tokens, width) of each caption, without padding."""
        if self.choice.text_encoder is None:
            return []
        # One by one: with padding, features depend on the captions beside them.
        return [self._text([caption])[0].cpu() for caption in captions]

    def latents(self, frames: np.ndarray) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Latents of each stage, and of the stage before enlarged to it.

        Args:
            frames: uint8 (frames, height, width, 3), of the last stage's size.

        Raises:
            UsageError: if the codec's cells do not divide a side.
        """
        import torch

        from mov_ai.models.cascade import resize, shrink
        from mov_ai.models.codec import to_unit

        with torch.no_grad():
            whole = to_unit(torch.from_numpy(frames).to(self.choice.device))[None]
            latents, low = {}, {}
            before = None
            for size, height, width in self._sides(*frames.shape[1:3]):
                video = whole if (height, width) == frames.shape[1:3] else shrink(whole, height, width)
                latents[size] = self._codec.encode(video)[0].half().cpu()
                if before is not None:
                    low[size] = self._codec.encode(resize(before, height, width))[0].half().cpu()
                before = video
        return latents, low

    def _sides(self, height: int, width: int) -> list[tuple[int, int, int]]:
        from mov_ai.models.cascade import CascadeConfig, plan_stages

        sizes = self.choice.stages
        ones = (1,) * len(sizes)
        config = CascadeConfig(ones, tuple(float(one) for one in ones), stages=sizes, first=sizes[0], last=sizes[-1])
        factor = self._codec.factor
        stages = plan_stages(config, height, width, sizes, factor, factor)
        return [(size, stage.height, stage.width) for size, stage in zip(sizes, stages, strict=True)]
