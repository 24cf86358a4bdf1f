"""From the runs that trained its networks to a pipeline's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json
from mov_ai.graph.video_shape import VideoShape
from mov_ai.labels.coverage import LabelCoverage
from mov_ai.models.cascade import CASCADE_FILE, Cascade, CascadeConfig, check_as_trained, plan_stages
from mov_ai.models.codec_registry import load_codec
from mov_ai.models.component import config_from_dict, load_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.models.registry import load_denoiser
from mov_ai.models.trained_on import TrainedOn
from mov_ai.pipeline import MovAIPipeline
from mov_ai.plugins import load_world


def assemble(
    codec: str | Path,
    denoiser: str | Path,
    out: str | Path,
    planner: str | Path | None = None,
    world: str | None = None,
    frames: int | None = None,
    refiner: str | Path | None = None,
) -> MovAIPipeline:
    """Join trained networks and write the folder that `MovAIPipeline.from_pretrained` reads.

    Args:
        codec, denoiser, planner: folders of exported networks, or of the runs that exported them; a codec also as
            `load_codec` takes it. How the denoiser's stages are sampled is what its export says.
        planner: None for a pipeline that leaves boxes out unless a layout is given.
        world: the installed world that completes graphs; None for the one that the denoiser was trained on, if it was
            one; "none" for none.
        frames: of a video where nothing is said; None for as many as the planner was trained for, or the denoiser.
        refiner: of the later stages; how all stages are sampled is then what its export says. None if there is none.
        out: a new or an empty folder.

    Returns:
        The pipeline, on the CPU.

    Raises:
        UsageError: if a folder holds no such network, the latents of codec and denoiser differ, the codec cannot make
            the denoiser's size, no world has that name, or `out` holds files.
        MovAIError: if weights are damaged, or `out` cannot be written; nothing half-written is left.
    """
    out = Path(out)
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"out: {out}: holds files; choose a new or an empty folder")
    codec_network = load_codec(_exported(codec))
    denoiser_folder = _exported(denoiser)
    network = load_denoiser(denoiser_folder)
    trained_on = TrainedOn.load(denoiser_folder) or TrainedOn(VideoShape())
    installed_world = load_world(None if world == "none" else world or trained_on.world)
    channels, expected = codec_network.config.latent_channels, network.config.latent_channels
    if channels != expected:
        raise UsageError(
            f"{denoiser_folder}: expected latents of {channels} channels, as {_exported(codec)} makes; found "
            f"{expected}: join it with the codec that it was trained with"
        )
    config = CascadeConfig()
    sampling = (denoiser_folder if refiner is None else _exported(refiner)) / CASCADE_FILE
    if sampling.is_file():
        config = config_from_dict(CascadeConfig, read_json(sampling), str(sampling))
    if refiner is None and config.first == config.last:
        # The only stage is the first network's, whatever was meant to follow.
        config = replace(config, networks="shared")
    expected_networks, given = ("shared", "one denoiser is") if refiner is None else ("refined", "a refiner is")
    if config.networks != expected_networks:
        raise UsageError(
            f"{sampling}: networks: expected {expected_networks!r}, as {given} given; found {config.networks!r}"
        )
    networks = [network]
    if refiner is not None:
        networks.append(load_denoiser(_exported(refiner)))
        config = _joined(config, denoiser_folder)
        trained_on = TrainedOn.load(_exported(refiner)) or trained_on
    try:
        cascade = Cascade(config, codec_network, networks)
    except ValueError as error:
        raise UsageError(f"{denoiser_folder}: {error}") from None
    layout_planner = None if planner is None else load_component(LayoutPlanner, PlannerConfig, _exported(planner))
    if frames is None:
        frames = trained_on.shape.frames if layout_planner is None else layout_planner.config.frames
    scale = config.last / max(trained_on.shape.height, trained_on.shape.width)
    height, width = (round(side * scale) for side in (trained_on.shape.height, trained_on.shape.width))
    # A size that the codec cannot make is said now, and not at the first video.
    plan_stages(config, height, width, None, cascade.side_multiple, codec_network.factor)
    pipeline = MovAIPipeline(
        cascade,
        layout_planner,
        world=installed_world,
        coverage=LabelCoverage.load(denoiser_folder),
        shape=VideoShape(frames, trained_on.shape.fps, height, width),
        name=out.name,
    )
    pipeline.save_pretrained(out, parser=False)
    return pipeline


def _joined(config: CascadeConfig, denoiser: Path) -> CascadeConfig:
    """The cascade that a refiner's export describes, as far as its first stage's network allows.

    Raises:
        UsageError: if the denoiser was trained for another first stage or on other noise.
    """
    path = denoiser / CASCADE_FILE
    if not path.is_file():
        return config
    own = config_from_dict(CascadeConfig, read_json(path), str(path))
    check_as_trained(config, own, ("shared_noise", "first"), str(path), "refiner")
    # Only the first stage's network is guided.
    guidance = min(config.guidance, own.guidance)
    return replace(config, guidance=guidance, default_guidance=own.default_guidance)


def _exported(folder: str | Path) -> Path:
    """A network's own folder; of a run, the one that it exported to."""
    return Path(folder) / "export" if (Path(folder) / "export").is_dir() else Path(folder)
