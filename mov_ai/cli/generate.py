"""`mov-ai generate`: text, graph, layout, latents or a video in; a folder with the video and all that led to it out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mov_ai.cli.hints import check_hints, read_sketches, read_sound, tell_onsets
from mov_ai.cli.inputs import check_one_prompt, read_prompt_or_graph
from mov_ai.cli.long import LongOptions, Scenes, plan_work, refuse_unfinished, scene_text
from mov_ai.cli.messages import say, tell
from mov_ai.cli.sizes import chosen_shape, parse_numbers, parse_stages, resampled
from mov_ai.errors import MovAIError, UsageError
from mov_ai.hardware import loading
from mov_ai.memory import GIB, is_out_of_memory

if TYPE_CHECKING:
    import numpy as np

    from mov_ai.graph import Layout, SceneGraph, VideoShape
    from mov_ai.graph.onsets import Onsets
    from mov_ai.pipeline import MemoryNeed, MovAIPipeline
    from mov_ai.result import SavedLatents, VideoResult

MAX_SEED = 2**31 - 1
#: What makes a folder an older result: this file, with these keys.
RECORD, RECORD_KEYS = "run.json", ("prompt", "seed", "pipeline", "versions")


class Quality(str, Enum):
    """How much work goes into a video."""

    draft = "draft"
    default = "default"
    best = "best"


class Precision(str, Enum):
    """What the networks compute in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@dataclass
