"""Attention: backends, rotary positions, and the spatial, temporal and cross-modal attentions of TSAM."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mov_ai.errors import UsageError

BACKENDS = ("auto", "xformers", "sdpa", "math")
#: Where xformers has turned out to have no kernel: kinds of device, and types.
_WITHOUT_KERNEL: set[tuple[str, torch.dtype]] = set()


@cache
def _xformers_installed() -> bool:
    return importlib.util.find_spec("xformers") is not None


def choose_backend(wanted: str, device: torch.device) -> str:
    """The backend that will be used: the only place that decides. Raises UsageError for one that cannot be.

    `auto` is xformers on CUDA when it is installed; on the CPU `math` while gradients are recorded (the CPU's fused
    attention is slow backwards on many short sequences, most of all in bf16); else `sdpa`.
    """
    if wanted not in BACKENDS:
        raise UsageError(f"attention.backend: expected one of {', '.join(BACKENDS)}; found {wanted!r}")
    usable = device.type == "cuda" and _xformers_installed()
    if wanted == "xformers" and not usable:
        raise UsageError("attention.backend: xformers needs CUDA and the [gpu] extra; use auto, sdpa or math")
    if wanted == "auto":
        if usable:
            return "xformers"
        return "math" if device.type == "cpu" and torch.is_grad_enabled() else "sdpa"
    return wanted


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, backend: str) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v: (batch, heads, n, d); see `choose_backend`.

    Args:
        query: (batch, heads, n, d). key, value: (batch, heads, m, d).
        bias: broadcastable to (batch, heads, n, m), added to the logits, or None.

    Returns:
        (batch, heads, n, d) in the type of the values.
    """
    chosen = choose_backend(backend, query.device)
    # CUDA's autocast normalises queries and keys in float32; the values are as the layer before computed them.
    query, key = query.to(value.dtype), key.to(value.dtype)
    if bias is not None:
        bias = bias.to(value.dtype)
    if chosen == "xformers" and (backend != "auto" or (query.device.type, query.dtype) not in _WITHOUT_KERNEL):
        try:
            return _xformers_attention(query, key, value, bias)
        except (NotImplementedError, ImportError) as error:
            # Built for another PyTorch or another GPU, it is there and can do nothing.
            _tell_missing_kernel(backend, query, error)
    if chosen in ("sdpa", "xformers"):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    # The queries are scaled, not the logits, which are many more numbers.
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return (logits if bias is None else logits + bias).softmax(-1) @ value


def _tell_missing_kernel(backend: str, query: Tensor, error: Exception) -> None:
    """Raises UsageError where xformers was asked for; where it was chosen, warns once that another takes its place."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
    said = f"attention.backend: xformers has no kernel for {query.dtype} on {query.device.type} ({reason})"
    if backend != "auto":
        raise UsageError(f"{said}; use auto, sdpa or math, or install the [gpu] extra for this PyTorch") from None
    _WITHOUT_KERNEL.add((query.device.type, query.dtype))
    warnings.warn(f"{said}; sdpa is used instead", stacklevel=2)


def _xformers_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """As `attend`, all of one type."""
    import xformers.ops

    tensors, full, scale = for_xformers(query, key, value, bias)
    mixed = xformers.ops.memory_efficient_attention(*tensors, attn_bias=full, scale=scale)
    return mixed.transpose(1, 2)[..., : query.shape[-1]]


def for_xformers(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
) -> tuple[list[Tensor], Tensor | None, float]:
    """What xformers takes: it refuses what its kernels cannot read 16 bytes at a time.

    Args:
        query, key, value, bias: as for `attend`, all of one type.

    Returns:
        Queries, keys and values (batch, tokens, heads, width), the bias (batch, heads, n, m) or None, and the scale of
        the logits.
    """
    width = query.shape[-1]
    # Channels of zeros change no logit, and are cut off again; the scale is that of the true width.
    padding = -width % (16 // query.element_size())
    tensors = [functional.pad(t, (0, padding)) if padding else t for t in (query, key, value)]
    full = None if bias is None else padded_rows(bias).expand(*query.shape[:-1], key.shape[-2])
    return [t.transpose(1, 2) for t in tensors], full, width**-0.5


def padded_rows(bias: Tensor) -> Tensor:
    """The same numbers, in memory whose rows are of 8 numbers or a multiple: a view of a larger tensor if need be."""
    padding = -bias.shape[-1] % 8
    if not padding:
        return bias.contiguous()
    return functional.pad(bias, (0, padding))[..., : bias.shape[-1]]


def rotary(positions: Tensor, width: int, base: float = 100.0) -> Tensor:
    """Angles of rotary position embedding (RoFormer, arXiv 2104.09864); the width is shared out evenly among the axes.

    Args:
        positions: (n, axes) coordinates in tokens.
        width: channels of a head; ValueError if it is no multiple of 2 * axes.

    Returns:
        (2, n, width / 2): cosines and sines.
    """
    axes = positions.shape[-1]
    if width % (2 * axes):
        raise ValueError(
            f"rotary: a head of {width} channels cannot be shared out among {axes} axes; use a multiple of {2 * axes}"
        )
    pairs = width // (2 * axes)
    frequency = base ** (-torch.arange(pairs, device=positions.device, dtype=torch.float32) / pairs)
    angle = rearrange(positions.float()[..., None] * frequency, "n a p -> n (a p)")
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn the channel pairs of queries or keys; x: (batch, heads, n, d), angles as `rotary`."""
    first, second = x.float().chunk(2, -1)
    cos, sin = angles
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1).to(x.dtype)


