"""The embedded text-video network: how well a text says what is seen in a video of the world (after CLIP)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.checked_config import Channels, Frames, Heads, Layers
from mov_ai.errors import UsageError
from mov_ai.models.metric_networks.stored import StoredNetwork
from mov_ai.models.metric_networks.video_network import Attention, VideoNetwork, VideoNetworkConfig, network_input

#: What a text is cut into; everything else is left out.
_TOKEN = re.compile(r"[^\W\d_]+|\d|[.,;]")
#: Tokens before the words of the vocabulary.
_PADDING, UNKNOWN, _SPECIAL = 0, 1, 2
#: CLIP's bounds: similarities are multiplied by at most 100, by 1 / 0.07 at first.
_FIRST_SCALE, _LARGEST_SCALE = math.log(1 / 0.07), math.log(100)


@dataclass(frozen=True)
class TextVideoConfig:
    """Sizes of the network, and its words.

    Attributes:
        words: the vocabulary; a text's other words all count as one unknown word.
        dim: of the space that texts and videos share.
        text_width, text_layers, text_heads: of the text's transformer.
        longest: words and punctuation marks of a text that are read.
    """

    words: Annotated[tuple[str, ...], Field(max_length=1_000_000)] = ()
    backbone: VideoNetworkConfig = field(default_factory=VideoNetworkConfig)
    dim: Channels = 128
    text_width: Channels = 128
    text_layers: Layers = 3
    text_heads: Heads = 4
    longest: Frames = 96

    def __post_init__(self) -> None:
        # Configuration files and JSON have lists only.
        object.__setattr__(self, "words", tuple(self.words))
        if self.text_width % self.text_heads:
            raise ValueError(
                f"text-video network: expected a width that {self.text_heads} heads divide, got {self.text_width}"
            )


def split_words(text: str) -> list[str]:
    """Words in lower case, digits one by one, and the marks . , ; of a text."""
    return _TOKEN.findall(text.lower())


class TextNetwork(nn.Module):
    """A small transformer over words: each text becomes one vector."""

    def __init__(self, config: TextVideoConfig) -> None:
        super().__init__()
        width = config.text_width
        self.longest = config.longest
        self.numbers = {word: _SPECIAL + i for i, word in enumerate(config.words)}
        self.embedding = nn.Embedding(_SPECIAL + len(config.words), width)
        self.places = nn.Parameter(0.02 * torch.randn(config.longest, width))
        self.summary = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(Attention(width, config.text_heads) for _ in range(config.text_layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.dim)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Numbers of the texts' words, (n, words), 0 after a text's end. Raises UsageError if a text has no word."""
        rows = []
        for text in texts:
            row = [self.numbers.get(word, UNKNOWN) for word in split_words(text)[: self.longest]]
            if not row:
                raise UsageError(f"text: expected words, got {text!r}; give a caption")
            rows.append(row)
        length = max((len(row) for row in rows), default=0)
        return torch.tensor([row + [_PADDING] * (length - len(row)) for row in rows], dtype=torch.long).view(-1, length)

    def forward(self, words: Tensor) -> Tensor:
        """Vectors of texts, (n, dim), from their words as `encode` numbers them."""
        has_word = functional.pad(words != _PADDING, (1, 0), value=True)
        x = self.embedding(words) + self.places[: words.shape[1]]
        x = torch.cat([self.summary.expand(len(words), 1, -1), x], 1)
        for block in self.blocks:
            x = block(x, mask=has_word)
        vectors: Tensor = self.out(self.norm(x[:, 0]))
        return vectors


class TextVideo(StoredNetwork):
    """Two towers into one space, trained so that a caption is nearest to its own video.

    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021), with the captions of
    each video made false in one thing among those it must be told from (as Yuksekgonul et al., "When and why
    vision-language models behave like bags-of-words", 2023).
    """

    CONFIG, NAME = TextVideoConfig, "text_video"

    def __init__(self, config: TextVideoConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = VideoNetwork(config.backbone)
        self.to_shared = nn.Linear(config.backbone.features, config.dim)
        self.text = TextNetwork(config)
        self.log_scale = nn.Parameter(torch.tensor(_FIRST_SCALE))

    @property
    def network(self) -> str:
        """What looked at the pixels, as results name it."""
        return f"embedded text-video network (mov_ai), {self.config.dim} dimensions"

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by in training: 1 / temperature."""
        return self.log_scale.clamp(max=_LARGEST_SCALE).exp()

    def forward(self, video: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors of videos (B, F, 3, 64, 64) in [-1, 1], and of texts (N, words): (B, dim), (N, dim)."""
        return self.video_vectors(video), functional.normalize(self.text(words).float(), dim=-1)

    def video_vectors(self, video: Tensor) -> Tensor:
        """Unit vectors (B, dim) of videos (B, F, 3, 64, 64) in [-1, 1]."""
        return functional.normalize(self.to_shared(self.backbone(video).video).float(), dim=-1)

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts, (n, dim) float32; words that the world's captions do not use count as unknown.

        Raises UsageError if a text has no word, or `texts` is a single string.
        """
        if isinstance(texts, str):
            raise UsageError("texts: expected a list of captions, got one string; put it into a list")
        if not texts:
            return np.zeros((0, self.config.dim), np.float32)
        # One by one: padding would change the last digits, and a figure must not depend on its neighbours.
        words = (self.text.encode([text]).to(self.log_scale.device) for text in texts)
        vectors = torch.cat([self.text(text_words) for text_words in words])
        return functional.normalize(vectors.float(), dim=-1).cpu().numpy()

    @torch.no_grad()
    def embed_video(self, frames: np.ndarray) -> np.ndarray:
        """The unit vector (dim,) of a video uint8 (T, H, W, 3), T at least 2; seen as `network_input` says."""
        return self.video_vectors(network_input(frames).to(self.log_scale.device))[0].cpu().numpy()

    def similarity(self, text: str, frames: np.ndarray) -> float:
        """Cosine of a text's and a video's vectors, [-1, 1]; higher is nearer."""
        cosine = float(self.embed_text([text])[0] @ self.embed_video(frames))
        return min(1.0, max(-1.0, cosine))
