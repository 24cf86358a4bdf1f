"""`mov-ai generate` for long videos: lengths in seconds, given pictures, videos to go on from, scenes; and resuming."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.cli.inputs import check_prompt, read_standard_input, require_english
from mov_ai.cli.messages import say
from mov_ai.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from mov_ai.cli.progress import FrameProgress
    from mov_ai.graph import Layout, SceneGraph, VideoShape
    from mov_ai.graph.hints import Hints
    from mov_ai.long_video.beginning import Beginning
    from mov_ai.long_video.running import LongSettings, Scene
    from mov_ai.pipeline import MovAIPipeline
    from mov_ai.result import VideoResult

_TIME = re.compile(r"(?P<path>.+)@(?:(?P<seconds>\d+(?:\.\d+)?)s|(?P<place>first|last))")
#: Where a sentence ends and another begins.
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"')\]])\s+|\n+")


class Scenes(str, Enum):
    """How the sentences of a text become scenes."""

    cuts = "cuts"
    continuous = "continuous"


@dataclass(frozen=True)
class LongOptions:
    """What the command line says of a long video.

    Attributes:
        seconds: how long it is; None for a number of frames.
        images: pictures that are given, each FILE, FILE@1.5s, FILE@first or FILE@last.
        extend: a video or a run's folder to go on from.
        scenes: how sentences become scenes; None for one scene.
        overlap, window: frames of windows; None for the default.
        smooth: how often three frames are put between each two; None for as often as --fps needs.
        has_frames, has_rate: whether --frames and --fps are given.
        is_as_long_as_audio: whether the seconds are those of --audio.
    """

    seconds: float | None = None
    images: Sequence[str] = ()
    extend: Path | None = None
    scenes: Scenes | None = None
    overlap: int | None = None
    window: int | None = None
    smooth: int | None = None
    has_frames: bool = False
    has_rate: bool = False
    is_as_long_as_audio: bool = False

    @property
    def names(self) -> list[str]:
        """The options that only long videos have."""
        given = {
            "--image": bool(self.images),
            "--extend": self.extend is not None,
            "--scenes": self.scenes is not None,
            "--overlap": self.overlap is not None,
            "--window": self.window is not None,
        }
        return [name for name, is_given in given.items() if is_given]

    def takes_over(self, pipe: MovAIPipeline, shape: VideoShape, is_whole: bool) -> bool:
        """Whether a video is made window by window: one that is longer than the networks were trained for, or for which
        an option asks. What must be made as a whole goes through the networks in one piece, with a warning, and so does
        what a codec keeps several frames of in one latent.
        """
        is_longer = self.frames(shape) > pipe.shape.frames and pipe.cascade.codec.frame_factor == 1
        return bool(self.names) or self.seconds is not None or (is_longer and not is_whole)

    def check(self, resumes: bool, keeps_latents: bool) -> None:
        """Raises UsageError for what contradicts itself, before anything is loaded."""
        if self.seconds is not None and self.has_frames:
            raise UsageError("give --seconds or --frames, not both: each says how long the video is")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise UsageError(f"--seconds: expected a number above 0; found {self.seconds:g}")
        if self.seconds is not None and (resumes or keeps_latents):
            raise UsageError("--seconds: not together with --latents, --video or --save-latents; give --frames")
        if self.names and resumes:
            raise UsageError(f"{self.names[0]}: not together with --latents or --video, which say all frames")
        if self.names and keeps_latents:
            raise UsageError(f"{self.names[0]}: not together with --save-latents: the folder keeps what --extend needs")
        if self.extend is not None and not self.extend.exists():
            raise UsageError(f"--extend: {self.extend}: no such file or folder; give a video, or a folder of a run")
        for image in self.images:
            parse_image(image)

    def frames(self, shape: VideoShape) -> int:
        """Of the video: as many as the seconds hold at the shape's rate. Raises UsageError if there are too many."""
        from mov_ai.graph.video_shape import MAX_FRAMES

        if self.seconds is None:
            return shape.frames
        frames = max(1, round(self.seconds * shape.fps))
        if frames > MAX_FRAMES:
            option, way = "--seconds", "make a part, then --extend it"
            if self.is_as_long_as_audio:
                option, way = "--audio", "give --frames or a smaller --fps"
            raise UsageError(
                f"{option}: {self.seconds:.15g} s at {shape.fps:g} frames a second are {frames:.15g} frames; at most "
                f"{MAX_FRAMES} are made at a time ({MAX_FRAMES / shape.fps:.0f} s): {way}"
            )
        return frames


