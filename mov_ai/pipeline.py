"""Text or graph in, video out: the one object under the command line and the Python API."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.diffusion.known import KnownFrames
from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import MovAIError, UsageError, shown
from mov_ai.graph import Interval, Layout, SceneGraph
from mov_ai.graph.hints import Hints
from mov_ai.graph.instances import drawn_entities
from mov_ai.graph.layout_report import LayoutReport
from mov_ai.graph.onsets import Onsets, timed
from mov_ai.graph.sketch import Sketch, sketched_instances, sketched_layout
from mov_ai.graph.video_shape import VideoShape
from mov_ai.hardware import choose_device, give_back_memory
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.labels.encoder import load_label_encoder
from mov_ai.labels.pretrained import PretrainedText
from mov_ai.memory import LIBRARIES, free_memory, generation_memory, smaller_videos
from mov_ai.models.cascade import Cascade, Stage, plan_stages, shrink
from mov_ai.models.codec import to_bytes, to_unit
from mov_ai.models.conditioning import Conditioning, collate, condition
from mov_ai.models.in_between import require_one_latent_a_frame
from mov_ai.models.interpolation import InterpolationNetwork
from mov_ai.models.planner import LayoutPlanner
from mov_ai.models.registry import channels_last, reads_graph, text_encoder_of
from mov_ai.parser.confidence import check_threshold
from mov_ai.pipeline_files import (
    ASSETS,
    INTERPOLATION,
    load_interpolation,
    load_parts,
    pipeline_folder,
    save_parts,
)
from mov_ai.plugins import World
from mov_ai.precision import Precision, choose_precision, computing_in, draft_stage, steps_of
from mov_ai.result import SavedLatents, VideoResult
from mov_ai.run_record import Clock, graph_warnings, run_record, size_warnings
from mov_ai.smoothing import Smoother, check_smooth

if TYPE_CHECKING:
    from mov_ai.parser.parser import SceneGraphParser

#: Called as `callback(part, done, total)`; parts are "parse", "plan", the sizes of the stages, and "decode".
ProgressCallback = Callable[[str, int, int], None]


def text_of(graph: SceneGraph) -> str:
    """The caption's words as the graph has them now: a node's span gives way to its label.

    So a graph edited from "red" to "blue" does not go on saying "red" through the text.
    """
    pieces, place = [], 0
    for node in sorted((n for n in graph.nodes if n.span and n.type != "scene"), key=lambda n: n.span or (0, 0)):
        start, end = node.span or (0, 0)
        if start >= place:
            pieces += [graph.caption[place:start], node.label]
            place = end
    return "".join(pieces) + graph.caption[place:]


@dataclass(frozen=True)
class Request:
    """What one call works with, checked.

    Attributes:
        seed: of the run.
        shape: of the video.
        stages: all stages up to the video's own size.
        cascade: with the steps of this run.
        guidance: strengths of the two guidances.
        precision: what the parts compute in.
    """

    seed: int
    shape: VideoShape
    stages: list[Stage]
    cascade: Cascade
    guidance: Guidance
    precision: Precision


@dataclass(frozen=True)
class Prepared:
    """What a video is made from.

    Attributes:
        request: checked.
        graph: completed. layout: of as many frames as the request's shape; None where there are no boxes.
        verdict: the world's on the layout, if there is one.
        messages: warnings so far.
        given: what run.json says of the request's hints.
    """

    request: Request
    graph: SceneGraph
    layout: Layout | None
    verdict: LayoutReport | None
    messages: list[str]
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MemoryNeed:
    """What a video needs, before it is made.

    Attributes:
        bytes: about so many, at most at one time.
        free: bytes that there are; None where nothing tells.
        smaller: two settings of `mov-ai generate` with which it fits, with what each needs.
        stage: the last one, by its longer side.
    """

    bytes: int
    free: int | None
    smaller: list[str]
    stage: int


class MovAIPipeline:
    """Parser, world, planner, denoiser cascade and codec, joined.

    Use `MovAIPipeline.from_pretrained("tiny")`. Calls are deterministic: the same input and seed give the same video
    bit for bit on one machine with one number of threads.

    Args:
        cascade: denoisers and codec.
        planner: None for a pipeline that leaves boxes out unless a layout is given.
        parser: None for the embedded one, loaded when it is first needed.
        world: completes graphs and judges layouts; None for neither.
        coverage: the labels that the denoiser was trained on; None if that is not known.
        shape: of a video where a call says nothing.
        name: in records and messages.
        device: auto, cpu, cuda or cuda:N.
        dtype: what the networks compute in, see `mov_ai.precision.choose_precision`.
    """

    def __init__(
        self,
        cascade: Cascade,
        planner: LayoutPlanner | None = None,
        parser: SceneGraphParser | None = None,
        world: World | None = None,
        coverage: LabelCoverage | None = None,
        shape: VideoShape | None = None,
        name: str = "custom",
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.device, self.dtype, self.name = choose_device(device), dtype, name
        choose_precision(dtype, self.device, cascade)
        self.cascade = cascade.to(self.device).eval().requires_grad_(False)
        channels_last(self.cascade)
        self.planner = None if planner is None else planner.eval().requires_grad_(False)
        last = cascade.config.last
        self.world, self.coverage, self.shape = world, coverage, shape or VideoShape(height=last, width=last)
        self.labels = load_label_encoder(cascade.denoiser(cascade.config.first_stage).config.labels)
        self._parser = parser
        self._text: PretrainedText | None = None
        #: The name or the folder that it was loaded from; None for one that was put together.
        self.checkpoint: str | None = None
        #: The network of `smooth`; None until it is needed, and if there is none.
        self.interpolation: InterpolationNetwork | None = None
        self._folder: Path | None = None

    @classmethod
    def from_pretrained(cls, name: str | Path = "tiny", device: str = "auto", dtype: str = "auto") -> MovAIPipeline:
        """Load a pipeline.

        Args:
            name: "tiny", the embedded one, or a folder written by `save_pretrained`.
            device: auto, cpu, cuda or cuda:N.
            dtype: auto, float32, bfloat16 or float16: see `mov_ai.precision.choose_precision`.

        Raises:
            UsageError: if there is no such pipeline, or it is a pickle or of another schema.
            MovAIError: if its files are truncated or of another size.
        """
        choose_device(device)
        folder = pipeline_folder(name)
        pipeline = cls(**load_parts(folder), device=device, dtype=dtype)
        pipeline._folder = folder
        # An embedded one has no place of its own that a run could name on another machine.
        pipeline.checkpoint = folder.name if folder.parent == ASSETS else str(folder.resolve())
        return pipeline

    def save_pretrained(self, directory: str | Path, parser: bool = True) -> None:
        """Write a folder that `from_pretrained` reads: a folder per network and pipeline.json.

        Args:
            directory: made if absent.
            parser: False leaves the parser out; what is loaded from the folder then has the embedded one.

        Raises:
            MovAIError: if it cannot be written; nothing half-written is left.
        """
        parts = (self.cascade, self.planner, self.parser if parser else None)
        has_interpolation = self._folder is not None and (self._folder / INTERPOLATION).is_dir()
        interpolation = self.interpolation_network() if has_interpolation else self.interpolation
        save_parts(
            Path(directory),
            *parts,
            world=self.world,
            coverage=self.coverage,
            shape=self.shape,
            name=self.name,
            interpolation=interpolation,
        )

    @property
    def text_encoder(self) -> PretrainedText | None:
        """The pretrained text encoder that the denoiser asks for, loaded when needed; None if it asks for none."""
        name = text_encoder_of(self.cascade.denoiser(self.cascade.config.first_stage).config)
        if name is not None and self._text is None:
            self._text = PretrainedText(name, self.device)
        return self._text

    @property
    def parser(self) -> SceneGraphParser:
        """The scene-graph parser, loaded when it is first needed: a graph given by hand needs none."""
        if self._parser is None:
            from mov_ai.parser.parser import SceneGraphParser

            self._parser = SceneGraphParser.from_pretrained()
        return self._parser

    def __call__(
        self,
        prompt: str | SceneGraph,
        *,
        seed: int = 0,
        layout: Layout | None = None,
        shape: VideoShape | None = None,
        steps: int | Sequence[int] | None = None,
        guidance_text: float | None = None,
        guidance_graph: float | None = None,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        quality: str = "default",
        stages: int | Sequence[int] | None = None,
        resume: SavedLatents | None = None,
        video: np.ndarray | None = None,
        threshold: float = 0.0,
        smooth: int = 0,
        hints: Hints | None = None,
        callback: ProgressCallback | None = None,
    ) -> VideoResult:
        """Make a video.

        Args:
            prompt: a sentence, or a scene graph.
            seed: 0 or more; decides the layout, what the prompt leaves open, and the noise.
            layout: box tracks for some or all entities; boxes not given are planned.
            shape: frames, frame rate and size of the video; None for the layout's, if it names one, or the pipeline's.
            steps: network evaluations of the first stage (later ones in proportion), or one number for each stage that
                the pipeline was trained for.
            guidance_text, guidance_graph: strengths of the two guidances; 1 is none, and with both 1 it is fastest; two
                of the same take one pass more for each step, others up to two. None for the pipeline's own. Refiners
                are not guided.
            guidance_interval: lowest and highest noise level at which there is guidance, on [0, 1].
            quality: "draft" (half of the steps, and without the last stage), "default" or "best" (twice the steps, in
                float32); what `steps`, `stages` and `dtype` say goes before it.
            stages: longer sides of all stages, ascending; or of the last one, before which come the trained ones that
                are smaller; None for the shape's own. A video that is smaller than a one-stage model's is shrunk to it.
            resume: saved latents; their stages are not computed again.
            video: uint8 (frames, h, w, 3), refined by the last stage alone instead of generating from noise.
            threshold: what the parser is less sure of is left out of a sentence's graph, 0 to 1.
            smooth: how often three frames are put between each two at the end, 0 to 2: 61 frames at 32 a second of 16
                at 8, or 241 at 128.
            hints: drawings of things, and a sound whose onsets events begin at.
            callback: see `ProgressCallback`.

        Raises:
            UsageError: if an argument is out of range, layout, hints and graph do not fit, or there is no network for
                `smooth`.
            MovAIError: if latents or frames are not finite.
        """
        clock, report = Clock(), callback or silent
        guidance = self.guidance(guidance_text, guidance_graph, guidance_interval)
        request = self.check(seed, layout, shape, steps, guidance, stages, resume, video, quality)
        check_smooth(smooth, request.shape.frames, request.shape.fps)
        smoother = Smoother(self.cascade.codec, self.interpolation_network(), smooth, seed) if smooth else None
        prepared = self.prepare(prompt, request, layout, threshold, clock, report, hints)
        graph, planned, verdict, messages = prepared.graph, prepared.layout, prepared.verdict, prepared.messages
        with clock.part("plan"):
            conditioning = self.encode(graph, planned, request.shape.frames)
        result = VideoResult(np.empty(0, np.uint8), {}, {}, graph, planned or Layout(request.shape.frames))
        result.fps = request.shape.fps
        begun = None if video is None else to_unit(torch.from_numpy(video))[None].to(self.device)
        previous: Tensor | None = None
        to_run = self.stages_to_run(request, resume, video)
        for stage, latents, previous in self.run_stages(
            request, to_run, conditioning, clock, report, previous=begun, resume=resume
        ):
            with clock.part("decode"):
                result.latents[stage.size] = latents.cpu()
                result.stages[stage.size] = to_bytes(previous)[0].cpu().numpy()
        last = request.stages[-1]
        if last.size not in result.stages and previous is not None:
            result.stages = {last.size: to_bytes(shrink(previous, last.height, last.width))[0].cpu().numpy()}
            messages.append(f"this pipeline begins at {to_run[0].size}; its video was shrunk to {last.size}")
        result.frames = result.stages[last.size]
        if smoother is not None:
            with clock.part("smooth"), computing_in(request.precision.decode, self.device):
                _make_smoother(result, smoother, report)
        distant = self.distant_labels(graph)
        messages += size_warnings(self.cascade.config, self.shape, request.shape, request.stages)
        messages += graph_warnings(graph, distant)
        more = {"smooth": smooth} if smooth else {}
        result.run = self.record(result, request, quality, distant, verdict, messages, clock, **more) | prepared.given
        give_back_memory()
        return result

    def record(
        self,
        result: VideoResult,
        request: Request,
        quality: str,
        distant: list[str],
        verdict: LayoutReport | None,
        messages: list[str],
        clock: Clock,
        **config: Any,
    ) -> dict[str, Any]:
        """The JSON values of run.json, see `run_record`; `config`: settings beside, or instead of, the request's."""
        guidance = request.guidance
        return run_record(
            result,
            seed=request.seed,
            pipeline=self.name,
            checkpoint=self.checkpoint,
            device=str(self.device),
            dtype=self.dtype,
            computed_in=asdict(request.precision),
            quality=quality,
            config={
                **asdict(request.cascade.config),
                "guidance_text": guidance.text,
                "guidance_graph": guidance.graph,
                "guidance_interval": [guidance.lowest, guidance.highest],
                "shape": asdict(request.shape),
                **config,
            },
            distant_labels=distant,
            verdict=verdict,
            messages=messages,
            clock=clock,
        )

    def needs(
        self,
        shape: VideoShape | None = None,
        stages: int | Sequence[int] | None = None,
        guidance_text: float | None = None,
        guidance_graph: float | None = None,
        quality: str = "default",
    ) -> MemoryNeed:
        """How much memory a call with these arguments needs; raises UsageError as the call."""
        guidance = self.guidance(guidance_text, guidance_graph)
        request = self.check(0, None, shape, None, guidance, stages, None, None, quality)
        sides = [(stage.height, stage.width) for stage in request.stages]
        passes = len(guidance.asked)
        frames, free = request.shape.frames, free_memory(self.device)
        needed = generation_memory(self.cascade, sides, frames, passes)
        # What is loaded is not asked for again.
        left = None if free is None else free + LIBRARIES
        return MemoryNeed(
            needed, left, smaller_videos(self.cascade, sides, frames, passes, left), request.stages[-1].size
        )

    def check_guidance(self, *strengths: float) -> None:
        """Raises UsageError for a strength of guidance that is out of the range that these weights allow."""
        most = self.cascade.config.guidance
        for value in strengths:
            if value != 1 and most == 1:
                raise UsageError(
                    f"guidance: expected 1, as nothing was left out when these weights were trained; found {value!r}"
                )
            if not np.isfinite(value) or not 0 <= value <= most:
                raise UsageError(f"guidance: expected a number from 0 to {most:g}; found {value!r}")

    # -- check ---------------------------------------------------------------------------------------------------

    def check(
        self,
        seed: int,
        layout: Layout | None,
        shape: VideoShape | None,
        steps: int | Sequence[int] | None,
        guidance: Guidance,
        stages: int | Sequence[int] | None,
        resume: SavedLatents | None,
        video: np.ndarray | None,
        quality: str,
    ) -> Request:
        """What a call with these arguments works with; raises UsageError as the call."""
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
            raise UsageError(f"seed: expected a whole number from 0 to {2**31 - 1}; found {seed!r}")
        steps = steps_of(self.cascade.config, quality, steps)
        if shape is None and layout is not None:
            shape = layout.shape
        if shape is None and resume is not None:
            shape = resume.layout.shape
        shape = shape or self.shape
        if layout is not None and layout.frames != shape.frames:
            raise UsageError(f"layout: expected {shape.frames} frames, as the video has; found {layout.frames}")
        if video is not None and (video.dtype != np.uint8 or video.ndim != 4 or video.shape[-1] != 3):
            raise UsageError(f"video: expected uint8 (frames, height, width, 3); found {video.dtype} {video.shape}")
        if video is not None and len(video) != shape.frames:
            raise UsageError(f"video: expected {shape.frames} frames, found {len(video)}")
        config = self.cascade.config
        multiple = self.cascade.side_multiple
        height, width = shape.height, shape.width
        if stages is None and resume is None and video is None:
            stages = draft_stage(config, quality, max(height, width))
        if isinstance(stages, int):
            if isinstance(stages, bool) or stages < multiple:
                raise UsageError(f"stages: expected a size from {multiple} up, or several, ascending; found {stages!r}")
            height, width = (round(side * stages / max(height, width)) for side in (height, width))
            stages = None
        planned = plan_stages(config, height, width, stages, multiple, self.cascade.codec.factor)
        last = planned[-1]
        shape = replace(shape, height=last.height, width=last.width)
        precision = choose_precision(self.dtype, self.device, self.cascade, quality)
        return Request(seed, shape, planned, self._with_steps(steps), guidance, precision)

    def guidance(
        self, text: float | None = None, graph: float | None = None, interval: tuple[float, float] = (0.0, 1.0)
    ) -> Guidance:
        """The two guidances of a call, the pipeline's own for None.

        Raises UsageError for a strength or a noise level that is out of range.
        """
        own = self.cascade.config.own_guidance
        text, graph = own.text if text is None else text, own.graph if graph is None else graph
        self.check_guidance(text, graph)
        lowest, highest = interval
        if not 0 <= lowest <= highest <= 1:
            raise UsageError(f"guidance_interval: expected two noise levels from 0 to 1, ascending; found {interval}")
        return Guidance(text, graph, lowest, highest)

    def _with_steps(self, steps: int | Sequence[int] | None) -> Cascade:
        """The cascade with other numbers of steps; it shares the networks."""
        if steps is None:
            return self.cascade
        default = self.cascade.config.steps
        if isinstance(steps, int):
            chosen = tuple(max(1, round(steps * d / default[0])) for d in default)
            chosen = (steps, *chosen[1:])
        else:
            chosen = tuple(steps)
        if len(chosen) != len(default) or any(not 1 <= s <= 1000 for s in chosen):
            raise UsageError(f"steps: expected 1 to 1000, once or for each of {len(default)} stages; found {steps!r}")
        config = replace(self.cascade.config, steps=chosen)
        return Cascade(config, self.cascade.codec, list(self.cascade.denoisers))  # type: ignore[arg-type]

    # -- parse, plan, encode -------------------------------------------------------------------------------------

    def prepare(
        self,
        prompt: str | SceneGraph,
        request: Request,
        layout: Layout | None = None,
        threshold: float = 0.0,
        clock: Clock | None = None,
        report: ProgressCallback | None = None,
        hints: Hints | None = None,
    ) -> Prepared:
        """Parse and plan: all that is decided before a network sees noise. Arguments and errors as of a call."""
        clock, report, hints = clock or Clock(), report or silent, hints or Hints()
        shape = request.shape
        with clock.part("parse"):
            report("parse", 0, 1)
            graph, messages = self.read(
                prompt, request.seed, threshold, onsets=hints.onsets, duration=shape.frames / shape.fps
            )
            report("parse", 1, 1)
        with clock.part("plan"):
            report("plan", 0, 1)
            if hints.sketches:
                layout = self._sketched(graph, request, layout, hints.sketches)
            planned, verdict = self._plan(graph, request, layout)
            report("plan", 1, 1)
        return Prepared(
            request, graph, planned, verdict, messages, hints.record(sketched_instances(graph, hints.sketches))
        )

    def read(
        self,
        prompt: str | SceneGraph,
        seed: int,
        threshold: float = 0.0,
        onsets: Onsets | None = None,
        duration: float | None = None,
    ) -> tuple[SceneGraph, list[str]]:
        """The completed graph of a prompt, with its events at the onsets if there are any, and warnings.

        Args:
            duration: seconds of the video. Others, and errors, as of a call.
        """
        graph, messages = self._parse(prompt, threshold)
        if onsets is not None:
            graph = timed(graph, onsets, duration)
        return (graph if self.world is None else self.world.complete(graph, seed)), messages

    def _parse(self, prompt: str | SceneGraph, threshold: float) -> tuple[SceneGraph, list[str]]:
        """The graph of a prompt, what the parser warned of, and which words it did not understand."""
        check_threshold(threshold)
        if isinstance(prompt, SceneGraph):
            prompt.validate()
            return prompt, []
        from mov_ai.parser.unread import unread_warning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            parse = self.parser.explain(prompt, threshold=threshold)
        messages = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
        unread = None if parse.foreign else unread_warning(parse.graph, parse.unread)
        return parse.graph, messages if unread is None else [*messages, unread]

    def _sketched(
        self, graph: SceneGraph, request: Request, layout: Layout | None, sketches: Sequence[Sketch]
    ) -> Layout:
        """Boxes and outlines that are known once things are drawn."""
        check_layout(graph, layout)
        planned = None if self.planner is None else self._plan(graph, request, layout)[0]
        grid = request.shape.frames if self.planner is None else self.planner.config.frames
        known = sketched_layout(graph, request.shape.frames, sketches, layout, planned, grid)
        if self.planner is None and not known.complete:
            raise UsageError(
                "--sketch: this pipeline has no planner to say how what is drawn moves; give its boxes with --layout"
            )
        return known

    def _plan(
        self, graph: SceneGraph, request: Request, layout: Layout | None
    ) -> tuple[Layout | None, LayoutReport | None]:
        """All boxes, and what the world says of them; None if there is no planner and no layout was given."""
        check_layout(graph, layout)
        if self.planner is None:
            if layout is not None and not layout.complete:
                raise UsageError(
                    "layout: this pipeline has no planner to fill in boxes that are null; give all of them"
                )
            return layout, None
        verifier = None if self.world is None else self.world.verify
        shape = request.shape
        planned, verdict = self.planner.plan(
            graph, request.seed, layout, frames=shape.frames, verifier=verifier, aspect=shape.aspect
        )
        planned.shape = shape
        # Through the file's own precision, so that a saved layout gives the same video bit for bit.
        return Layout.from_dict(planned.to_dict()), verdict

    def text_read(self, graph: SceneGraph) -> str:
        """What the denoiser reads of a graph's caption."""
        # A network that sees no graph gets the caption as it was typed: there is no edit that it could contradict.
        return (
            text_of(graph)
            if reads_graph(self.cascade.denoiser(self.cascade.config.first_stage).config)
            else (graph.caption)
        )

    def encode(
        self,
        graph: SceneGraph,
        layout: Layout | None,
        frames: int,
        text: str | None = None,
        spans: Mapping[str, Interval] | None = None,
    ) -> Conditioning:
        """What the denoiser is conditioned on.

        Args:
            graph, layout: of the video, or of a part of it.
            text: None for the graph's own.
            spans: of a part's events, see `mov_ai.graph.slices.GraphSlice`.
        """
        text = self.text_read(graph) if text is None else text
        features = None if self.text_encoder is None else self.text_encoder([text]).cpu()
        times = self.cascade.codec.latent_times(frames)
        graph = graph if self.coverage is None else self.coverage.trained_part(graph)
        return condition(replace(graph, caption=text), layout, self.labels, frames, features, times, spans)

    # -- denoise and refine --------------------------------------------------------------------------------------

    def stages_to_run(
        self, request: Request, resume: SavedLatents | None = None, video: np.ndarray | None = None
    ) -> list[Stage]:
        """Those that are left to do: a given video starts at the last, saved latents at the largest that is saved."""
        stages, first = request.stages, self.cascade.config.first
        if video is not None:
            return stages[-1:]
        if resume is not None:
            # Stages before the first saved one are not needed by any other.
            return [stage for stage in stages if stage.size >= min(resume.latents)] or stages[-1:]
        last = stages[-1]
        if last.size < first:
            multiple = self.cascade.side_multiple
            sides = (
                max(multiple, round(side * first / last.size / multiple) * multiple)
                for side in (last.height, last.width)
            )
            return [Stage(self.cascade.config.first_stage, *sides)]
        return stages

    def run_stages(
        self,
        request: Request,
        stages: Sequence[Stage],
        conditioning: Conditioning,
        clock: Clock,
        report: ProgressCallback,
        *,
        previous: Tensor | None = None,
        resume: SavedLatents | None = None,
        known: Mapping[int, KnownFrames | None] | None = None,
        start: int = 0,
    ) -> Iterator[tuple[Stage, Tensor, Tensor]]:
        """Make stages one after the other, each from the video of the one before.

        Args:
            request: of all frames that are made together.
            stages: see `stages_to_run`.
            clock: told the seconds of each part. report: told each step.
            previous: (1, frames, 3, h, w) in [-1, 1] that the first of them starts from; None to start from noise.
            resume: saved latents; their stages are not computed again.
            known: latent frames that are given, by the stage's longer side.
            start: number of the first frame in the whole video: it decides the noise.

        Yields:
            A stage, its latents, and its video (1, frames, 3, height, width) in [-1, 1], on the pipeline's device.

        Raises:
            UsageError: if saved latents do not fit. MovAIError: if latents or frames are not finite.
        """
        for number, stage in enumerate(stages):
            refines = request.cascade.denoiser(stage.index).refines
            name = request.precision.refine if refines else request.precision.denoise
            given = None if known is None else known.get(stage.size)
            with clock.part(str(stage.size)), computing_in(name, self.device):
                latents = self._make_stage(stage, request, conditioning, previous, resume, given, start, report)
            require_finite(latents, f"stage {stage.size}: latents", name)
            with clock.part("decode"):
                report("decode", number, len(stages))
                with computing_in(request.precision.decode, self.device):
                    previous = request.cascade.decode(latents, request.shape.frames)
                require_finite(previous, f"stage {stage.size}: frames", request.precision.decode)
            yield stage, latents, previous

    def _make_stage(
        self,
        stage: Stage,
        request: Request,
        conditioning: Conditioning,
        previous: Tensor | None,
        resume: SavedLatents | None,
        known: KnownFrames | None,
        start: int,
        report: ProgressCallback,
    ) -> Tensor:
        """Latents of one stage, from noise, from the stage before, or as they were saved."""
        frames = request.shape.frames
        if resume is not None and stage.size in resume.latents:
            latents = resume.latents[stage.size]
            expected = self.latent_shape(stage, frames)
            if tuple(latents.shape) != expected:
                raise UsageError(f"latents: expected {expected} at stage {stage.size}; found {tuple(latents.shape)}")
            return latents.to(self.device)
        return request.cascade.run_stage(
            stage.index,
            collate([conditioning]).to(self.device),
            [request.seed],
            request.guidance,
            previous,
            lambda at, step, total: report(str(at), step, total),
            frames,
            (stage.height, stage.width),
            known,
            start,
        )

    def latent_shape(self, stage: Stage, frames: int) -> tuple[int, int, int, int, int]:
        """(1, latent frames, channels, h, w) of a stage's latents."""
        codec = self.cascade.codec
        cells = stage.height // codec.factor, stage.width // codec.factor
        return 1, codec.latent_frames(frames), codec.config.latent_channels, *cells

    def interpolation_network(self) -> InterpolationNetwork:
        """The network of `smooth`, loaded when it is first needed. Raises UsageError if there is none."""
        if self.interpolation is None:
            if self._folder is None:
                raise UsageError(
                    "smooth: this pipeline has no interpolation network; load one that has, such as 'tiny'"
                )
            self.interpolation = load_interpolation(self._folder).to(self.device)
        require_one_latent_a_frame(self.cascade.codec)
        return self.interpolation

    def distant_labels(self, graph: SceneGraph) -> list[str]:
        """Labels of a graph that are far from all that the denoiser was trained on, in graph order."""
        return [] if self.coverage is None else self.coverage.distant(graph, self.labels)


