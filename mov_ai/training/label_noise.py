"""Training for words that were not trained: label vectors blurred towards those of words of like meaning."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Least cosine between a blurred vector and the label's own.
_LEAST = 0.45


def blur_labels(vectors: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Turn some label vectors away from where they point, each in a random direction.

    A synonym's vector is what it shares with the label's, and something else: a network that is shown the label only
    as it stands may read what the synonym does not share. The cosine between the two is uniform from 0.45 to 1.

    Args:
        vectors: (..., width) of unit length, or zeros, which stay.
        share: of the vectors that are blurred, in [0, 1].
        generator: a CPU generator.
    """
    noise = torch.randn(vectors.shape, generator=generator)
    noise = noise - (noise * vectors).sum(-1, keepdim=True) * vectors
    cosine = _LEAST + (1 - _LEAST) * torch.rand((*vectors.shape[:-1], 1), generator=generator)
    cosine = torch.where(torch.rand(cosine.shape, generator=generator) < share, cosine, torch.ones_like(cosine))
    blurred = cosine * vectors + (1 - cosine**2).sqrt() * functional.normalize(noise, dim=-1)
    return torch.where((vectors != 0).any(-1, keepdim=True), blurred, vectors)
