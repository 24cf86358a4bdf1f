"""The pretended device computes as the CPU does, and refuses what a GPU refuses."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from tests.pretended_device import pretended_device

# torch counts the devices that there are when it first computes a gradient.
pytestmark = pytest.mark.own_process


def test_a_training_step_is_that_of_the_cpu() -> None:
    results = []
    points = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for pretends in (False, True):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))
        with pretended_device() as device:
            module.to(device if pretends else "cpu")
            optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
            for _ in range(3):
                loss = module(points.to(next(module.parameters()).device)).square().mean()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(module.parameters(), 0.1)
                optimizer.step()
                optimizer.zero_grad()
            assert loss.device.type == ("pretended" if pretends else "cpu")
            results.append([parameter.detach().cpu() for parameter in module.parameters()])
    for here, there in zip(*results, strict=True):
        assert_close(there, here)


def test_tensors_of_two_devices_do_not_meet() -> None:
    with pretended_device() as device:
        there, here = torch.zeros(3, 3, device=device), torch.ones(3, 3)
        for meet in (
            lambda: there + here,
            lambda: here @ there,
            lambda: here[there.long()],
            lambda: torch.cat([here, there]),
            lambda: torch.nn.functional.embedding(torch.zeros(1, dtype=torch.long), there),
        ):
            with pytest.raises(RuntimeError, match="meet tensors of the pretended device"):
                meet()
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="found one of the CPU"):
            torch.randn(3, generator=torch.Generator(), device=device)


def test_what_a_gpu_allows_is_allowed() -> None:
    with pretended_device() as device:
        there = torch.arange(6.0, device=device)
        assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4, 6, 8, 10]
        assert there[torch.tensor([1, 3])].cpu().numpy().tolist() == [1, 3]
        there[:2] = torch.ones(2)
        assert there.sum().item() == 16
        assert torch.zeros(2).to(there).device == device
