"""The refiner: shapes, what reaches its output, and that it learns to sharpen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mov_ai.models.conditioning import Conditioning
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from tests.models.builders import ENCODER, LABELS, given, small_refiner

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def _run(
    network: VideoRefiner,
    condition: Conditioning,
    grid: tuple[int, int] = (8, 8),
    stage: int = 1,
    sigma: float = 0.7,
    low_noise: float = 0.1,
) -> Tensor:
    shape = (1, condition.boxes.shape[2], network.config.latent_channels, *grid)
    noisy, low = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    with torch.no_grad():
        return network(
            noisy, torch.tensor([sigma]), torch.tensor([stage]), low, FULL, condition, torch.tensor([low_noise])
        )


@pytest.mark.parametrize(("grid", "frames"), [((32, 32), 4), ((8, 24), 1), ((7, 10), 5)])
def test_the_output_has_the_shape_of_the_input(grid: tuple[int, int], frames: int) -> None:
    out = _run(small_refiner(), given(frames=frames), grid)
    assert out.shape == (1, frames, 4, *grid)
    assert out.isfinite().all()


@pytest.mark.parametrize("changes", [{"widths": ()}, {"widths": (8,)}, {"blocks": (1, 0)}, {"dim": 0}])
def test_wrong_configurations_say_what_was_expected(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected a width and blocks for each size"):
        RefinerConfig(**changes)  # type: ignore[arg-type]


def test_what_it_is_told_matters() -> None:
    network, c = small_refiner(), given(frames=4)
    usual = _run(network, c)

    def differs(other: Tensor) -> bool:
        return bool((usual - other).abs().max() > 1e-4)

    boxes = c.boxes.clone()
    boxes[..., 0] += 0.2
    assert differs(_run(network, replace(c, boxes=boxes)))
    assert differs(_run(network, replace(c, entity=c.entity.flip(-1))))
    assert differs(_run(network, replace(c, scene=c.scene + ENCODER([("light", "moonlight")]))))
    assert differs(_run(network, c, stage=2))
    assert differs(_run(network, c, sigma=0.2))
    assert differs(_run(network, c, low_noise=0.3))
    assert not differs(_run(network, c))


def test_a_dropped_graph_says_nothing() -> None:
    network, bare = small_refiner(), given(frames=4).without(graph=True)
    other = replace(bare, boxes=bare.boxes * 0.5, entity=bare.entity.flip(-1), scene=-bare.scene)
    assert torch.equal(_run(network, bare), _run(network, other))


def test_frames_look_at_their_neighbours_only_as_far_as_there_are_blocks() -> None:
    network, c = small_refiner(), given(frames=16)
    noisy = torch.randn(1, 16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    changed = noisy.clone()
    changed[:, 0] += 1
    one = torch.ones(1)
    with torch.no_grad():
        a, b = (network(x, one, one.long(), torch.zeros_like(x), FULL, c, one * 0.1) for x in (noisy, changed))
    reach = (a - b).abs().amax((0, 2, 3, 4)) > 1e-6
    # One frame further with each of the four blocks: one down, two in the middle, one up.
    assert reach[:4].all()
    assert not reach[5:].any()


def test_fresh_weights_leave_the_earlier_video_nearly_as_it_is() -> None:
    torch.manual_seed(0)
    network = VideoRefiner(RefinerConfig(latent_channels=4, widths=(8, 12), blocks=(1, 1), dim=8, labels=LABELS))
    low = torch.randn(1, 2, 4, 8, 8)
    one = torch.ones(1)
    with torch.no_grad():
        out = network(low, one, one.long(), low, FULL, given(frames=2), one * 0.1)
    assert (out - low).abs().mean() < 0.3
