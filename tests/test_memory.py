"""What work needs: more for more, and remedies that fit."""

from __future__ import annotations

import re

import pytest
import torch

from mov_ai import memory
from mov_ai.graph.video_shape import VideoShape
from mov_ai.memory import GIB, generation_memory, is_out_of_memory, smaller_videos, training_memory
from mov_ai.pipeline import MovAIPipeline

SIDES = [(128, 128), (256, 256), (512, 512)]


@pytest.fixture(scope="module")
def pipe() -> MovAIPipeline:
    return MovAIPipeline.from_pretrained("tiny", "cpu")


def test_more_pixels_frames_and_passes_need_more(pipe: MovAIPipeline) -> None:
    needed = [generation_memory(pipe.cascade, SIDES[:n], 16) for n in (1, 2, 3)]
    assert needed == sorted(needed)
    assert needed[2] < generation_memory(pipe.cascade, SIDES, 32)
    large = [(2048, 2048)]
    assert generation_memory(pipe.cascade, large, 16, 3) > generation_memory(pipe.cascade, large, 16)


def test_the_estimate_is_of_the_size_that_was_measured(pipe: MovAIPipeline) -> None:
    # Peak of `mov-ai generate` at 512x512 with the embedded weights, float32 and bfloat16: 1.22 and 1.18 GiB.
    assert generation_memory(pipe.cascade, SIDES, 16) / GIB == pytest.approx(1.22, rel=0.2)


def test_the_remedies_are_two_and_need_less_than_there_is(pipe: MovAIPipeline) -> None:
    free = int(1.1 * GIB)
    found = smaller_videos(pipe.cascade, SIDES, 16, 1, free)
    assert [re.sub(r" \(.*", "", one) for one in found] == ["--stages 256", "--frames 8"]
    for one in found:
        assert float(re.findall(r"\(([\d.]+) GiB\)", one)[0]) * GIB <= free + 0.05 * GIB


def test_a_pipeline_says_what_a_call_needs(pipe: MovAIPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mov_ai.pipeline.free_memory", lambda device: 5 * GIB)
    need = pipe.needs()
    assert need.bytes == generation_memory(pipe.cascade, SIDES, 16)
    assert need.free == 5 * GIB + memory.LIBRARIES
    assert pipe.needs(quality="draft").bytes < need.bytes
    assert pipe.needs(VideoShape(64)).bytes > need.bytes


def test_what_a_training_keeps_for_each_parameter() -> None:
    assert training_memory(10, 5, "adamw", True) == 4 * (10 * 5 + 5)
    assert training_memory(10, 0, "muon", False) == 4 * 30


def test_errors_that_mean_that_memory_is_used_up_are_known() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
