"""Two folders of videos: what is measured, what is left out, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from rich.console import Console

from mov_ai.data.video import write_video
from mov_ai.errors import UsageError
from mov_ai.evaluation.folder_comparison import compare_folders, look_at
from mov_ai.evaluation.metrics.result import Absent, MetricResult
from mov_ai.evaluation.report.results import Results
from mov_ai.evaluation.video_prompts import read_prompts
from tests.evaluation.metrics.videos import sprites
from tests.evaluation.stand_ins import networks
from tools.metrics.distortions import noise


def fill(folder: Path, videos: dict[str, np.ndarray], fps: float = 8.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, video in videos.items():
        np.savez(folder / f"{name}.npz", video=video, fps=fps)
    return folder


def measure(tmp_path: Path, generated: Path, reference: Path, **options: object) -> Results:
    folders = look_at(generated, reference, **options)  # type: ignore[arg-type]
    return compare_folders(folders, networks(), tmp_path / "report", Console(file=io.StringIO()))


def value(results: Results, name: str) -> float:
    found = results.metrics[name].result
    assert isinstance(found, MetricResult), found
    return found.value


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return fill(tmp_path / "real", {f"v{i}": sprites(i) for i in range(6)})


def test_a_copy_has_distance_zero_and_worse_videos_are_farther(tmp_path: Path, real: Path) -> None:
    copy = measure(tmp_path, fill(tmp_path / "copy", {f"v{i}": sprites(i) for i in range(6)}), real)
    spoilt = measure(tmp_path, fill(tmp_path / "spoilt", {f"v{i}": noise(sprites(i), 0.5, i) for i in range(6)}), real)
    assert value(copy, "embedded_fvd") == 0
    assert value(copy, "psnr") == 100
    assert value(copy, "ssim") == pytest.approx(1)
    assert value(copy, "embedded_lpips_truth") == 0
    for name in ("embedded_fvd", "embedded_kvd", "embedded_jedi_style_mmd", "embedded_lpips_truth", "warping_error"):
        assert value(spoilt, name) > value(copy, name), name
    for name in ("psnr", "ssim", "temporal_flickering"):
        assert value(spoilt, name) < value(copy, name), name
    flicker = spoilt.metrics["temporal_flickering"]
    assert flicker.real is not None
    assert flicker.real.value == pytest.approx(value(copy, "temporal_flickering"))
    assert spoilt.metrics["embedded_fvd"].real is None
    reference = spoilt.metrics["embedded_fvd"].result.provenance.reference  # type: ignore[union-attr]
    assert reference is not None
    assert reference.n == 6
    assert reference.name.startswith("real (sha256 ")


def test_prompts_permuted_among_videos_fit_worse(tmp_path: Path, real: Path) -> None:
    """The stand-in likes videos whose mean red is the number of letters of the text."""
    generated = fill(tmp_path / "generated", {f"v{i}": sprites(i) for i in range(4)})
    prompts = {f"v{i}": "x" * round(sprites(i)[..., 0].mean()) for i in range(4)}
    figure = measure(tmp_path, generated, real, prompts=prompts).metrics["embedded_clipsim"]
    assert isinstance(figure.result, MetricResult)
    assert figure.result.value > 0.99
    assert figure.result.ci95 is not None
    assert figure.permuted is not None
    assert figure.permuted.ci95 is not None
    assert figure.permuted.ci95[1] < figure.result.ci95[0]


def test_what_differs_is_told_and_recorded(tmp_path: Path, real: Path) -> None:
    generated = tmp_path / "generated"
    fill(generated, {"v0": sprites(0, side=48), "v1": sprites(1)}, fps=16)
    write_video(generated / "w.mp4", sprites(2, frames=9), 8, crf=30)
    (generated / "broken.mp4").write_bytes(b"not a video")
    PIL.Image.fromarray(sprites(0)[0]).save(generated / "sheet.png")
    folders = look_at(generated, real, prompts={"v0": "a ball", "other": "a cube"})
    told = "\n".join(folders.notices)
    for words in (
        *("broken.mp4: broken", "sheet.png: an image among the videos; left out"),
        *("different numbers of videos", "different frame rates", "different lengths", "different sizes"),
        *("different compression", "no prompt for v1 and 1 others", "a prompt for other, but no such video"),
    ):
        assert words in told
    results = compare_folders(folders, networks(), tmp_path / "report", Console(file=io.StringIO()))
    found = results.metrics["temporal_flickering"].result
    assert isinstance(found, MetricResult)
    assert (found.settings.frames, found.settings.fps, found.settings.resolution) == (6, 8, "32x32")
    assert found.settings.codec == "mixed: h264 yuv420p crf 30, none"
    similarity = results.metrics["embedded_clipsim"].result
    assert isinstance(similarity, MetricResult)
    assert similarity.n == 1
    assert "2 of 3 videos have no prompt and are left out" in similarity.notes
    assert value(results, "psnr") > 20
    assert results.metrics["psnr"].result.n == 2  # type: ignore[union-attr]
    assert set(folders.notices) == set(results.notices)


def test_frames_can_be_limited(tmp_path: Path, real: Path) -> None:
    generated = fill(tmp_path / "generated", {f"v{i}": sprites(i) for i in range(2)})
    results = measure(tmp_path, generated, real, max_frames=4)
    assert results.metrics["warping_error"].result.settings.frames == 4  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="2 or more"):
        look_at(generated, real, max_frames=1)


def test_too_few_or_too_short_videos_make_absences_not_crashes(tmp_path: Path, real: Path) -> None:
    one = fill(tmp_path / "one", {"alone": sprites(0, frames=2)})
    results = measure(tmp_path, one, real)
    reasons = {name: f.result for name, f in results.metrics.items() if isinstance(f.result, Absent)}
    assert "at least 2 videos, got 1" in reasons["embedded_fvd"].reason
    assert "expected at least 3 frames, got 2" in reasons["motion_smoothness"].reason
    assert "no video has a name in both" in reasons["psnr"].reason
    assert "no video has a prompt" in reasons["embedded_clipsim"].reason
    assert "no CLIP" in reasons["clipsim"].reason
    assert isinstance(results.metrics["warping_error"].result, MetricResult)


def test_small_frames_make_absences(tmp_path: Path) -> None:
    generated = fill(tmp_path / "a", {f"v{i}": sprites(i, side=8) for i in range(2)})
    reference = fill(tmp_path / "b", {f"v{i}": sprites(i, side=8) for i in range(2)})
    results = measure(tmp_path, generated, reference)
    for name, words in (("warping_error", "16×16"), ("embedded_lpips", "32×32"), ("ssim", "11×11")):
        found = results.metrics[name].result
        assert isinstance(found, Absent)
        assert words in found.reason
    assert value(results, "psnr") == 100


def test_folders_that_cannot_be_measured_are_refused(tmp_path: Path, real: Path) -> None:
    generated = fill(tmp_path / "generated", {"v0": sprites(0)})
    with pytest.raises(UsageError, match="given as generated and as reference"):
        look_at(real, tmp_path / "." / "real")
    with pytest.raises(UsageError, match="no such folder"):
        look_at(tmp_path / "nowhere", real)
    with pytest.raises(UsageError, match=r"none is of a video in .*such as 'v0'"):
        look_at(generated, real, prompts={"x": "a ball"})


def test_odd_names_and_subfolders_are_measured(tmp_path: Path, real: Path) -> None:
    generated = fill(tmp_path / "generated", {"bad\nname": sprites(0), "9.41\u202fAM": sprites(1)})
    fill(generated / "sub", {"v0": sprites(0)})
    prompts = {"videos/sub/v0": "a ball", "9.41 AM": "a cube"}
    results = measure(tmp_path, generated, real, prompts=prompts)
    assert [(row.name, row.prompt) for row in results.videos] == [
        ("9.41 AM", "a cube"),
        ("bad name", None),
        ("sub/v0", "a ball"),
    ]
    assert all(row.clip and (tmp_path / "report" / row.clip).is_file() for row in results.videos)


def test_memory_holds_no_more_than_a_batch(tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos that were measured are let go."""
    import weakref

    from mov_ai.evaluation import video_pass
    from mov_ai.evaluation.metrics.folders import Video

    alive: list[weakref.ref[Video]] = []
    most = 0

    def stream() -> object:
        nonlocal most
        for i in range(12):
            video = Video(f"v{i}", sprites(i), 8.0, "none")
            alive.append(weakref.ref(video))
            most = max(most, sum(reference() is not None for reference in alive))
            yield (video,)
            del video

    quantity = video_pass.Quantity("mean", video_pass.each(lambda v: float(v.frames.mean())))
    found = video_pass.measure(
        stream(), [quantity], look_at(real, fill(tmp_path / "g", {"a": sprites(0)})).generated.settings, batch=3
    )  # type: ignore[arg-type]
    assert len(found.of["mean"]) == 12
    assert most <= 2 * 3