def check_layout(graph: SceneGraph, layout: Layout | None) -> None:
    """Raises UsageError if a layout has tracks of what the graph does not draw."""
    drawn = drawn_entities(graph)
    for i, track in enumerate(layout.tracks if layout is not None else []):
        if (track.entity, track.instance) not in drawn:
            names = ", ".join(f"{entity}/{instance}" for entity, instance in drawn) or "none"
            track_name = f"{shown(track.entity)} (instance {shown(track.instance)})"
            raise UsageError(
                f"layout: tracks[{i}]: expected an entity instance of the graph ({names}); found {track_name}"
            )


def _make_smoother(result: VideoResult, smoother: Smoother, report: ProgressCallback) -> None:
    """Put frames between those of the last stage that was made."""
    latents = result.latents[max(result.latents)]
    height, width = result.frames.shape[1:3]
    count, made = smoother.frames_after(latents.shape[1]), []
    for piece in smoother(latents.unbind(1), result.fps):
        if piece.shape[1:3] != (height, width):
            # The last stage was shrunk to what was asked for.
            piece = to_bytes(shrink(to_unit(piece)[None], height, width))[0]
        made.append(piece.numpy())
        report("smooth", sum(map(len, made)), count)
    result.frames = np.concatenate(made)
    result.keyframe_fps, result.fps = result.fps, smoother.fps_after(result.fps)


def require_finite(values: Tensor, what: str, dtype: str) -> None:
    """Raises MovAIError rather than make a black video of numbers that are none."""
    if not values.isfinite().all():
        remedy = "train or fetch the checkpoint again" if dtype == "float32" else "try dtype float32"
        raise MovAIError(f"{what}: expected finite numbers, found NaN or infinity (computed in {dtype}); {remedy}")


def silent(part: str, done: int, total: int) -> None:
    """The default callback."""