def parse_image(text: str) -> tuple[Path, float | str]:
    """A picture's file and its time: seconds, "first" or "last". Raises UsageError if there is no such file."""
    match = None if Path(text).exists() else _TIME.fullmatch(text)
    if match is not None:
        path, time = Path(match["path"]), match["place"] or float(match["seconds"])
    else:
        path, time = Path(text), "first"
    if not path.is_file():
        hint = "a time is written FILE@1.5s, FILE@first or FILE@last" if "@" in text else "give a picture's file"
        raise UsageError(f"--image: {text}: no such file; {hint}")
    return path, time


def read_picture(path: Path) -> np.ndarray:
    """A picture as it is shown, uint8 (height, width, 3), over black. Raises UsageError if it is none."""
    import numpy as np
    import PIL.Image

    from mov_ai.data.pictures import open_picture

    picture = open_picture(path, "--image")
    if np.asarray(picture.getchannel("A")).min() < 255:
        # As videos are read: what is transparent may hide any colour.
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
    return np.asarray(picture.convert("RGB"))


def read_pictures(images: Sequence[str], frames: int, shape: VideoShape) -> dict[int, np.ndarray]:
    """Given pictures by the numbers of their frames; says so where one is cropped.

    Raises:
        UsageError: if one is no picture, its time is outside the video, or two are for one frame.
    """
    from mov_ai.long_video.beginning import is_cropped

    pictures: dict[int, np.ndarray] = {}
    for image in images:
        path, time = parse_image(image)
        # A frame is shown from its own time on.
        number = {"first": 0, "last": frames - 1}[time] if isinstance(time, str) else int(time * shape.fps + 1e-6)
        if not 0 <= number < frames:
            raise UsageError(
                f"--image: {image}: the video lasts {frames / shape.fps:g} s ({frames} frames at {shape.fps:g} fps), "
                "so that nothing is shown then"
            )
        if number in pictures:
            raise UsageError(f"--image: {image}: frame {number} is given already; give one picture for each")
        pictures[number] = read_picture(path)
        height, width = pictures[number].shape[:2]
        if is_cropped(height, width, shape):
            say(
                f"warning: {path}: {height}x{width} is cropped to the centre for frames of {shape.height}x{shape.width}"
            )
    return pictures


def scene_text(text: str | None) -> str:
    """The text of all scenes: what is given, what a text file (.txt) of that name holds, or standard input."""
    if text is None or text == "-":
        return read_standard_input("give sentences in quotes, or a text file, each sentence a scene")
    if not (text.endswith(".txt") and Path(text).is_file()):
        return text
    try:
        return Path(text).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--scenes: {text}: cannot be read as UTF-8 text ({type(error).__name__})") from None