class _Request:
    """What to make videos of."""

    prompt: str | SceneGraph
    layout: Layout | None
    seed: int
    resume: SavedLatents | None = None
    video: np.ndarray | None = None

    @property
    def shape(self) -> VideoShape | None:
        """Of the layout or the latents that are given, where they name one."""
        layout = self.layout or (self.resume.layout if self.resume is not None else None)
        return None if layout is None else layout.shape

    @property
    def is_resumed(self) -> bool:
        """Whether latents or a video say all frames."""
        return self.resume is not None or self.video is not None

    @property
    def caption(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt.caption


def generate(
    text: str | None = typer.Argument(
        None, help="What the video shows; standard input if absent or '-'.", show_default=False
    ),
    seed: int | None = typer.Option(
        None, min=0, max=MAX_SEED, help="Same seed, same video.", show_default="0, or the seed saved with --latents"
    ),
    num_videos: int = typer.Option(1, min=1, max=10_000, help="Make several, with seeds that follow one another."),
    steps: str | None = typer.Option(
        None, help="Network evaluations: of the first stage, as 8, or of each, as 8,4,2.", show_default="the pipeline's"
    ),
    guidance_text: float | None = typer.Option(
        None,
        min=0,
        help="Strength of text guidance; 1 is none, and with both 1 it is fastest.",
        show_default="the pipeline's own",
    ),
    guidance_graph: float | None = typer.Option(
        None,
        min=0,
        help="Strength of graph guidance; 1 is none.",
        show_default="the pipeline's own",
    ),
    guidance_interval: tuple[float, float] = typer.Option(
        (0.0, 1.0), help="Lowest and highest noise level at which there is guidance."
    ),
    graph: Path | None = typer.Option(
        None, help="Scene graph (JSON) to use instead of a text; '-' is standard input.", show_default=False
    ),
    layout: Path | None = typer.Option(
        None, help="Layout (JSON) to use; boxes that are null are planned.", show_default=False
    ),
    frames: int | None = typer.Option(None, help="Frames of the video.", show_default="the pipeline's"),
    seconds: float | None = typer.Option(None, help="How long the video is, instead of --frames.", show_default=False),
    fps: float | None = typer.Option(None, help="Frames a second.", show_default="the pipeline's"),
    size: str | None = typer.Option(
        None, help="HEIGHTxWIDTH in pixels, as 320x512, or one number.", show_default="the pipeline's"
    ),
    stages: str | None = typer.Option(
        None,
        help="Longer side of the last stage, as 256, or of all of them, as 128,256,512.",
        show_default="up to the size",
    ),
    latents: Path | None = typer.Option(
        None, help="Resume from latents: their stages are not computed again.", show_default=False
    ),
    save_latents: bool = typer.Option(False, "--save-latents", help="Also write latents.safetensors, to resume from."),
    video: Path | None = typer.Option(
        None, help="Refine this video with the stage of --stages alone.", show_default=False
    ),
    image: list[str] | None = typer.Option(
        None, help="A picture that is the first frame, or another: FILE, FILE@1.5s, FILE@last.", show_default=False
    ),
    sketch: list[str] | None = typer.Option(
        None,
        help="A drawing of a thing, lines or a silhouette, where it is at first: FILE, or FILE@ball for the ball.",
        show_default=False,
    ),
    audio: Path | None = typer.Option(
        None,
        help="A sound at whose onsets the events begin; the video is as long, unless --seconds or --frames say.",
        show_default=False,
    ),
    extend: Path | None = typer.Option(
        None, help="Go on from this video, or from the folder of a run.", show_default=False
    ),
    scenes: Scenes | None = typer.Option(
        None, help="Each sentence of the text, or of a text file, is a scene.", show_default="one scene"
    ),
    overlap: int | None = typer.Option(None, help="Frames that windows of a long video share.", show_default="4"),
    window: int | None = typer.Option(None, help="Frames of a window.", show_default="the pipeline's"),
    threshold: float = typer.Option(
        0.0, min=0, max=1, help="Leave out of a text's graph what the parser is less sure of, 0 to 1."
    ),
    smooth: int | None = typer.Option(
        None,
        min=0,
        max=2,
        help="Put three frames between each two, once or twice: 61 at 32 fps of 16 at 8, or 241 at 128.",
        show_default="0; of a long video, what --fps needs",
    ),
    device: str = typer.Option("auto", help="auto, cpu, cuda or cuda:N."),
    dtype: Precision = typer.Option(
        Precision.auto, help="What the networks compute in; auto is bfloat16 where that is faster and looks the same."
    ),
    quality: Quality = typer.Option(
        Quality.default, help="draft is sooner and smaller; best takes twice the steps, in float32."
    ),
    out: Path | None = typer.Option(
        None, help="Folder to write into.", show_default="outputs/WORDS-SEED, with -2, -3 ... if it is there"
    ),
    checkpoint: str = typer.Option("tiny", help="An embedded pipeline, or the folder of a saved one."),
    boxes: bool = typer.Option(False, "--boxes", help="Draw the layout's boxes on sheet.png."),
) -> None:
    """Make a video of a text or a scene graph."""
    chosen_steps, chosen_stages = _parse_steps(steps), parse_stages(stages)
    chosen_shape(frames, fps, size)
    others = {
        "--latents": latents is not None,
        "--video": video is not None,
        "--extend": extend is not None,
        "--scenes": scenes is not None,
    }
    sketches, has_length = sketch or [], frames is not None or seconds is not None
    check_hints(sketches, audio, others, has_length, save_latents)
    onsets = read_sound(audio)
    is_as_long_as_audio = onsets is not None and not has_length
    if onsets is not None and is_as_long_as_audio:
        seconds = onsets.duration
    given = (frames is not None, fps is not None, is_as_long_as_audio)
    long = LongOptions(seconds, tuple(image or ()), extend, scenes, overlap, window, smooth, *given)
    long.check(latents is not None or video is not None, save_latents)
    request = _read_request(text, seed, graph, layout, latents, video, frames, scenes is not None)
    if request.seed + num_videos - 1 > MAX_SEED:
        raise UsageError(f"--seed, --num-videos: the last seed would be above {MAX_SEED}; begin with a smaller one")
    folders = _choose_folders(out, request, num_videos)

    from mov_ai.cli.claims import claimed
    from mov_ai.cli.progress import FrameProgress, StageProgress

    with loading():
        from mov_ai.long_video.running import LongSettings
        from mov_ai.long_video.saving import save_last_frames
        from mov_ai.pipeline import MovAIPipeline

        pipe = MovAIPipeline.from_pretrained(checkpoint, device, dtype.value)
    known = len(pipe.cascade.config.stages)
    if isinstance(chosen_steps, tuple) and len(chosen_steps) != known:
        raise UsageError(f"--steps: expected one number, or one for each of {known} stages; found {steps!r}")
    shape = None
    if frames is not None or fps is not None or size is not None:
        shape = chosen_shape(frames, fps, size, request.shape or pipe.shape)
    hints = None
    if sketches or onsets is not None:
        from mov_ai.graph.hints import Hints

        hints = Hints(read_sketches(sketches, shape or request.shape or pipe.shape), onsets)
    work = None
    if long.takes_over(pipe, shape or request.shape or pipe.shape, request.is_resumed or save_latents):
        work = plan_work(
            pipe,
            request.prompt,
            request.layout,
            shape or request.shape or pipe.shape,
            LongSettings(
                pipe.shape,
                request.seed,
                chosen_steps,
                guidance_text,
                guidance_graph,
                guidance_interval,
                quality.value,
                chosen_stages,
                threshold,
            ),
            long,
            boxes,
            hints,
        )
        folders = work.folders(folders, request.seed, None if out is not None or num_videos > 1 else request.caption)
        shape = replace(work.settings.shape, frames=work.longest_window)
    else:
        refuse_unfinished(folders)
    need = pipe.needs(shape or request.shape, chosen_stages, guidance_text, guidance_graph, quality.value)
    with claimed(folders), _named_remedies(need):
        for index, folder in enumerate(folders):
            name = f"{index + 1}/{num_videos}" if num_videos > 1 else ""
            note = "" if index else _memory_said(need)
            if work is not None:
                with FrameProgress(name, note=note) as frames_done:
                    result = work.make(request.seed + index, folder, frames_done)
                _tell(result, folder, first=index == 0, onsets=onsets)
                continue
            stages_to_run = _stages_to_run(pipe, request, shape, chosen_stages, quality.value)
            shown: list[int | str] = [*stages_to_run, *(["smooth"] if smooth else [])]
            with StageProgress(shown, name, note=note) as progress:
                result = pipe(
                    request.prompt,
                    seed=request.seed + index,
                    layout=request.layout,
                    shape=shape,
                    steps=chosen_steps,
                    guidance_text=guidance_text,
                    guidance_graph=guidance_graph,
                    guidance_interval=guidance_interval,
                    quality=quality.value,
                    stages=chosen_stages,
                    resume=request.resume,
                    video=request.video,
                    threshold=threshold,
                    smooth=smooth or 0,
                    hints=hints,
                    callback=progress.report,
                )
            result.save(folder, boxes, save_latents, partial(save_last_frames, result))
            # What holds for the prompt is said once, however many videos there are.
            _tell(result, folder, first=index == 0, onsets=onsets)


def _memory_said(need: MemoryNeed) -> str:
    """What the video needs, before it is begun, and where that is more than there is, what would need less."""
    line = f"stage {need.stage} needs about {need.bytes / GIB:.1f} GiB"
    if need.free is None:
        return line
    line += f" of {need.free / GIB:.1f} GiB that are free"
    return line if need.bytes <= need.free else f"{line}; less: {' or '.join(need.smaller)}"


@contextlib.contextmanager
def _named_remedies(need: MemoryNeed) -> Iterator[None]:
    """Where memory runs out, what was needed is said, and two settings that would fit."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MovAIError(
            f"not enough memory: this video needs about {need.bytes / GIB:.1f} GiB; "
            f"what fits: {' or '.join(need.smaller)}"
        ) from None


def _parse_steps(steps: str | None) -> int | tuple[int, ...] | None:
    numbers = parse_numbers(steps, 1000)
    if numbers == ():
        raise UsageError(f"--steps: expected 1 to 1000, as 8, or for each stage, as 8,4,2; found {steps!r}")
    return numbers


def _read_request(
    text: str | None,
    seed: int | None,
    graph: Path | None,
    layout: Path | None,
    latents: Path | None,
    video: Path | None,
    frames: int | None,
    in_scenes: bool,
) -> _Request:
    """Read the inputs, before any network is loaded."""
    check_one_prompt(text, graph)
    if latents is not None and video is not None:
        raise UsageError("give --latents or --video, not both: each is what the last stages start from")

    from mov_ai.graph import Layout

    prompt: str | SceneGraph
    boxes = resampled(Layout.load(layout), frames) if layout is not None else None
    saved = None
    if latents is not None:
        from mov_ai.result import load_latents

        saved = load_latents(latents)
        if seed is None:
            seed = saved.seed
    if saved is not None and text is None and graph is None:
        prompt = saved.graph
        boxes = boxes if boxes is not None else saved.layout
    else:
        prompt = scene_text(text) if in_scenes and graph is None else read_prompt_or_graph(text, graph)
    clip = None
    if video is not None:
        from mov_ai.graph import VideoShape

        clip = _read_video(video, frames or VideoShape().frames)
    return _Request(prompt, boxes, seed or 0, saved, clip)


def _read_video(path: Path, wanted: int) -> np.ndarray:
    import numpy as np

    from mov_ai.data.video import VideoReader, at_constant_rate

    frames: list[np.ndarray] = []
    with VideoReader(path) as reader:
        for _, frame in at_constant_rate(reader):
            frames.append(frame)
            if len(frames) > wanted:
                break
        for notice in reader.notices:
            say(f"warning: {notice}")
    if len(frames) < wanted:
        raise UsageError(f"--video: {path}: expected at least {wanted} frames, found {len(frames)}; give a longer one")
    if len(frames) > wanted:
        say(f"warning: {path}: only the first {wanted} frames are used")
    return np.stack(frames[:wanted])


def _choose_folders(out: Path | None, request: _Request, num_videos: int) -> list[Path]:
    from mov_ai.cli.outputs import asked_folder, free_folder, slug

    if num_videos == 1:
        if out is None:
            return [free_folder(f"{slug(request.caption)}-{request.seed}")]
        return [asked_folder(out, RECORD, RECORD_KEYS)]
    last = request.seed + num_videos - 1
    parent = free_folder(f"{slug(request.caption)}-{request.seed}-to-{last}") if out is None else out
    return [asked_folder(parent / f"seed-{request.seed + i}", RECORD, RECORD_KEYS) for i in range(num_videos)]


def _stages_to_run(
    pipe: MovAIPipeline, request: _Request, shape: VideoShape | None, stages: int | tuple[int, ...] | None, quality: str
) -> list[int]:
    """Sizes of the stages whose progress is shown."""
    if isinstance(stages, tuple):
        sizes = list(stages)
    else:
        from mov_ai.precision import draft_stage

        shape = shape or request.shape or pipe.shape
        if stages is None and request.resume is None and request.video is None:
            stages = draft_stage(pipe.cascade.config, quality, max(shape.height, shape.width))
        last = stages or max(shape.height, shape.width)
        trained = pipe.cascade.config.trained
        sizes = [*(size for size in trained if size < last), last if last >= trained[0] else trained[0]]
    if request.video is not None:
        return sizes[-1:]
    known = request.resume.latents if request.resume is not None else {}
    return [size for size in sizes if size not in known and size >= min(known, default=0)]


def _tell(result: VideoResult, folder: Path, first: bool, onsets: Onsets | None) -> None:
    """Say where the result is, what was ignored or assumed, and how long each part took."""
    run = result.run
    if first:
        for warning in run["warnings"]:
            say(f"warning: {warning}")
    count, height, width = result.frames.shape[:3]
    count = run.get("frames", count) + run.get("frames_before", 0)
    tell(f"{folder / 'video.mp4'}: {count} frames of {height}x{width}, seed {run['seed']}")
    names = {node.id: node.label for node in result.graph.nodes}
    assumed = [f"{names[node]} ({', '.join(words)})" for node, words in run["assumed"].items()]
    if assumed:
        tell(f"  assumed, as nothing was said: {', '.join(assumed)}")
    if onsets is not None:
        tell_onsets(onsets)
    seconds = run["seconds"]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    tell(f"  {sum(seconds.values()):.1f} s: {parts}")
