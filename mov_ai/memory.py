"""How much memory work needs, how much there is, and what would need less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mov_ai.models.cascade import Cascade

GIB = 2**30
#: What a process has taken once PyTorch, spaCy and the parser are there; measured with `make bench` (mov-ai parse).
LIBRARIES = int(0.85 * GIB)
#: Bytes for each pixel of each frame: the video itself, its copies for the next stage and in whole numbers, and what
#: a codec makes of it on the way. Measured: 97 at 512x512 (`make bench`, the peak of `mov-ai generate` less that of
#: `mov-ai parse`, with the embedded codec), of which these do not depend on the codec.
_A_PIXEL = 60
#: Activations that a layer of convolutions or attention holds at a time, as multiples of its width.
_CONVOLVED, _ATTENDED = 6, 24


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is Python's, CUDA's or PyTorch's way of saying that the memory is used up."""
    allocation = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or allocation


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had, of the GPU's memory or of the machine's; None where nothing tells."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def generation_memory(cascade: Cascade, sides: Sequence[tuple[int, int]], frames: int, passes: int = 1) -> int:
    """About how many bytes a process needs at most to make a video; of the right size, not exact.

    Args:
        sides: height and width of each stage.
        frames: of the video.
        passes: networks are asked for so many conditions at a time: 1 without guidance, 2 or 3 with it; refiners for 1.
    """
    weights = sum(p.numel() * p.element_size() for p in cascade.parameters())
    codec = getattr(cascade.codec.config, "widths", (128, 64, 32))
    # At 1/8 and at 1/4 of the size, in float32.
    coded = 4 * 1.5 * (codec[0] / 64 + codec[1] / 16)
    most = 0.0
    for number, (height, width) in enumerate(sides):
        stage = min(cascade.config.first_stage + number, len(cascade.config.stages) - 1)
        config = cascade.denoiser(stage).config
        cells = frames * height * width / cascade.codec.factor**2
        # A refiner's convolutions at the latents' own size, or a transformer between convolutions of one width.
        wide = getattr(config, "widths", (getattr(config, "stem", 0),))[0]
        tokens = cells / config.patch**2 if hasattr(config, "patch") else 0
        together = 1 if cascade.denoiser(stage).refines else passes
        network = 4 * together * (_CONVOLVED * cells * wide + _ATTENDED * tokens * getattr(config, "dim", 0))
        most = max(most, network, frames * height * width * (_A_PIXEL + coded))
    return int(LIBRARIES + weights + most)


def smaller_videos(
    cascade: Cascade, sides: Sequence[tuple[int, int]], frames: int, passes: int, free: int | None
) -> list[str]:
    """Two settings of `mov-ai generate` that would need less, the largest that fit into the free bytes.

    Returns:
        Each with what it would need, as "--stages 256 (0.9 GiB)".
    """
    height, width = sides[-1]
    smaller = [size for size in cascade.config.trained if size < max(height, width)]
    choices = []
    for size in reversed(smaller):
        kept = [pair for pair in sides if max(pair) <= size] or [(size, size)]
        choices.append((f"--stages {size}", generation_memory(cascade, kept, frames, passes)))
    fewer = frames // 2
    by_frames = []
    while fewer >= 1:
        by_frames.append((f"--frames {fewer}", generation_memory(cascade, sides, fewer, passes)))
        fewer //= 2
    found: list[str] = []
    # A smaller stage and fewer frames; where there is no smaller stage, fewer frames and fewer still.
    for options, most in ((choices, 1), (by_frames, 2)):
        fitting = [option for option in options if free is None or option[1] <= free] or options[-1:]
        found += [f"{name} ({need / GIB:.1f} GiB)" for name, need in fitting[: min(most, 2 - len(found))]]
    return found


def training_memory(trained: int, frozen: int, optimizer: str, averaged: bool) -> int:
    """Bytes that weights, gradients, optimiser and average take in float32, whatever the batch; activations are more.

    Args:
        trained, frozen: parameters. optimizer: "adamw", with two moments, or "muon", with one for most.
        averaged: whether an average of the weights is kept.
    """
    moments = 1 if optimizer == "muon" else 2
    return 4 * (trained * (2 + moments + averaged) + frozen)