def sentences(text: str) -> list[str]:
    """The sentences of a text, each a scene. Raises UsageError if one is no prompt, or there are none."""
    found: list[str] = []
    for piece in filter(None, map(str.strip, _SENTENCES.split(text))):
        if found and _is_abbreviation(found[-1].split()[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    if not found:
        raise UsageError("--scenes: the text holds no sentences; say what each scene shows")
    for sentence in found:
        check_prompt(sentence)
        require_english(sentence)
    return found


def _is_abbreviation(word: str) -> bool:
    """Whether a word is a name's that spaCy knows with its dot ("Mr.", "Dr."): no sentence ends there."""
    from spacy.lang.en import TOKENIZER_EXCEPTIONS

    return word[0].isupper() and word.endswith(".") and word in TOKENIZER_EXCEPTIONS


def plan_scenes(
    prompt: str | SceneGraph, frames: int, layout: Layout | None, options: LongOptions, hints: Hints | None = None
) -> list[Scene]:
    """The scenes of a request, which share its length. Raises UsageError where they cannot."""
    from mov_ai.long_video.running import Scene

    if options.scenes is None:
        return [Scene(prompt, frames, None if layout is None else layout.resampled(frames), hints)]
    if not isinstance(prompt, str):
        raise UsageError("--scenes: expected a text of several sentences, not a graph, which is one scene")
    if layout is not None:
        raise UsageError("--scenes: a layout is of one scene; leave out --layout")
    listed = sentences(prompt)
    if not options.has_frames and options.seconds is None:
        return [Scene(sentence, frames) for sentence in listed]
    if frames < len(listed):
        raise UsageError(f"--scenes: {frames} frames are too few for {len(listed)} scenes; give more seconds")
    ends = [round(frames * (number + 1) / len(listed)) for number in range(len(listed))]
    return [Scene(sentence, end - start) for sentence, start, end in zip(listed, [0, *ends], ends, strict=False)]


def _spelled_out(scenes: Sequence[Scene], pipe: MovAIPipeline) -> list[Scene]:
    """Scenes whose sentences stand by themselves, and says so where one was changed for that."""
    from mov_ai.parser.references import spell_out

    listed = [scene.prompt for scene in scenes if isinstance(scene.prompt, str)]
    with warnings.catch_warnings():
        # Each sentence's own warnings come when its scene is made.
        warnings.simplefilter("ignore", UserWarning)
        spelled = spell_out(listed, pipe.parser.explain)
    for number, (said, read) in enumerate(zip(listed, spelled, strict=True), start=1):
        if read != said:
            say(f"scene {number}: read as {read!r}")
    return [replace(scene, prompt=read) for scene, read in zip(scenes, spelled, strict=True)]


@dataclass(frozen=True)
class LongWork:
    """A checked request for a long video, but for its seed and folder.

    Attributes:
        pipe: makes it.
        scenes, settings, pictures, beginning: as `mov_ai.long_video.running.LongRun` has them.
        extend: what the beginning was read from.
        smooth: how often three frames are put between each two.
        most: frames that are written of the video; None for all.
        boxes: whether boxes are drawn on the sheet.
    """

    pipe: MovAIPipeline
    scenes: list[Scene]
    settings: LongSettings
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    beginning: Beginning | None = None
    extend: Path | None = None
    smooth: int = 0
    most: int | None = None
    boxes: bool = False

    def request(self, seed: int) -> dict[str, Any]:
        """JSON values that decide every bit of the video."""
        from mov_ai import __version__
        from mov_ai.long_video.beginning import video_of
        from mov_ai.pipeline_files import pipeline_folder

        checkpoint = self.pipe.checkpoint
        files = [] if checkpoint is None else sorted(pipeline_folder(checkpoint).rglob("*.*"))
        about = asdict(replace(self.settings, seed=seed, shape=replace(self.settings.shape, frames=1)))
        source = None if self.extend is None else video_of(self.extend)
        value = {
            "version": __version__,
            "checkpoint": checkpoint,
            "weights": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files if path.is_file()],
            "device": str(self.pipe.device),
            "dtype": self.pipe.dtype,
            **about,
            "scenes": [
                [
                    scene.prompt if isinstance(scene.prompt, str) else scene.prompt.to_dict(),
                    scene.frames,
                    None if scene.layout is None else scene.layout.to_dict(),
                ]
                for scene in self.scenes
            ],
            "pictures": {
                str(number): hashlib.sha256(picture.tobytes()).hexdigest() for number, picture in self.pictures.items()
            },
            "hints": [{} if scene.hints is None else scene.hints.to_dict() for scene in self.scenes],
            "smooth": self.smooth,
            "most": self.most,
            "extend": None if source is None else [str(source), source.stat().st_size, source.stat().st_mtime_ns],
        }
        # As it comes back from its file.
        return json.loads(json.dumps(value))  # type: ignore[no-any-return]

    @property
    def longest_window(self) -> int:
        """Frames that are in memory at a time."""
        return min(max(scene.frames for scene in self.scenes), self.settings.window or self.pipe.shape.frames)

    def folders(self, free: Sequence[Path], seed: int, caption: str | None) -> list[Path]:
        """Where to write: the folder of an unfinished run of the same request, or those that were found to be free.

        Args:
            free: a folder for each video.
            seed: of the first.
            caption: by which an unfinished run is looked for in the default place; None to look in `free` only.

        Raises:
            UsageError: if a folder holds an unfinished run of another request.
        """
        from mov_ai.cli.claims import is_claimed
        from mov_ai.cli.outputs import numbered, slug
        from mov_ai.long_video.saving import UnfinishedRun

        if caption is None:
            for number, folder in enumerate(free):
                found = UnfinishedRun.request_in(folder)
                if found is not None and found != self.request(seed + number):
                    refuse_unfinished([folder])
            return list(free)
        for place in numbered(f"{slug(caption)}-{seed}"):
            if not place.exists():
                break
            if UnfinishedRun.request_in(place) == self.request(seed) and not is_claimed(place):
                return [place]
        return list(free)

    def make(self, seed: int, folder: Path, progress: FrameProgress) -> VideoResult:
        """Make what is missing of the video, and write its folder."""
        from mov_ai.long_video.finishing import save_run
        from mov_ai.long_video.running import LongRun
        from mov_ai.long_video.saving import UnfinishedRun

        store = UnfinishedRun(folder, self.request(seed))
        before = store.progress()
        if before.window or before.scene:
            say(f"{folder}: goes on from scene {before.scene + 1}, window {before.window + 1}, which is not done yet")
        settings = replace(self.settings, seed=seed)
        between = None
        if self.smooth:
            from mov_ai.smoothing import Smoother

            between = Smoother(self.pipe.cascade.codec, self.pipe.interpolation_network(), self.smooth, seed)
        run = LongRun(self.pipe, self.scenes, settings, store, self.beginning, self.pictures, between, self.most)
        try:
            made = run.make(lambda *_: None, progress.report_frames)
            return save_run(run, made, folder, self.boxes)
        except KeyboardInterrupt:
            if store.folder.is_dir():
                say(f"what is done is kept in {store.folder}; the same command goes on from there")
            raise


def refuse_unfinished(folders: Sequence[Path]) -> None:
    """Raises UsageError if one of them holds an unfinished run."""
    from mov_ai.long_video.saving import UNFINISHED, UnfinishedRun

    for folder in folders:
        if UnfinishedRun.request_in(folder) is not None:
            raise UsageError(
                f"--out: {folder}: holds an unfinished run of another request, or of other weights; give the command "
                f"that began it, or remove {folder / UNFINISHED}"
            )


def _smooth_for_rate(pipe: MovAIPipeline, options: LongOptions, fps: float) -> int:
    """How often a video is made smoother to have the rate that is asked for: far above the one that the networks know,
    their frames would hardly move. Says so where there is no network for it.
    """
    from mov_ai.smoothing import times_for

    # What goes on from a video has its frames.
    if not options.has_rate or options.extend is not None:
        return 0
    times = times_for(fps, pipe.shape.fps)
    if times:
        try:
            pipe.interpolation_network()
        except UsageError as error:
            say(f"warning: --fps: the networks know {pipe.shape.fps:g} frames a second, and make {fps:g}; {error}")
            return 0
    return times


def _check_smooth(options: LongOptions, scenes: Sequence[int], before: int, fps: float) -> None:
    """Raises UsageError where frames have no others without a cut between them, or would follow too fast.

    Args:
        scenes: frames of each. before: frames that the first goes on from.
    """
    from mov_ai.smoothing import check_smooth

    frames = [before + scenes[0], *scenes[1:]]
    joined = [sum(frames)] if options.scenes is Scenes.continuous else frames
    if len(joined) > 1 and min(joined) < 2:
        number = joined.index(min(joined)) + 1
        raise UsageError(
            f"--smooth: scene {number} has one frame, and frames are put between two of a scene: give more --seconds "
            "or --frames, fewer sentences, or --scenes continuous"
        )
    check_smooth(options.smooth or 0, min(joined), fps)


def plan_work(
    pipe: MovAIPipeline,
    prompt: str | SceneGraph,
    layout: Layout | None,
    shape: VideoShape,
    settings: LongSettings,
    options: LongOptions,
    boxes: bool,
    hints: Hints | None = None,
) -> LongWork:
    """Everything that can be refused is refused here, before a network works and anything is written.

    Args:
        shape: frames, rate and size that are asked for.
        settings: of the request, whose shape and windows are still open.

    Raises:
        UsageError: for what is wrong with the request.
    """
    from mov_ai.long_video.beginning import open_beginning, rate_of
    from mov_ai.long_video.windows import OVERLAP, plan_windows
    from mov_ai.smoothing import frames_before, smooth_fps

    longest = pipe.shape.frames
    window = longest if options.window is None else options.window
    if not 2 <= window <= longest:
        raise UsageError(f"--window: expected 2 to {longest} frames, as the networks were trained for; found {window}")
    overlap = min(OVERLAP, window - 1) if options.overlap is None else options.overlap
    if options.extend is not None and not options.has_rate:
        rate = rate_of(options.extend)
        if abs(rate - pipe.shape.fps) > 0.01 * pipe.shape.fps:
            say(
                f"warning: {options.extend}: has {rate:g} frames a second, and so has what follows; the networks know "
                f"{pipe.shape.fps:g}"
            )
        shape = replace(shape, fps=rate)
    frames = options.frames(shape)
    smooth, most = options.smooth, None
    if smooth is None:
        smooth = _smooth_for_rate(pipe, options, shape.fps)
        if smooth:
            stretches = len(sentences(prompt)) if options.scenes is Scenes.cuts and isinstance(prompt, str) else 1
            frames, most = frames_before(frames, smooth, stretches), frames
            shape = replace(shape, fps=shape.fps / smooth_fps(1, smooth))
    elif smooth:
        pipe.interpolation_network()
    plan_windows(frames, window, overlap)
    guidance = pipe.guidance(settings.guidance_text, settings.guidance_graph, settings.guidance_interval)
    # Sides as the stages have them.
    request = pipe.check(
        settings.seed,
        None,
        replace(shape, frames=min(frames, longest)),
        settings.steps,
        guidance,
        settings.stages,
        None,
        None,
        settings.quality,
    )
    made = replace(request.shape, frames=frames)
    beginning = None
    if options.extend is not None:
        cells = {stage.size: pipe.latent_shape(stage, 1)[2:] for stage in pipe.stages_to_run(request)}
        beginning, said = open_beginning(options.extend, made, overlap, cells)
        for line in said:
            say(f"warning: {line}")
    pictures = read_pictures(options.images, frames, made)
    if frames - 1 in pictures:
        # The last of the frames that others are put between, and so the video's.
        most = None
    scenes = plan_scenes(prompt, frames, layout, options, hints)
    if options.scenes is not None:
        scenes = _spelled_out(scenes, pipe)
    if smooth:
        before = 0 if beginning is None else beginning.count
        _check_smooth(replace(options, smooth=smooth), [scene.frames for scene in scenes], before, made.fps)
    settings = replace(
        settings,
        shape=shape,
        overlap=overlap,
        window=window,
        continuous=options.scenes is Scenes.continuous,
    )
    return LongWork(pipe, scenes, settings, pictures, beginning, options.extend, smooth, most, boxes)
