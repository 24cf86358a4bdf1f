"""Text or graph in, video out: the one object under the command line and the Python API."""

from __future__ import annotations

import contextlib
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mov_ai.data.video import encode_video
from mov_ai.diffusion.sampling import Guidance
from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.files import read_json, staged_folder, write_bytes, write_json
from mov_ai.models.cascade import Cascade, CascadeConfig, shrink
from mov_ai.models.codec import CodecConfig, VideoCodec, to_bytes, to_unit
from mov_ai.models.component import config_from_dict, load_component, save_component
from mov_ai.models.conditioning import (
    Appearance,
    PretrainedText,
    collate,
    complete_appearance,
    condition,
    drawn_entities,
    ignored_words,
    node_concept,
    said_appearance,
)
from mov_ai.models.denoiser import STAGES
from mov_ai.models.layout_rules import score
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.presets import preset_names
from mov_ai.models.registry import channels_last, load_denoiser, reads_graph, text_encoder_of

if TYPE_CHECKING:
    import PIL.Image

    from mov_ai.parser.parser import SceneGraphParser

FRAMES, FPS = 16, 8.0
PIPELINE_FILE = "pipeline.json"
SCHEMA = 1
ASSETS = Path(__file__).resolve().parent / "assets"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: Called as `callback(part, done, total)`; parts are "parse", "plan", "128", "256", "512" and "decode".
ProgressCallback = Callable[[str, int, int], None]