class SelfAttention(nn.Module):
    """Multi-head attention of tokens among themselves, with rotary positions and normalised queries and keys."""

    def __init__(self, dim: int, heads: int, backend: str = "auto") -> None:
        super().__init__()
        self.heads, self.backend = heads, backend
        self.qkv = nn.Linear(dim, 3 * dim)
        self.norm_query, self.norm_key = nn.RMSNorm(dim // heads, eps=1e-6), nn.RMSNorm(dim // heads, eps=1e-6)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, angles: Tensor, bias: Tensor | None = None) -> Tensor:
        """x: (batch, n, dim); angles as `rotary`; bias broadcastable to (batch, heads, n, n). Returns x's shape."""
        query, key, value = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        query, key = rotate(self.norm_query(query), angles), rotate(self.norm_key(key), angles)
        return self.out(rearrange(attend(query, key, value, bias, self.backend), "b h n d -> b n (h d)"))


class CrossAttention(nn.Module):
    """Video tokens look at text tokens and graph nodes."""

    def __init__(self, dim: int, heads: int, backend: str = "auto") -> None:
        super().__init__()
        self.heads, self.backend = heads, backend
        self.query, self.key_value, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.norm_query, self.norm_key = nn.RMSNorm(dim // heads, eps=1e-6), nn.RMSNorm(dim // heads, eps=1e-6)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor) -> Tensor:
        """x: (batch, frames, n, dim); context: (batch, m, dim); bias: (batch, frames, m). Returns x's shape."""
        frames = x.shape[1]
        query = self.norm_query(rearrange(self.query(x), "b f n (h d) -> b h (f n) d", h=self.heads))
        key, value = rearrange(self.key_value(context), "b m (two h d) -> two b h m d", two=2, h=self.heads)
        # Every place of a frame sees the context through the same bias.
        spread = bias[:, None, :, None, :].expand(-1, 1, -1, x.shape[2], -1)
        spread = rearrange(spread, "b one f n m -> b one (f n) m")
        mixed = attend(query, self.norm_key(key), value, spread, self.backend)
        return self.out(rearrange(mixed, "b h (f n) d -> b f n (h d)", f=frames))


def interval_bias(interval: Tensor, frames: int, softness: float, floor: float = -9.0) -> Tensor:
    """How strongly each node is attended to in each frame: (batch, frames, m) logits, at most 0, with soft edges.

    log(sigmoid((t - start) / s) sigmoid((end - t) / s)), at least `floor`, for the frame's middle t and softness s;
    edges at 0 and at 1 are left open, so that a node that always holds has a bias of 0.

    Args:
        interval: (batch, m, 2) on [0, 1].
        softness: s, a share of the clip; about one frame is sensible.
    """
    time = (torch.arange(frames, device=interval.device) + 0.5) / frames
    time = time[None, :, None]
    start, end = interval[:, None, :, 0], interval[:, None, :, 1]
    rise = functional.logsigmoid((time - start) / softness).masked_fill(start <= 0, 0.0)
    fall = functional.logsigmoid((end - time) / softness).masked_fill(end >= 1, 0.0)
    return (rise + fall).clamp(min=floor)


def window_sides(height: int, width: int, most: int) -> tuple[int, int]:
    """The largest windows of at most `most` tokens a side that divide a grid of `height` by `width` tokens."""

    def side(tokens: int) -> int:
        return max(n for n in range(1, most + 1) if tokens % n == 0)

    return side(height), side(width)


def window_partition(x: Tensor, window: tuple[int, int], shifted: bool) -> tuple[Tensor, Tensor | None]:
    """Cut a grid of tokens into windows (Swin, arXiv 2103.14030), so that attention stays as wide as it was trained.

    Args:
        x: (n, h, w, dim).
        window: tokens (high, wide) of a window; h and w are multiples of them.
        shifted: whether to roll the grid by half a window up and left first.

    Returns:
        (n * windows, tokens, dim), and a bias (windows, tokens, tokens) that keeps rolled-in tokens apart, or None.
    """
    height, width = x.shape[1:3]
    high, wide = window
    bias = None
    if shifted:
        x = x.roll((-(high // 2), -(wide // 2)), (1, 2))
        rows = (torch.arange(height, device=x.device) >= height - high // 2).long()
        columns = (torch.arange(width, device=x.device) >= width - wide // 2).long()
        region = rows[:, None] * 2 + columns[None, :]
        flat = rearrange(region, "(a p) (b q) -> (a b) (p q)", p=high, q=wide)
        bias = torch.zeros(*flat.shape, flat.shape[-1], device=x.device)
        bias = bias.masked_fill(flat[:, :, None] != flat[:, None, :], -1e4)
    return rearrange(x, "n (a p) (b q) d -> (n a b) (p q) d", p=high, q=wide), bias


def window_merge(windows: Tensor, window: tuple[int, int], shifted: bool, height: int, width: int) -> Tensor:
    """Undo `window_partition`; returns (n, height, width, dim)."""
    high, wide = window
    x = rearrange(
        windows,
        "(n a b) (p q) d -> n (a p) (b q) d",
        a=height // high,
        b=width // wide,
        p=high,
        q=wide,
    )
    return x.roll((high // 2, wide // 2), (1, 2)) if shifted else x
