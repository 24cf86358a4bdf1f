"""PVR: the stages on small random networks: seeds, batches, starting from a given video, callbacks, errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given as supposing
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import UsageError
from mov_ai.models.cascade import Cascade, CascadeConfig, Stage, plan_stages, resize, shrink
from mov_ai.models.conditioning import collate
from mov_ai.models.denoiser import STAGES, AnyDenoiser
from tests.models.builders import ball_and_cube, given, small_denoiser, small_refiner
from tests.models.test_codec import small_codec

FRAMES = 2


def small_cascade(**changes: object) -> Cascade:
    config = CascadeConfig(**{"steps": (2, 2, 1), **changes})  # type: ignore[arg-type]
    networks: list[AnyDenoiser] = [
        small_refiner() if name == "refiner" else small_denoiser(seed=i, dim=16, depth=1)
        for i, name in enumerate(config.names)
    ]
    return Cascade(config, small_codec(), networks).eval()


def _run(cascade: Cascade, seeds: list[int], stage: int = 0, previous: Tensor | None = None, **more: object) -> Tensor:
    graphs = [ball_and_cube(), ball_and_cube(count=2)]
    condition = collate([given(graphs[i % 2], FRAMES) for i in range(len(seeds))])
    values = {"guidance": Guidance(), "frames": FRAMES, **more}
    return cascade.run_stage(stage, condition, seeds, previous=previous, **values)  # type: ignore[arg-type]


def _video(batch: int = 1, size: int = 40) -> Tensor:
    return torch.rand(batch, FRAMES, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_each_stage_makes_videos_of_its_size() -> None:
    cascade = small_cascade()
    video = None
    for stage, size in enumerate(STAGES):
        latents = _run(cascade, [0], stage, video)
        assert latents.shape == (1, FRAMES, 4, size // 8, size // 8)
        video = cascade.decode(latents)
        assert video.shape == (1, FRAMES, 3, size, size)
        assert video.abs().max() <= 1
        assert video.isfinite().all()


def test_a_refiner_begins_with_the_earlier_video_and_no_noise_of_its_own() -> None:
    calm, noisy = (small_cascade(networks="refined", low_noise=noise) for noise in (0.0, 0.5))
    video = _video()
    assert_close(_run(calm, [0], 1, video), _run(calm, [1], 1, video))
    assert (_run(noisy, [0], 1, video) - _run(noisy, [1], 1, video)).abs().max() > 1e-3
    with pytest.raises(ValueError, match="a refiner cannot make the first stage"):
        Cascade(CascadeConfig(), small_codec(), [small_refiner()])


def test_a_refiner_is_asked_once_whatever_the_guidance(monkeypatch: pytest.MonkeyPatch) -> None:
    cascade, video = small_cascade(networks="refined"), _video()
    plain = _run(cascade, [0], 1, video)
    network, asked = cascade.denoiser(1), []
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda *given: asked.append(1) or forward(*given))
    assert_close(_run(cascade, [0], 1, video, guidance=Guidance(text=3.0, graph=2.0)), plain)
    assert len(asked) == 1


def test_the_own_guidance_is_within_what_was_trained() -> None:
    asked = {"default_guidance": (2.0, 5.0)}
    assert CascadeConfig().own_guidance == Guidance()
    assert CascadeConfig(**asked).own_guidance == Guidance(2.0, 5.0)
    assert CascadeConfig(**asked, guidance=3.0).own_guidance == Guidance(2.0, 3.0)
    # Nothing was left out in training.
    assert CascadeConfig(default_guidance=(0.5, 2.0), guidance=1.0).own_guidance == Guidance()
    for wrong in ((2.0,), (1.0, -1.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="default_guidance: expected two strengths from 0 to 100"):
            CascadeConfig(default_guidance=wrong)


def test_refined_stages_have_their_sizes() -> None:
    cascade = small_cascade(networks="refined")
    video = None
    for stage, size in enumerate(STAGES):
        video = cascade.decode(_run(cascade, [0], stage, video))
        assert video.shape == (1, FRAMES, 3, size, size)
        assert video.isfinite().all()


@pytest.mark.parametrize("stage", [0, 1])
def test_a_seed_decides_the_video(stage: int) -> None:
    cascade = small_cascade()
    previous = _video() if stage else None
    first, again, other = (_run(cascade, [seed], stage, previous) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-3


def test_global_random_state_has_no_say() -> None:
    cascade = small_cascade()
    first = _run(cascade, [3])
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert torch.equal(_run(cascade, [3]), first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("stage", [0, 1])
def test_videos_made_together_are_those_made_alone(stage: int) -> None:
    cascade = small_cascade()
    previous = _video(2) if stage else None
    both = _run(cascade, [7, 8], stage, previous)
    alone = _run(cascade, [7], stage, None if previous is None else previous[:1])
    assert_close(both[:1], alone, atol=1e-3, rtol=1e-3)


def test_stages_of_one_seed_have_noise_of_their_own() -> None:
    cascade = small_cascade(starts=(1.0, 1.0, 1.0))
    second = _run(cascade, [5], 1, _video())
    third = _run(cascade, [5], 2, _video())
    assert second.shape != third.shape
    assert (second - third[..., :32, :32]).abs().max() > 1e-3


def test_a_later_stage_runs_alone_on_any_video_and_keeps_it_at_a_low_start() -> None:
    previous = resize(_video(size=16), 100, 60)
    results = [_run(small_cascade(starts=(1.0, start, 0.5)), [1], 1, previous) for start in (0.01, 0.9)]
    low = small_codec().encode(resize(previous, 256, 256))
    assert results[0].shape == (1, FRAMES, 4, 32, 32)
    assert (results[0] - low).abs().mean() < 0.2 * (results[1] - low).abs().mean()


@pytest.mark.parametrize("sides", [(64, 128), (128, 64), (96, 96)])
def test_a_stage_makes_videos_of_other_sides_and_lengths(sides: tuple[int, int]) -> None:
    cascade = small_cascade()
    small = _run(cascade, [0], sides=tuple(side // 2 for side in sides))
    latents = _run(cascade, [0], 1, cascade.decode(small), sides=sides)
    assert latents.shape == (1, FRAMES, 4, sides[0] // 8, sides[1] // 8)
    assert cascade.decode(latents).shape == (1, FRAMES, 3, *sides)
    long = cascade.run_stage(0, given(frames=5), [0], Guidance(), frames=5, sides=(32, 48))
    assert long.shape == (1, 5, 4, 4, 6)


def test_progress_names_the_longer_side() -> None:
    seen: list[tuple[int, int, int]] = []
    _run(small_cascade(), [0], sides=(48, 80), callback=lambda *step: seen.append(step))
    assert seen == [(80, 1, 2), (80, 2, 2)]


def test_a_later_stage_needs_a_video() -> None:
    with pytest.raises(ValueError, match="stage 256 starts from an earlier stage's video"):
        _run(small_cascade(), [0], 1)


@pytest.mark.parametrize(("stage", "steps"), [(0, 2), (1, 2), (2, 1)])
def test_progress_is_reported_step_by_step(stage: int, steps: int) -> None:
    seen: list[tuple[int, int, int]] = []
    _run(small_cascade(), [0], stage, _video() if stage else None, callback=lambda *step: seen.append(step))
    assert seen == [(STAGES[stage], step, steps) for step in range(1, steps + 1)]


def test_guidance_costs_passes_and_changes_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    cascade = small_cascade()
    passes = []
    cascade.denoisers[0].register_forward_hook(lambda module, args, output: passes.append(len(output)))
    counts, videos = [], []
    for guidance in (Guidance(), Guidance(2.0, 1.0), Guidance(1.0, 2.0), Guidance(2.0, 2.0)):
        passes.clear()
        videos.append(_run(cascade, [0], guidance=guidance))
        counts.append(list(passes))
    # A batch for each of the two steps.
    assert counts == [[1, 1], [2, 2], [3, 3], [2, 2]]
    for i in range(4):
        for j in range(i):
            assert (videos[i] - videos[j]).abs().max() > 1e-4


def test_without_text_the_text_guidance_does_nothing() -> None:
    cascade = small_cascade()
    condition = given(frames=FRAMES).without(text=True)
    videos = [cascade.run_stage(0, condition, [0], Guidance(strength, 1.0), frames=FRAMES) for strength in (1.0, 4.0)]
    assert_close(*videos, atol=1e-4, rtol=1e-4)


def test_one_network_for_all_stages_or_one_each() -> None:
    shared, separate = small_cascade(), small_cascade(networks="separate")
    assert shared.denoiser(0) is shared.denoiser(2)
    refined = small_cascade(networks="refined")
    assert refined.denoiser(1) is refined.denoiser(2) is not refined.denoiser(0)
    assert len({id(separate.denoiser(stage)) for stage in range(3)}) == 3
    with pytest.raises(ValueError, match=r"expected 3 denoiser\(s\), got 1"):
        Cascade(separate.config, small_codec(), [small_denoiser()])
    with pytest.raises(ValueError, match=r"expected 1 denoiser\(s\), got 2"):
        Cascade(shared.config, small_codec(), [small_denoiser(), small_denoiser()])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": (2, 2)}, "expected 3 steps and starts"),
        ({"starts": (1.0,)}, "expected 3 steps and starts"),
        ({"steps": (2, 0, 1)}, "steps >= 1"),
        ({"starts": (1.0, 0.0, 0.5)}, "0 < starts <= 1"),
        ({"starts": (1.0, 1.5, 0.5)}, "0 < starts <= 1"),
        ({"stages": (256, 128, 512)}, "expected ascending sizes"),
        ({"stages": (128, 128, 512)}, "expected ascending sizes"),
        ({"stages": ()}, "expected ascending sizes"),
        ({"networks": "two"}, "networks: expected one of shared, refined, separate, got 'two'"),
        ({"low_noise": 1.5}, "low_noise: expected a number from 0 to 1, got 1.5"),
        ({"shared_noise": -1}, "shared_noise: expected a number from 0 to 1, got -1"),
        ({"shift": -2}, "shift: expected a number above 0, up to 100, got -2"),
        ({"stages": (0, 256, 512)}, "expected ascending sizes"),
        ({"stages": (128, 256)}, "expected 2 steps and starts"),
        ({"first": 64}, "first <= last, both of"),
        ({"first": 512, "last": 128}, "first <= last"),
    ],
)
def test_wrong_configurations_say_what_was_expected(changes: dict[str, tuple[float, ...]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(CascadeConfig(), **changes)  # type: ignore[arg-type]


def test_resizing_keeps_flat_colours_and_its_own_size() -> None:
    video = _video()
    assert resize(video, 40, 40) is video
    flat = torch.full((2, 3, 3, 8, 8), 0.25)
    assert_close(resize(flat, 20, 24), torch.full((2, 3, 3, 20, 24), 0.25))


def test_shrinking_takes_means_of_areas() -> None:
    video = torch.arange(2 * 3 * 4 * 8).float().view(1, 2, 3, 4, 8)
    small = shrink(video, 2, 4)
    assert small.shape == (1, 2, 3, 2, 4)
    assert small[0, 1, 2, 1, 0] == video[0, 1, 2, 2:, :2].mean()


# -- which stages a run has --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "sizes", "stages"),
    [
        (512, 512, None, [(0, 128, 128), (1, 256, 256), (2, 512, 512)]),
        (256, 256, None, [(0, 128, 128), (1, 256, 256)]),
        (128, 128, None, [(0, 128, 128)]),
        # 16:9 and 9:16: the longer side names the stage, the shorter is rounded to what codec and denoiser divide.
        (288, 512, None, [(0, 64, 128), (1, 144, 256), (2, 288, 512)]),
        (512, 288, None, [(0, 128, 64), (1, 256, 144), (2, 512, 288)]),
        # Sizes that were not trained for: each is made by the nearest stage, the first begins with noise.
        (96, 160, None, [(0, 80, 128), (0, 96, 160)]),
        (64, 64, None, [(0, 64, 64)]),
        (1024, 1024, None, [(0, 128, 128), (1, 256, 256), (2, 512, 512), (2, 1024, 1024)]),
        (512, 512, [512], [(0, 512, 512)]),
        (512, 512, [64, 192], [(0, 64, 64), (1, 192, 192)]),
        (512, 512, [96, 112, 480], [(0, 96, 96), (0, 112, 112), (2, 480, 480)]),
        (320, 512, [128, 256], [(0, 80, 128), (1, 160, 256)]),
    ],
)
def test_stages_follow_from_the_size(
    height: int, width: int, sizes: list[int] | None, stages: list[tuple[int, int, int]]
) -> None:
    assert plan_stages(CascadeConfig(), height, width, sizes, 16) == [Stage(*stage) for stage in stages]


def test_a_one_stage_cascade_is_planned_for_its_own_stage() -> None:
    single = CascadeConfig(first=512, last=512)
    assert plan_stages(single, 512, 512, None, 16) == [Stage(2, 512, 512)]
    assert plan_stages(single, 256, 256, None, 16) == [Stage(2, 256, 256)]


@settings(max_examples=200, deadline=None)
@supposing(
    st.integers(1, 64),
    st.integers(1, 64),
    st.none() | st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True).map(sorted),
    st.sampled_from([8, 16, 32]),
)
def test_planned_stages_can_be_run(height: int, width: int, sizes: list[int] | None, multiple: int) -> None:
    height, width = height * multiple, width * multiple
    if sizes is not None:
        sizes = [size * multiple for size in sizes]
        if any(side * sizes[-1] / max(height, width) % multiple for side in (height, width)):
            with pytest.raises(UsageError, match=f"multiples of {multiple}; found .*: try "):
                plan_stages(CascadeConfig(), height, width, sizes, multiple)
            return
    config = CascadeConfig()
    stages = plan_stages(config, height, width, sizes, multiple)
    assert all(stage.height % multiple == 0 and stage.width % multiple == 0 for stage in stages)
    assert all(stage.height >= multiple and stage.width >= multiple for stage in stages)
    assert stages[0].index == config.first_stage
    assert [stage.index for stage in stages] == sorted(stage.index for stage in stages)
    assert (stages[-1].height > stages[-1].width) == (height > width)
    if sizes is None:
        assert (stages[-1].height, stages[-1].width) == (height, width)
        assert len({stage.size for stage in stages}) == len(stages)


@pytest.mark.parametrize(
    ("height", "width", "sizes", "words"),
    [
        (512, 512, [256, 128], r"each larger than the one before; found \[256, 128\]"),
        (512, 512, [128, 128], "each larger than the one before"),
        (512, 512, [0, 128], r"sizes from 16 up, .*; found \[0, 128\]"),
        (512, 512, [-128], "sizes from 16 up"),
        (512, 512, [], r"expected whole numbers, as 128,256,512; found \[\]"),
        (512, 512, [True, 128], "expected whole numbers"),
        (512, 512, [128.0], "expected whole numbers"),
        (100, 100, None, "sides that are multiples of 16; found 100x100: try 96x96"),
        (100, 128, None, "multiples of 16; found 100x128: try 96x128"),
        (512, 512, [128, 200], "multiples of 16; found 200x200: try 192x192"),
        (288, 512, [128], "multiples of 16; found 72x128: try 64x128"),
    ],
)
def test_sizes_that_cannot_be_made_are_one_line(height: int, width: int, sizes: list[int] | None, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        plan_stages(CascadeConfig(), height, width, sizes, 16)
    assert "\n" not in str(caught.value)
