"""Two folders of videos, made by any model, measured against one another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from mov_ai.errors import UsageError
from mov_ai.evaluation.metrics.folders import (
    NETWORK_PIXELS,
    Shape,
    Video,
    VideoFolder,
    common_shape,
    measured_settings,
    read,
    read_pairs,
    scan,
)
from mov_ai.evaluation.metrics.result import Absent, Reference
from mov_ai.evaluation.networks import MetricNetworks
from mov_ai.evaluation.report.environment import environment
from mov_ai.evaluation.report.pictures import write_pictures
from mov_ai.evaluation.report.results import Results, VideoRow
from mov_ai.evaluation.video_metrics import (
    MEANS,
    PAIR_MEANS,
    ReferenceValues,
    figures,
    pair_figures,
    pair_quantities,
    quantities,
)
from mov_ai.evaluation.video_pass import Values, alone, measure, shown
from mov_ai.graph.files import sha256_of

#: Decoded, the videos that are in memory at a time take at most so many bytes, unless one alone takes more.
BATCH_BYTES = 256 * 2**20
#: Clips and sheets are made for so many videos; a folder may hold thousands.
PICTURED = 64


@dataclass(frozen=True)
class Folders:
    """Two folders that can be measured.

    Attributes:
        shape: what all videos are brought to.
        prompts: name of a generated video -> its prompt.
        notices: what was left out or is done about differences, one line each.
    """

    generated: VideoFolder
    reference: VideoFolder
    shape: Shape
    prompts: Mapping[str, str]
    notices: tuple[str, ...]


def look_at(
    generated: str | Path,
    reference: str | Path,
    prompts: Mapping[str, str] | None = None,
    max_frames: int | None = None,
) -> Folders:
    """Look through both folders before any network is loaded.

    Args:
        prompts: name of a generated video -> its prompt.
        max_frames: measure at most so many frames of each video, 2 or more.

    Raises:
        UsageError: as `scan` and `common_shape`; if the two are one folder; or if no video has a prompt.
    """
    if max_frames is not None and max_frames < 2:
        raise UsageError(f"max frames: expected 2 or more, as most metrics compare frames; found {max_frames}")
    if Path(generated).resolve() == Path(reference).resolve():
        raise UsageError(f"{generated}: is given as generated and as reference; give two folders")
    generated_folder, reference_folder = scan(generated), scan(reference)
    shape = common_shape(generated_folder, reference_folder, max_frames=max_frames)
    notices = [*generated_folder.notices, *reference_folder.notices, *shape.notices]
    names = {file.name for file in generated_folder.files}
    others = {file.name for file in reference_folder.files}
    prompt_of_video = _by_video(prompts or {}, names | others)
    if prompt_of_video:
        if not names & set(prompt_of_video):
            raise UsageError(
                f"prompts: none is of a video in {generated_folder.folder}, such as {min(names)!r}; "
                "name the prompts as the videos"
            )
        if missing := sorted(names - set(prompt_of_video)):
            more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
            notices.append(f"no prompt for {missing[0]}{more}: left out of the similarity of text and video")
        if unused := sorted(set(prompt_of_video) - names - others):
            more = f" and {len(unused) - 1} others" if len(unused) > 1 else ""
            notices.append(f"a prompt for {unused[0]}{more}, but no such video: not used")
    return Folders(generated_folder, reference_folder, shape, prompt_of_video, tuple(notices))


def _by_video(prompts: Mapping[str, str], names: set[str]) -> dict[str, str]:
    """Prompts under the names of their videos, which may be given with more folders before them."""
    result = {}
    for given, prompt in prompts.items():
        folders = given.split("/")
        tails = ("/".join(folders[start:]) for start in range(len(folders)))
        result[next((tail for tail in tails if tail in names), given)] = prompt
    return result


def compare_folders(
    folders: Folders, networks: MetricNetworks, output: Path, console: Console, seed: int = 0, batch: int = 4
) -> Results:
    """Measure; writes clips and sheets of the first videos into `output`, and returns what the report says.

    Three streamed passes: generated videos, reference videos, pairs of one name. Memory does not grow with the number.

    Args:
        output: folder of the report.
        console: shows how far it has come.
        seed: of the bootstrap.
        batch: videos in memory at a time; fewer if they are large.

    Raises:
        MovAIError: if a file changes meanwhile, or the output cannot be written.
    """
    started = time.perf_counter()
    generated_folder, reference_folder, shape = folders.generated, folders.reference, folders.shape
    # Pairs are two videos each.
    batch = max(1, min(batch, BATCH_BYTES // (2 * shape.frames * 3 * max(shape.height * shape.width, NETWORK_PIXELS))))
    wanted = quantities(networks, folders.prompts)
    seconds: dict[str, float] = {}
    pictures: dict[str, tuple[str, str]] = {}

    def pictured(video: Video) -> Video:
        if len(pictures) < PICTURED:
            pictures[video.name] = write_pictures(output, video.name, video.frames, video.fps)
        return video

    stream = shown(read(generated_folder, shape), "generated videos", console, len(generated_folder.files))
    generated = measure(alone(map(pictured, stream)), wanted, measured_settings(generated_folder, shape), batch)
    seconds["generated videos"] = time.perf_counter() - started
    mark = time.perf_counter()
    stream = shown(read(reference_folder, shape), "reference videos", console, len(reference_folder.files))
    reference = measure(alone(stream), wanted, measured_settings(reference_folder, shape), batch)
    seconds["reference videos"] = time.perf_counter() - mark
    mark = time.perf_counter()
    name = f"{reference_folder.folder.name} (sha256 {sha256_of(file.path for file in reference_folder.files)[:16]})"
    pairs = _pairs(folders, networks, batch, console)
    seconds["pairs"] = time.perf_counter() - mark
    mark = time.perf_counter()
    measured = figures(networks, generated, ReferenceValues(name, reference), reference, seed=seed)
    count = 0 if isinstance(pairs, Absent) else len(pairs.names)
    to = Reference(name, count, measured_settings(reference_folder, shape)) if count else None
    paired = pair_figures(networks, pairs, to, seed=seed)
    seconds["distances and intervals"] = time.perf_counter() - mark
    rows = []
    for video in generated.names:
        values = {key: float(generated.of[key][video]) for key in MEANS if video in generated.of.get(key, {})}
        if not isinstance(pairs, Absent):
            values |= {key: float(pairs.of[key][video]) for key in PAIR_MEANS if video in pairs.of.get(key, {})}
        clip, sheet = pictures.get(video, (None, None))
        rows.append(VideoRow(video, folders.prompts.get(video), values=values, clip=clip, sheet=sheet))
    seconds["in all"] = time.perf_counter() - started
    frames, fps, side = shape.frames, shape.fps, f"{shape.width}x{shape.height}"
    settings = {
        "generated": str(generated_folder.folder),
        "reference": str(reference_folder.folder),
        "videos": f"{len(generated_folder.files)} generated, {len(reference_folder.files)} reference, {count} pairs",
        "measured as": f"{frames} frames at {fps:g} a second, {side}",
        "codecs": f"{generated_folder.settings.codec} generated, {reference_folder.settings.codec} reference",
    }
    return Results(
        title=f"{generated_folder.folder.name} against {reference_folder.folder.name}",
        settings=settings,
        environment=environment(),
        seed=seed,
        metrics={**measured, **paired},
        videos=tuple(rows),
        seconds=seconds,
        notices=folders.notices,
        real=f"the videos of {reference_folder.folder}",
    )


def _pairs(folders: Folders, networks: MetricNetworks, batch: int, console: Console) -> Values | Absent:
    names = {file.name for file in folders.generated.files} & {file.name for file in folders.reference.files}
    if not names:
        return Absent(
            f"no video has a name in both {folders.generated.folder} and {folders.reference.folder}",
            "name each generated video as its truth to compare them frame by frame",
        )
    both = read_pairs(folders.generated, folders.reference, folders.shape)
    stream = shown(both, "pairs of one name", console, len(names))
    settings = measured_settings(_only(folders.generated, names), folders.shape)
    return measure(stream, pair_quantities(networks), settings, batch)


def _only(folder: VideoFolder, names: set[str]) -> VideoFolder:
    return replace(folder, files=tuple(file for file in folder.files if file.name in names))