# -- prompts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", '{"a.mp4": "a red ball", "b": "a cube, blue"}'),
        ("p.csv", 'name,prompt\na.mp4,a red ball\nb,"a cube, blue"\n'),
        ("p.csv", 'a,a red ball\nb,"a cube, blue"\n'),
        ("p.txt", "a\ta red ball\n\nb.webm\ta cube, blue\n"),
        ("p.txt", "a.mp4: a red ball\nb: a cube, blue\n"),
    ],
)
def test_prompts_are_read_from_json_csv_and_text(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_prompts(tmp_path / name) == {"a": "a red ball", "b": "a cube, blue"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.json", b"[1]", "expected an object"),
        ("p.json", b'{"a": 1}', "expected an object"),
        ("p.json", b"{", "line 1, column 2"),
        ("p.json", b"{}", "holds no prompts"),
        ("p.csv", b"a,b,c\n", "expected two columns"),
        ("p.txt", b"only a prompt\n", "line 1: expected"),
        ("p.txt", b"a: x\na.mp4: y\n", "names 'a' twice"),
        ("p.txt", b"a:  \n", "is empty"),
        ("p.txt", b"\xff\xfe\x00", "expected a UTF-8 file"),
    ],
)
def test_bad_prompt_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        read_prompts(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_prompt_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_prompts(tmp_path / "none.json")
