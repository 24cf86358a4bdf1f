"""Long runs with small random networks: windows that go on, runs that are killed, scenes, given frames, extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mov_ai.data.video import read_video
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Edge, Node, SceneGraph, VideoShape
from mov_ai.graph.slices import slice_layout
from mov_ai.long_video.beginning import encoded, fitted, open_beginning
from mov_ai.long_video.finishing import all_frames, save_run
from mov_ai.long_video.making import Carried, make_windows, window_conditioning
from mov_ai.long_video.running import LongRun, LongSettings, Scene
from mov_ai.long_video.saving import CARRIED, UNFINISHED, UnfinishedRun, load_carried
from mov_ai.long_video.windows import plan_windows
from mov_ai.models.codec import to_bytes
from mov_ai.pipeline import MovAIPipeline
from mov_ai.weight_files import tensor_bytes

GRAPH = SceneGraph(
    "a red ball rolls left",
    [
        Node("s", "scene", "scene"),
        Node("b", "entity", "ball"),
        Node("r", "attribute", "red", kind="color"),
        Node("e", "event", "roll", direction="left", interval=(0.0, 0.75)),
    ],
    [Edge("s", "b", "contains"), Edge("s", "e", "contains"), Edge("e", "b", "agent"), Edge("b", "r", "has_attribute")],
)
SHAPE = VideoShape(frames=4, height=64, width=64)


@pytest.fixture(scope="module")
def pipe(tiny_pipeline_dir: Path) -> MovAIPipeline:
    """Made for videos of 4 frames of 64 by 64 pixels."""
    loaded = MovAIPipeline.from_pretrained(tiny_pipeline_dir, device="cpu")
    config = replace(loaded.cascade.config, stages=(32, 64), steps=(2, 1), starts=(1.0, 0.6), first=32, last=64)
    loaded.cascade.config, loaded.shape = config, SHAPE
    return loaded


def run_of(pipe: MovAIPipeline, folder: Path, frames: int = 8, scenes: int = 1, **changes: object) -> LongRun:
    values = {"shape": SHAPE, "seed": 3, "overlap": 2, **changes}
    more = {name: values.pop(name) for name in ("beginning", "pictures", "between") if name in values}
    store = UnfinishedRun(folder, {"frames": frames})
    settings = LongSettings(**values)  # type: ignore[arg-type]
    return LongRun(pipe, [Scene(GRAPH, frames)] * scenes, settings, store, **more)  # type: ignore[arg-type]


def finish(run: LongRun, folder: Path) -> np.ndarray:
    save_run(run, run.make(_silent, _silent), folder)
    return read_video(folder / "video.mp4")[0]


def frames_of(run: LongRun) -> np.ndarray:
    made = run.make(_silent, _silent)
    return np.concatenate([np.stack(list(run.store.frames(0, w.number))) for w in made[0].windows])


def cells_of(pipe: MovAIPipeline) -> dict[int, tuple[int, ...]]:
    channels = pipe.cascade.codec.config.latent_channels
    return {size: (channels, size // 8, size // 8) for size in (32, 64)}


def killed(pipe: MovAIPipeline, folder: Path) -> Path:
    """What a run leaves that is killed after two of its three windows."""

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_of(pipe, folder).make(_silent, stop)
    return folder / UNFINISHED


def noise_picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)


def test_as_many_frames_as_the_networks_make_are_the_same_bits_as_ever(pipe: MovAIPipeline, tmp_path: Path) -> None:
    assert np.array_equal(frames_of(run_of(pipe, tmp_path, 4)), pipe(GRAPH, seed=3).frames)


def test_windows_go_on_from_the_latents_of_the_frames_before_them(pipe: MovAIPipeline) -> None:
    request = pipe.check(3, None, replace(SHAPE, frames=8), None, pipe.guidance(1, 1), None, None, None, "default")
    prepared = pipe.prepare(GRAPH, request)
    windows = plan_windows(8, 4, 2)
    made = list(make_windows(pipe, prepared, 0, windows, Carried(), Carried(), 2))
    assert [each.carried.frames for each in made] == [(2, 3), (4, 5), (6, 7)]
    assert set(made[0].carried.latents) == {32, 64}
    # The frames that are shared have exactly these latents in the next window, so a window alone is another one.
    alone = next(make_windows(pipe, prepared, 0, windows[1:2], Carried(), Carried(), 2))
    assert not np.array_equal(alone.frames, made[1].frames)
    shared = made[0].carried.in_window(windows[1], 64)
    assert shared is not None
    assert shared.places == (0, 1)
    assert made[0].carried.in_window(windows[2], 64) is None
    # As if all latents were decoded at once, but for what the codec sees beyond a window's ends.
    assert [len(each.frames) for each in made] == [3, 2, 3]


def test_a_window_is_told_its_part_of_the_timeline(pipe: MovAIPipeline) -> None:
    request = pipe.check(3, None, replace(SHAPE, frames=8), None, pipe.guidance(1, 1), None, None, None, "default")
    prepared = pipe.prepare(GRAPH, request)
    assert prepared.layout is not None
    first, _, last = (window_conditioning(pipe, prepared, window) for window in plan_windows(8, 4, 2))
    # How far the rolling has come goes on; it ends with the sixth of eight frames.
    progress = [round(float(value), 4) for value in first.event_progress[0, 0, 0]]
    assert progress == pytest.approx([(frame + 0.5) / 6 for frame in range(4)], abs=1e-3)
    assert last.event_progress[0, 0, 0].tolist() == pytest.approx([4.5 / 6, 5.5 / 6, 0, 0], abs=1e-3)
    boxes = slice_layout(prepared.layout, 4, 4).tracks[0].boxes
    assert np.allclose(last.boxes[0, 0].numpy(), boxes)


def test_a_run_that_is_killed_goes_on_to_the_same_bits(pipe: MovAIPipeline, tmp_path: Path) -> None:
    whole = run_of(pipe, tmp_path / "whole", scenes=2)
    frames = np.stack(list(all_frames(whole, whole.make(_silent, _silent))))
    assert frames.shape == (16, 64, 64, 3)
    ends = []

    def stop(done: int, total: int) -> None:
        ends.append((done, total))
        raise KeyboardInterrupt

    for _ in range(6):
        # Another object each time, as another process would have.
        with pytest.raises(KeyboardInterrupt):
            run_of(pipe, tmp_path / "killed", scenes=2).make(_silent, stop)
    assert ends == [(3, 16), (5, 16), (8, 16), (11, 16), (13, 16), (16, 16)]
    resumed = run_of(pipe, tmp_path / "killed", scenes=2)
    made = resumed.make(_silent, stop)
    assert np.array_equal(np.stack(list(all_frames(resumed, made))), frames)
    assert (tmp_path / "killed" / UNFINISHED / CARRIED).read_bytes() == (
        tmp_path / "whole" / UNFINISHED / CARRIED
    ).read_bytes()
    save_run(resumed, made, tmp_path / "killed")
    assert len(read_video(tmp_path / "killed/video.mp4")[0]) == 16
    assert not (tmp_path / "killed" / UNFINISHED).exists()
    assert sorted(path.name for path in (tmp_path / "killed/scenes/02").iterdir()) == ["graph.json", "layout.json"]


def _silent(*_: object) -> None:
    """Progress that nobody is told of."""


def test_damaged_windows_are_named(pipe: MovAIPipeline, tmp_path: Path) -> None:
    run = run_of(pipe, tmp_path)
    made = run.make(_silent, _silent)
    next((tmp_path / UNFINISHED).glob("*.mkv")).write_bytes(b"nothing")
    with pytest.raises(MovAIError, match=r"window-0000\d.mkv: cannot be read"):
        save_run(run, made, tmp_path)
    assert not (tmp_path / "video.mp4").exists()
    (tmp_path / UNFINISHED / CARRIED).write_bytes(b"nothing")
    with pytest.raises(MovAIError, match="not a whole safetensors file"):
        run.store.progress()


def test_scenes_are_cut_or_go_on_where_things_were(pipe: MovAIPipeline, tmp_path: Path) -> None:
    layouts = {}
    for continuous in (False, True):
        run = run_of(pipe, tmp_path / str(continuous), 4, scenes=2, continuous=continuous)
        first, second = run.make(_silent, _silent)
        assert first.prepared.layout is not None
        assert second.prepared.layout is not None
        layouts[continuous] = second.prepared.layout.tracks[0].boxes
        assert second.led == (2 if continuous else 0)
        if continuous:
            assert np.array_equal(layouts[True][:2], first.prepared.layout.tracks[0].boxes[-2:])
    assert (len(layouts[False]), len(layouts[True])) == (4, 6)


def test_given_pictures_are_the_frames_that_they_are_given_for(pipe: MovAIPipeline, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    plain = frames_of(run_of(pipe, tmp_path / "plain"))
    run = run_of(pipe, tmp_path / "given", pictures={6: picture})
    given = frames_of(run)
    assert np.array_equal(plain[:3], given[:3]), "a window without the picture is as it was"
    assert not np.array_equal(plain[6], given[6])
    request = run.make(_silent, _silent)[0].prepared.request
    through = encoded(pipe, request, picture[None], [6])
    assert through.latents[64].shape == (1, 1, 8, 8, 8)
    carried, _ = load_carried(tmp_path / "given" / UNFINISHED / CARRIED)
    assert torch.equal(carried.latents[64][:, 0], through.latents[64][:, 0])
    finished = np.stack(list(all_frames(run, run.make(_silent, _silent))))
    assert np.array_equal(finished[6], fitted(picture[None], 64, 64)[0]), "whatever the codec cannot hold of it"


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "one bit": lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
}


@pytest.mark.parametrize("name", ["scene-000-window-00000.mkv", CARRIED])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_unfinished_run_is_refused_before_any_work(
    pipe: MovAIPipeline, tmp_path: Path, name: str, damage: str
) -> None:
    place = killed(pipe, tmp_path)
    (place / name).write_bytes(DAMAGE[damage]((place / name).read_bytes()))
    before = {path: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(MovAIError, match=f"{name}.*; remove {place} and start again"):
        run_of(pipe, tmp_path).make(_silent, pytest.fail)
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_what_the_user_has_put_into_an_unfinished_run_stays(pipe: MovAIPipeline, tmp_path: Path) -> None:
    place = killed(pipe, tmp_path)
    (place / "notes.txt").write_text("mine")
    finish(run_of(pipe, tmp_path), tmp_path)
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    # And is no unfinished run: the next one in this folder has a request and windows of its own.
    assert UnfinishedRun.request_in(tmp_path) is None
    killed(pipe, tmp_path)
    assert UnfinishedRun.request_in(tmp_path) == {"frames": 8}


HEADERS = {
    "numbers": {"frames": "[0.5]"},
    "order": {"frames": "[2, 1]"},
    "nothing": {"frames": "{"},
    "no list": {"frames": "3"},
}
TENSORS = {
    "no stage": {"x": torch.zeros(1, 2, 8, 4, 4)},
    "no number": {"stage_³": torch.zeros(1, 2, 8, 4, 4)},
    "whole numbers": {"stage_32": torch.zeros(1, 2, 8, 4, 4, dtype=torch.int8)},
    "another shape": {"stage_32": torch.zeros(2, 8, 4, 4)},
    "not finite": {"stage_32": torch.full((1, 2, 8, 4, 4), torch.nan)},
}


@pytest.mark.parametrize("name", [*HEADERS, *TENSORS])
def test_carried_latents_that_say_something_else_are_refused(tmp_path: Path, name: str) -> None:
    notes = {"schema": "1", "frames": "[-2, -1]", **HEADERS.get(name, {})}
    tensors = TENSORS.get(name, {"stage_32": torch.zeros(1, 2, 8, 4, 4)})
    (tmp_path / CARRIED).write_bytes(tensor_bytes(dict(tensors), notes))
    with pytest.raises(MovAIError, match=str(tmp_path / CARRIED)):
        load_carried(tmp_path / CARRIED)


def test_latents_of_another_codec_are_not_gone_on_from(pipe: MovAIPipeline, tmp_path: Path) -> None:
    finish(run_of(pipe, tmp_path), tmp_path)
    other = {size: (channels + 1, *sides) for size, (channels, *sides) in cells_of(pipe).items()}
    beginning, said = open_beginning(tmp_path, SHAPE, 2, other)
    assert beginning.carried == Carried()
    assert "goes on from pixels" in said[0]


@pytest.mark.parametrize("continuous", [False, True])
def test_given_pictures_are_found_in_every_scene(pipe: MovAIPipeline, tmp_path: Path, continuous: bool) -> None:
    pictures = {1: noise_picture(0), 5: noise_picture(1)}
    run = run_of(pipe, tmp_path, 4, scenes=2, continuous=continuous, pictures=pictures)
    frames = list(all_frames(run, run.make(_silent, _silent)))
    assert all(np.array_equal(frames[number], picture) for number, picture in pictures.items())


def test_given_pictures_are_found_among_interpolated_frames(pipe: MovAIPipeline, tmp_path: Path) -> None:
    run = run_of(pipe, tmp_path, pictures={1: noise_picture(0)}, between=Held(pipe))
    frames = list(all_frames(run, run.make(_silent, _silent)))
    assert [np.array_equal(frame, noise_picture(0)) for frame in frames[3:5]] == [False, True]


def test_a_video_goes_on_from_a_run_and_from_a_file(pipe: MovAIPipeline, tmp_path: Path) -> None:
    before = finish(run_of(pipe, tmp_path / "run"), tmp_path / "run")
    from_run, said = open_beginning(tmp_path / "run", SHAPE, 2, cells_of(pipe))
    assert said == []
    assert from_run.carried.frames == (-2, -1)
    assert from_run.layout is not None
    video = finish(run_of(pipe, tmp_path / "longer", beginning=from_run), tmp_path / "longer")
    assert video.shape == (16, 64, 64, 3)
    assert np.abs(video[:8].astype(int) - before).mean() < 8, "what it goes on from comes first, encoded once more"
    from_file, said = open_beginning(tmp_path / "run" / "video.mp4", SHAPE, 2, cells_of(pipe))
    assert "goes on from pixels" in said[0]
    run = run_of(pipe, tmp_path / "other", beginning=from_file)
    other = finish(run, tmp_path / "other")
    assert len(other) == 16
    assert np.array_equal(from_file.tail[-1], list(all_frames(run, run.make(_silent, _silent)))[7])
    assert not np.array_equal(other[8:], video[8:])
    with pytest.raises(UsageError, match="has 8 frames a second, and 24 are asked for"):
        open_beginning(tmp_path / "run", replace(SHAPE, fps=24.0), 2, {})


def test_a_codec_whose_latents_stand_for_several_frames_is_refused(
    pipe: MovAIPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe.cascade.codec, "frame_factor", 4)
    with pytest.raises(UsageError, match="one latent for 4 frames"):
        run_of(pipe, tmp_path).make(_silent, _silent)


class Held:
    """Every frame shown four times but the last, in place of an interpolation network."""

    def __init__(self, pipe: MovAIPipeline) -> None:
        self.pipe = pipe

    def frames_after(self, frames: int) -> int:
        return 4 * frames - 3

    def fps_after(self, fps: float) -> float:
        return 4 * fps

    def __call__(self, latents: Iterable[torch.Tensor], fps: float) -> Iterator[torch.Tensor]:
        frames = torch.cat([to_bytes(self.pipe.cascade.decode(frame[None]))[0] for frame in latents])
        yield frames.repeat_interleave(4, 0)[:-3]


class Doubled:
    """Frames shown twice, in place of an interpolation network."""

    def __init__(self, pipe: MovAIPipeline) -> None:
        self.pipe, self.counts = pipe, []

    def frames_after(self, frames: int) -> int:
        return 2 * frames

    def fps_after(self, fps: float) -> float:
        return 2 * fps

    def __call__(self, latents: Iterable[torch.Tensor], fps: float) -> Iterator[torch.Tensor]:
        self.counts.append(0)
        for frame in latents:
            self.counts[-1] += 1
            yield to_bytes(self.pipe.cascade.decode(frame[None]))[0].repeat_interleave(2, 0)


@pytest.mark.parametrize(("continuous", "counts"), [(False, [4, 4]), (True, [8])])
def test_interpolation_works_on_the_latents_of_what_has_no_cut(
    pipe: MovAIPipeline, tmp_path: Path, continuous: bool, counts: list[int]
) -> None:
    between = Doubled(pipe)
    run = run_of(pipe, tmp_path, 4, scenes=2, continuous=continuous, between=between)
    save_run(run, run.make(_silent, _silent), tmp_path)
    frames, fps = read_video(tmp_path / "video.mp4")
    assert (between.counts, len(frames), fps) == (counts, 16, 16)


def test_long_videos_have_the_pipelines_own_guidance(pipe: MovAIPipeline, tmp_path: Path) -> None:
    config = pipe.cascade.config
    own = replace(config, default_guidance=(2.0, 1.0))
    made = []
    for chosen, asked in ((own, {}), (config, {"guidance_text": 2.0, "guidance_graph": 1.0}), (config, {})):
        pipe.cascade.config = chosen
        folder = tmp_path / str(len(made))
        made.append(finish(run_of(pipe, folder, 6, **asked), folder))
    pipe.cascade.config = config
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