@dataclass
class VideoResult:
    """One generated video and everything on the way to it.

    Attributes:
        frames: uint8 (16, size, size, 3), the last stage.
        stages: every stage's frames, by size; of a pipeline without the stage asked for, the smaller copy.
        latents: every stage's latents, (1, 16, channels, size / 8, size / 8), by size.
        graph, layout: what it was made from.
        run: seed, config, versions, timings, warnings; JSON values.
    """

    frames: np.ndarray
    stages: dict[int, np.ndarray]
    latents: dict[int, Tensor]
    graph: SceneGraph
    layout: Layout
    run: dict[str, Any] = field(default_factory=dict)

    def sheet(self, size: int = 192, boxes: bool = False) -> PIL.Image.Image:
        """Frames side by side in rows of eight, each `size` pixels wide, with the layout's boxes if asked for."""
        import PIL.Image
        import PIL.ImageDraw

        frames = len(self.frames)
        rows = -(-frames // 8)
        sheet = PIL.Image.new("RGB", (min(8, frames) * size, rows * size))
        for f, frame in enumerate(self.frames):
            picture = PIL.Image.fromarray(frame).resize((size, size), PIL.Image.Resampling.LANCZOS)
            if boxes:
                draw = PIL.ImageDraw.Draw(picture)
                for track in self.layout.tracks:
                    x, y, w, h, _, visible = track.boxes[f] * [size, size, size, size, 1, 1]
                    if visible > 0:
                        draw.rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2), outline=(255, 0, 90))
                        draw.text((x - w / 2, y - h / 2 - 11), track.label or track.entity, fill=(255, 0, 90))
            sheet.paste(picture, (f % 8 * size, f // 8 * size))
        return sheet

    def save(self, directory: str | Path, boxes: bool = False, latents: bool = False) -> Path:
        """Write video.mp4, the earlier stages, graph.json, layout.json, sheet.png and run.json.

        Everything is written beside the folder first and moved into place at the end: a failure leaves nothing behind.
        Other files already in the folder stay.

        Args:
            directory: made if absent.
            boxes: draw the layout's boxes on the sheet.
            latents: write latents.safetensors too, to resume from.

        Raises:
            MovAIError: if it cannot be written.
        """
        directory = Path(directory)
        with staged_folder(directory) as folder:
            last = max(self.stages)
            for size, frames in self.stages.items():
                name = "video.mp4" if size == last else f"stages/{size}.mp4"
                write_bytes(folder / name, encode_video(frames, FPS))
            self.graph.save(folder / "graph.json")
            self.layout.save(folder / "layout.json")
            self.sheet(boxes=boxes).save(folder / "sheet.png")
            if latents:
                save_latents(folder / "latents.safetensors", self)
            write_json(folder / "run.json", self.run)
        return directory


# -- latents ---


def save_latents(path: Path, result: VideoResult) -> None:
    """Write every stage's latents as safetensors, with graph and layout, so that the file alone can be resumed from."""
    import json

    from safetensors.torch import save

    tensors = {f"stage_{size}": latents.contiguous() for size, latents in result.latents.items()}
    about = {
        "schema": str(SCHEMA),
        "seed": str(result.run.get("seed", 0)),
        "graph": result.graph.to_json(None),
        "layout": json.dumps(result.layout.to_dict()),
    }
    write_bytes(path, save(tensors, about))


@dataclass
class SavedLatents:
    """What `save_latents` wrote."""

    latents: dict[int, Tensor]
    graph: SceneGraph
    layout: Layout
    seed: int


def load_latents(path: str | Path) -> SavedLatents:
    """Read a latents file.

    Raises:
        UsageError: if it is no such file or of another schema. MovAIError: if it is truncated.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise UsageError(
            f"{path}: no such file; give a latents.safetensors that `mov-ai generate --save-latents` wrote"
        )
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise MovAIError(f"{path}: not a whole safetensors file ({error}); save the latents again") from None
    if about.get("schema") != str(SCHEMA):
        raise UsageError(f"{path}: expected latents of schema {SCHEMA}, found {about.get('schema')!r}; save them again")
    latents = {int(n.removeprefix("stage_")): t.float() for n, t in tensors.items() if n.startswith("stage_")}
    if not latents or any(size not in STAGES or not torch.isfinite(t).all() for size, t in latents.items()):
        raise UsageError(
            f"{path}: expected finite latents of stages {STAGES}, found {sorted(latents)}; save them again"
        )
    graph = SceneGraph.from_json(about.get("graph", ""), f"{path}: graph")
    return SavedLatents(
        latents, graph, Layout.from_json(about.get("layout", ""), f"{path}: layout"), int(about.get("seed", 0))
    )


# -- the pipeline ---


def pipeline_folder(name: str | Path) -> Path:
    """The folder of an embedded pipeline, or of a saved one. Raises UsageError if there is none."""
    folder = ASSETS / str(name) if str(name) in preset_names() else Path(name)
    if not (folder / PIPELINE_FILE).is_file():
        if str(name) in preset_names():
            raise UsageError(f"checkpoint: the preset {name!r} has no embedded weights; train it, then give its folder")
        if folder.suffix in (".pt", ".pth", ".bin", ".ckpt", ".pkl"):
            raise UsageError(f"checkpoint: {folder} looks like a pickle, and pickles are never loaded; give a folder")
        raise UsageError(f"checkpoint: {folder}: expected 'tiny' or a folder with {PIPELINE_FILE} in it")
    return folder


def choose_device(name: str) -> torch.device:
    """auto, cpu, cuda or cuda:N. Raises UsageError if the device is unknown or not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:N; found {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:N; found {name!r}")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"device: {name!r} was asked for, but PyTorch sees no such GPU here; use --device cpu or auto")
    return device


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


class MovAIPipeline:
    """Parser, planner, denoiser cascade and codec, joined.

    Use `MovAIPipeline.from_pretrained("tiny")`. Calls are deterministic: the same input and seed give the same video
    bit for bit on one machine.
    """

    def __init__(
        self,
        cascade: Cascade,
        planner: LayoutPlanner,
        parser: SceneGraphParser | None = None,
        name: str = "custom",
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise UsageError(f"dtype: expected one of {', '.join(DTYPES)}; found {dtype!r}")
        self.device, self.dtype, self.name = choose_device(device), dtype, name
        self.cascade = cascade.to(self.device).eval().requires_grad_(False)
        channels_last(self.cascade)
        self.planner = planner.eval().requires_grad_(False)
        self._parser = parser
        self._text: PretrainedText | None = None

    @classmethod
    def from_pretrained(cls, name: str | Path = "tiny", device: str = "auto", dtype: str = "float32") -> MovAIPipeline:
        """Load a pipeline.

        Args:
            name: "tiny", the embedded one, or a folder written by `save_pretrained`.
            device: auto, cpu, cuda or cuda:N.
            dtype: float32, bfloat16 or float16: what the denoiser computes in.

        Raises:
            UsageError: if there is no such pipeline, or it is a pickle or of another schema.
            MovAIError: if its files are truncated or of another size.
        """
        folder = pipeline_folder(name)
        source = str(folder / PIPELINE_FILE)
        about = read_json(source)
        if not isinstance(about, dict) or about.get("schema") != SCHEMA:
            found = about.get("schema") if isinstance(about, dict) else about
            raise UsageError(f"{source}: schema: expected {SCHEMA}, found {found!r}; save the pipeline again")
        config = config_from_dict(CascadeConfig, about.get("cascade"), source)
        choose_device(device)
        names = ["denoiser"] if config.shared_network else [f"denoiser_{size}" for size in STAGES]
        cascade = Cascade(
            config,
            load_component(VideoCodec, CodecConfig, folder / "codec"),
            [load_denoiser(folder / part) for part in names],
        )
        planner = load_component(LayoutPlanner, PlannerConfig, folder / "planner")
        parser = None
        if (folder / "parser").is_dir():
            from mov_ai.parser.parser import SceneGraphParser

            parser = SceneGraphParser.from_pretrained(folder / "parser")
        return cls(cascade, planner, parser, str(about.get("name", folder.name)), device, dtype)

    def save_pretrained(self, directory: str | Path, parser: bool = True) -> None:
        """Write a folder that `from_pretrained` reads: a folder per network and pipeline.json.

        Args:
            directory: made if absent.
            parser: False leaves the parser out; what is loaded from the folder then has the embedded one.

        Raises:
            MovAIError: if it cannot be written; nothing half-written is left.
        """
        with staged_folder(Path(directory)) as folder:
            save_component(self.cascade.codec, folder / "codec")
            shared = self.cascade.config.shared_network
            for stage, denoiser in enumerate(self.cascade.denoisers):
                save_component(denoiser, folder / ("denoiser" if shared else f"denoiser_{STAGES[stage]}"))
            save_component(self.planner, folder / "planner")
            if parser:
                self.parser.save_pretrained(folder / "parser")
            about = {"schema": SCHEMA, "name": self.name, "cascade": asdict(self.cascade.config)}
            write_json(folder / PIPELINE_FILE, about)

    @property
    def text_encoder(self) -> PretrainedText | None:
        """The pretrained text encoder that the denoiser asks for, loaded when needed; None if it asks for none."""
        name = text_encoder_of(self.cascade.denoiser(0).config)
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
        steps: int | Sequence[int] | None = None,
        guidance_text: float = 1.0,
        guidance_graph: float = 1.0,
        stages: int | None = None,
        resume: SavedLatents | None = None,
        video: np.ndarray | None = None,
        callback: ProgressCallback | None = None,
    ) -> VideoResult:
        """Make a video.

        Args:
            prompt: a sentence, or a scene graph.
            seed: 0 or more; decides the layout, what the prompt leaves open, and the noise.
            layout: box tracks for some or all entities; boxes not given are planned.
            steps: network evaluations of the first stage (later ones in proportion), or one number for each stage.
            guidance_text, guidance_graph: strengths of the two guidances; 1 is none, and fastest.
            stages: size of the last stage: 128, 256 or 512; None for the last that the pipeline was trained for. Of one
                that begins later, as a one-stage model does, the video is shrunk to it.
            resume: saved latents; their stages are not computed again.
            video: uint8 (16, h, w, 3), refined by the stage `stages` alone instead of generating from noise.
            callback: see `ProgressCallback`.

        Raises:
            UsageError: if an argument is out of range or layout and graph do not fit.
        """
        clock, report = _Clock(), callback or _silent
        stages = self.cascade.config.last if stages is None else stages
        self._check(seed, stages, guidance_text, guidance_graph)
        cascade = self._with_steps(steps)
        caught: list[str] = []
        with clock.part("parse"):
            report("parse", 0, 1)
            if isinstance(prompt, SceneGraph):
                prompt.validate()
                graph = prompt
            else:
                with warnings.catch_warnings(record=True) as found:
                    warnings.simplefilter("always", UserWarning)
                    graph = self.parser(prompt)
                caught = [str(w.message) for w in found if issubclass(w.category, UserWarning)]
            report("parse", 1, 1)
        with clock.part("plan"):
            report("plan", 0, 1)
            check_layout(graph, layout)
            # Through the file's own precision, so that a saved layout gives the same video bit for bit.
            planned = Layout.from_dict(self.planner.plan(graph, seed, layout).to_dict())
            appearance = complete_appearance(graph, seed)
            # A network that sees no graph gets the caption as it was typed: there is no edit that it could contradict.
            text = text_of(graph) if reads_graph(self.cascade.denoiser(0).config) else graph.caption
            given = condition(replace(graph, caption=text), planned, appearance, FRAMES)
            if self.text_encoder is not None:
                given.text_features = self.text_encoder([text]).cpu()
            report("plan", 1, 1)
        result = VideoResult(np.empty(0, np.uint8), {}, {}, graph, planned)
        previous = None if video is None else self._given_video(video)
        begin = cascade.config.first_stage
        last = max(STAGES.index(stages), begin)
        first = last if video is not None else begin
        if resume is not None:
            # Stages before the first saved one are not needed by any other.
            first = min(STAGES.index(min(resume.latents)), last)
        for stage in range(first, last + 1):
            size = STAGES[stage]
            with clock.part(str(size)), self._precision():
                if resume is not None and size in resume.latents:
                    latents = self._fitting(resume.latents[size], size).to(self.device)
                else:
                    latents = cascade.run_stage(
                        stage,
                        collate([given]).to(self.device),
                        [seed],
                        Guidance(guidance_text, guidance_graph),
                        previous,
                        lambda at, step, total: report(str(at), step, total),
                    )
            with clock.part("decode"):
                report("decode", stage - first, last + 1 - first)
                previous = cascade.decode(latents)
                result.latents[size] = latents.cpu()
                result.stages[size] = to_bytes(previous)[0].cpu().numpy()
        if stages not in result.stages and previous is not None:
            result.stages = {stages: to_bytes(shrink(previous, stages))[0].cpu().numpy()}
            caught.append(f"this pipeline begins at {STAGES[begin]}; its video was shrunk to {stages}")
        result.frames = result.stages[stages]
        guidances = (guidance_text, guidance_graph)
        result.run = self._record(result, seed, cascade.config, guidances, appearance, caught, clock)
        return result

    def _check(self, seed: int, stages: int, *guidances: float) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
            raise UsageError(f"seed: expected a whole number from 0 to {2**31 - 1}; found {seed!r}")
        if stages not in STAGES:
            raise UsageError(f"stages: expected one of {', '.join(map(str, STAGES))}; found {stages!r}")
        if stages > self.cascade.config.last:
            raise UsageError(f"stages: {self.name} was trained up to {self.cascade.config.last}; found {stages}")
        for value in guidances:
            if not np.isfinite(value) or not 0 <= value <= 30:
                raise UsageError(f"guidance: expected a number from 0 to 30; found {value!r}")

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
        if len(chosen) != len(STAGES) or any(not 1 <= s <= 1000 for s in chosen):
            raise UsageError(f"steps: expected 1 to 1000, once or for each of {len(STAGES)} stages; found {steps!r}")
        config = replace(self.cascade.config, steps=chosen)
        return Cascade(config, self.cascade.codec, list(self.cascade.denoisers))  # type: ignore[arg-type]

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.dtype == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.dtype])

    def _given_video(self, video: np.ndarray) -> Tensor:
        if video.dtype != np.uint8 or video.ndim != 4 or len(video) != FRAMES or video.shape[-1] != 3:
            raise UsageError(f"video: expected uint8 ({FRAMES}, height, width, 3); found {video.dtype} {video.shape}")
        return to_unit(torch.from_numpy(video))[None].to(self.device)

    def _fitting(self, latents: Tensor, size: int) -> Tensor:
        channels = self.cascade.codec.config.latent_channels
        wanted = (1, FRAMES, channels, size // 8, size // 8)
        if tuple(latents.shape) != wanted:
            raise UsageError(f"latents: expected {wanted} at stage {size}; found {tuple(latents.shape)}")
        return latents

    def _record(
        self,
        result: VideoResult,
        seed: int,
        config: CascadeConfig,
        guidances: tuple[float, float],
        appearance: dict[str, Appearance],
        warned: list[str],
        clock: _Clock,
    ) -> dict[str, Any]:
        graph = result.graph
        assumed: dict[str, dict[str, str]] = {}
        for entity, look in appearance.items():
            said = said_appearance(graph, entity)
            assumed[entity] = {k: getattr(look, k) for k in ("color", "material") if not said.get(k)}
            if not node_concept(graph.node(entity)):
                assumed[entity]["shape"] = look.shape
        ignored = ignored_words(graph)
        if ignored:
            warned = [*warned, f"the embedded world does not know, and so ignores: {', '.join(ignored)}"]
        wanted = sum(min(n.count, 10_000) for n in graph.of_type("entity") if not n.negated)
        drawn = len(drawn_entities(graph))
        if wanted > drawn:
            warned = [*warned, f"{wanted} objects are asked for; the first {drawn} are shown"]
        if not drawn:
            warned = [*warned, "the graph names nothing that can be shown; the video shows the empty scene"]
        verdict = score(graph, result.layout)
        return {
            "prompt": graph.caption,
            "seed": seed,
            "pipeline": self.name,
            "device": str(self.device),
            "dtype": self.dtype,
            "config": {**asdict(config), "guidance_text": guidances[0], "guidance_graph": guidances[1]},
            "stages": sorted(result.stages),
            "fps": FPS,
            "ignored_words": ignored,
            "assumed": {entity: values for entity, values in assumed.items() if values},
            "layout_report": asdict(verdict),
            "warnings": warned,
            "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
            "versions": _versions(),
        }


def check_layout(graph: SceneGraph, layout: Layout | None) -> None:
    """Raises UsageError if a layout does not fit a graph or the number of frames."""
    if layout is None:
        return
    if layout.frames != FRAMES:
        raise UsageError(f"layout: expected {FRAMES} frames, as the video has; found {layout.frames}")
    drawn = drawn_entities(graph)
    for i, track in enumerate(layout.tracks):
        if (track.entity, track.instance) not in drawn:
            names = ", ".join(f"{entity}/{instance}" for entity, instance in drawn) or "none"
            found = f"{track.entity!r} (instance {track.instance})"
            raise UsageError(f"layout: tracks[{i}]: expected an entity instance of the graph ({names}); found {found}")


class _Clock:
    """Wall seconds per part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def _silent(part: str, done: int, total: int) -> None:
    """The default callback."""


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("mov_ai", "torch", "spacy", "torch-geometric", "diffusers"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
