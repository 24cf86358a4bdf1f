"""A pipeline's folder: a folder for each network, and pipeline.json, which says how they belong together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.errors import UsageError, shown
from mov_ai.graph.files import read_json, staged_folder, write_json
from mov_ai.graph.schema import is_word
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.models.cascade import CASCADE_FILE, Cascade, CascadeConfig, check_as_trained
from mov_ai.models.codec import AnyCodec
from mov_ai.models.codec_registry import NAMES, load_codec, save_codec
from mov_ai.models.component import config_from_dict, load_component, save_component
from mov_ai.models.interpolation import InterpolationConfig, InterpolationNetwork
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.presets import preset_names
from mov_ai.models.registry import channels_last, load_denoiser, save_denoiser
from mov_ai.plugins import World, load_world

if TYPE_CHECKING:
    from mov_ai.parser.parser import SceneGraphParser

PIPELINE_FILE = "pipeline.json"
#: The folder of the network that only `--smooth` and `mov-ai interpolate` read.
INTERPOLATION = "interpolation"
#: 2: labels are vectors, sizes are values, a world is named; 1 is refused.
SCHEMA = 2
ASSETS = Path(__file__).resolve().parent / "assets"


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


def read_pipeline_file(folder: Path) -> dict[str, Any]:
    """What pipeline.json of a folder says. Raises UsageError if it is of another schema."""
    source = folder / PIPELINE_FILE
    about = read_json(str(source))
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema == 1 and not isinstance(schema, bool):
        raise UsageError(
            f"{source}: schema 1, of the first version of mov_ai, whose networks knew the words of one world by "
            "number; this version reads words as vectors: train the networks again and `mov-ai assemble` them"
        )
    if not isinstance(about, dict) or type(schema) is not int or schema != SCHEMA:
        raise UsageError(f"{source}: schema: expected {SCHEMA}, found {shown(schema)}; save the pipeline again")
    return about


def own_guidance(name: str) -> tuple[float, float]:
    """Strengths by text and by graph of a pipeline where none are asked for; its networks are not loaded.

    `name`: of an embedded pipeline, or a folder.
    """
    folder = pipeline_folder(name)
    about = read_pipeline_file(folder).get("cascade")
    own = config_from_dict(CascadeConfig, about, str(folder / PIPELINE_FILE)).own_guidance
    return own.text, own.graph


def load_parts(folder: Path) -> dict[str, Any]:
    """What a folder holds, as arguments of `MovAIPipeline`.

    Raises:
        UsageError: if a part is a pickle, of another schema or of another kind, or was trained on other noise than
            pipeline.json says; if its world is not installed.
        MovAIError: if weights are truncated or of another size.
    """
    about = read_pipeline_file(folder)
    source = str(folder / PIPELINE_FILE)
    config = config_from_dict(CascadeConfig, about.get("cascade"), source)
    try:
        world = load_world(about.get("world"))
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    shape = config_from_dict(VideoShape, about.get("shape"), source)
    name = about.get("name", folder.name)
    if not is_word(name) or not name.isprintable():
        raise UsageError(f"{source}: name: expected a word that can be printed; found {shown(name)}")
    names = config.names
    for part in names:
        _check_as_trained(config, folder / part, source)
    cascade = Cascade(
        config, _load_codec(folder, about.get("codec"), source), [load_denoiser(folder / part) for part in names]
    )
    planner = parser = None
    if (folder / "planner").is_dir():
        planner = load_component(LayoutPlanner, PlannerConfig, folder / "planner")
    if (folder / "parser").is_dir():
        from mov_ai.parser.parser import SceneGraphParser

        parser = SceneGraphParser.from_pretrained(folder / "parser")
    return {
        "cascade": cascade,
        "planner": planner,
        "parser": parser,
        "world": world,
        "coverage": LabelCoverage.load(folder / names[0]),
        "shape": shape,
        "name": name,
    }


def _check_as_trained(config: CascadeConfig, part: Path, source: str) -> None:
    """Raises UsageError if a cascade is to be sampled with other noise than a part's network was trained on, or with
    more guidance; a part that does not say goes unasked."""
    path = part / CASCADE_FILE
    if not path.is_file():
        return
    own = config_from_dict(CascadeConfig, read_json(path), str(path))
    refines = part.name == "refiner"
    names = ("shared_noise", "first", "low_noise") if refines else ("shared_noise", "first")
    check_as_trained(own, config, names, f"{source}: cascade", part.name)
    if config.guidance > own.guidance and not refines:
        raise UsageError(
            f"{source}: cascade: guidance: expected at most {own.guidance:g}, as the {part.name} was trained for; "
            f"found {config.guidance:g}"
        )


def load_interpolation(folder: Path) -> InterpolationNetwork:
    """The interpolation network of a pipeline's folder, which is there for those who ask for it.

    Raises:
        UsageError: if the folder has none, or another network. MovAIError: if weights are damaged.
    """
    place = folder / INTERPOLATION
    if not place.is_dir():
        raise UsageError(
            f"{folder}: has no interpolation network; train one (recipes/interpolation.sh) and copy its export to "
            f"{place}"
        )
    network = channels_last(load_component(InterpolationNetwork, InterpolationConfig, place))
    return network.requires_grad_(False)


def load_codec_and_interpolation(folder: Path) -> tuple[AnyCodec, InterpolationNetwork]:
    """The two parts of a pipeline's folder that make a video smoother; errors as of `load_parts`."""
    network = load_interpolation(folder)
    codec = _load_codec(folder, read_pipeline_file(folder).get("codec"), str(folder / PIPELINE_FILE))
    return codec.eval().requires_grad_(False), network


def _load_codec(folder: Path, name: Any, source: str) -> AnyCodec:
    """The codec that a pipeline names, or the one that its folder holds."""
    if name is None:
        return load_codec(folder / "codec")
    if not isinstance(name, str) or name not in NAMES:
        raise UsageError(f"{source}: codec: expected null or one of {', '.join(NAMES)}; found {shown(name)}")
    try:
        return load_codec(name)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def save_parts(
    directory: Path,
    cascade: Cascade,
    planner: LayoutPlanner | None,
    parser: SceneGraphParser | None,
    *,
    world: World | None,
    coverage: LabelCoverage | None,
    shape: VideoShape,
    name: str,
    interpolation: InterpolationNetwork | None = None,
) -> None:
    """Write what `load_parts` reads, all or nothing; parts that are None are left out.

    Raises:
        MovAIError: if it cannot be written.
    """
    config = cascade.config
    with staged_folder(directory) as folder:
        if cascade.codec.name is None:
            save_codec(cascade.codec, folder / "codec")
        for part, denoiser in zip(config.names, cascade.denoisers, strict=True):
            save_denoiser(denoiser, folder / part)
            # What is loaded was trained so, or was refused.
            write_json(folder / part / CASCADE_FILE, asdict(config))
            if coverage is not None:
                coverage.save(folder / part)
        if planner is not None:
            save_component(planner, folder / "planner")
        if parser is not None:
            parser.save_pretrained(folder / "parser")
        if interpolation is not None:
            save_component(interpolation, folder / INTERPOLATION)
        about = {
            "schema": SCHEMA,
            "name": name,
            "world": None if world is None else world.name,
            "shape": asdict(shape),
            "codec": cascade.codec.name,
            "cascade": asdict(config),
        }
        write_json(folder / PIPELINE_FILE, about)
