"""The refiner: shapes, what reaches its output, and that it learns to sharpen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mov_ai.models.conditioning import Conditioning
from mov_ai.models.convolution import MatrixConv2d
from mov_ai.models.refiner import RefinerConfig, VideoRefiner
from mov_ai.training.trained_network import hidden_matrices
from tests.models.builders import ENCODER, LABELS, given, small_refiner

FULL = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def _run(
    network: VideoRefiner,
    condition: Conditioning,
    grid: tuple[int, int] = (8, 8),
    stage: int = 1,
    low_noise: float = 0.1,
) -> Tensor:
    shape = (1, condition.boxes.shape[2], network.config.latent_channels, *grid)
    low = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network(low, torch.tensor([low_noise]), torch.tensor([stage]), FULL, condition)


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
    assert differs(_run(network, c, low_noise=0.3))
    assert not differs(_run(network, c))


def test_a_dropped_graph_says_nothing() -> None:
    network, bare = small_refiner(), given(frames=4).without(graph=True)
    other = replace(bare, boxes=bare.boxes * 0.5, entity=bare.entity.flip(-1), scene=-bare.scene)
    assert torch.equal(_run(network, bare), _run(network, other))


def test_frames_look_at_their_neighbours_only_as_far_as_there_are_blocks() -> None:
    network, c = small_refiner(), given(frames=16)
    low = torch.randn(1, 16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    changed = low.clone()
    changed[:, 0] += 1
    one = torch.ones(1)
    with torch.no_grad():
        a, b = (network(x, one * 0.1, one.long(), FULL, c) for x in (low, changed))
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
        out = network(low, one * 0.1, one.long(), FULL, given(frames=2))
    assert (out - low).abs().mean() < 0.3


def test_convolutions_inside_blocks_are_matrices_that_muon_takes() -> None:
    network = small_refiner()
    hidden = hidden_matrices(network)
    assert "down.0.0.first.weight" in hidden
    assert "larger.0.0.weight" in hidden
    assert not {"into.weight", "out.weight", "stage.weight", "down.0.0.first.bias"} & hidden
    assert all(dict(network.named_parameters())[name].ndim == 2 for name in hidden)


def test_a_kernel_kept_as_a_matrix_is_the_same_convolution() -> None:
    x = torch.randn(2, 5, 9, 11)
    ours = MatrixConv2d(5, 7, 3, stride=2, padding=1)
    theirs = torch.nn.Conv2d(5, 7, 3, stride=2, padding=1)
    theirs.load_state_dict({"weight": ours.weight.view(7, 5, 3, 3), "bias": ours.bias})
    torch.testing.assert_close(ours(x), theirs(x))
