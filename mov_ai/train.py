"""Train one network, or a sweep of them: `python -m mov_ai.train experiment=tiny/codec [overrides]`.

This file only connects: Hydra's configuration, an objective, the training loop.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_json
from mov_ai.training.sweep import job_folder

log = logging.getLogger(__name__)

_LEFT_TO_HYDRA = {
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--experimental-rerun"),
    *("--help", "-h", "--hydra-help", "--version", "--info", "-i", "--shell-completion", "-sc"),
}


def config_directory() -> Path:
    """The folder of `train.yaml`: `MOV_AI_CONF` if set, else `conf/` of the source checkout, else `./conf`.

    Raises:
        UsageError: if no such folder holds a `train.yaml`.
    """
    given = os.environ.get("MOV_AI_CONF")
    places = [Path(given)] if given else [Path(__file__).resolve().parents[1] / "conf", Path.cwd() / "conf"]
    for place in places:
        if (place / "train.yaml").is_file():
            return place.resolve()
    raise UsageError(
        f"no train.yaml in {' or '.join(str(place) for place in places)}; "
        "set MOV_AI_CONF to the conf folder of a mov_ai source checkout"
    )


def experiments(directory: Path) -> list[str]:
    """Names that `experiment=` takes, such as `tiny/codec`."""
    root = directory / "experiment"
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml"))


def chosen_experiment(*, _root_: DictConfig) -> str:
    """Resolver for the configuration: the name given as `experiment=`, "experiments" if a sweep goes over several."""
    # A job's configuration has no `hydra` part; a sweep's has, before there is a job.
    hydra_part = OmegaConf.select(_root_, "hydra")
    if hydra_part is None and HydraConfig.initialized():
        hydra_part = HydraConfig.get()
    name = None if hydra_part is None else hydra_part.runtime.choices.get("experiment")
    return str(name or "experiments")


def register_resolvers() -> None:
    """Make known what `conf/train.yaml` uses beyond plain values. To be called before the configuration is composed."""
    OmegaConf.register_new_resolver("chosen_experiment", chosen_experiment, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)


def check_experiment(arguments: list[str], directory: Path) -> None:
    """Check the `experiment=` of a command line before Hydra does: Hydra names one folder's choices only.

    Raises:
        UsageError: if an experiment is unknown or none is given, with the list of those there are.
    """
    # With a folder of the user's own, or help asked for, Hydra knows better.
    if any(argument.split("=")[0] in _LEFT_TO_HYDRA for argument in arguments):
        return
    names = experiments(directory)
    choices = f"available: {', '.join(names)}"
    given = [argument.split("=", 1)[1] for argument in arguments if argument.startswith("experiment=")]
    if not given:
        raise UsageError(f"no experiment given; add experiment=<name>; {choices}")
    if any(bracket in given[-1] for bracket in "[](){}"):
        return  # a sweep expression such as choice(a, b), which Hydra takes apart
    for name in given[-1].split(","):
        if name not in names:
            raise UsageError(f"unknown experiment {name!r}; {choices}")


def trainer_config(settings: DictConfig) -> Any:
    """A `TrainerConfig` from the `trainer` part of the configuration.

    Raises:
        UsageError: if a setting is unknown, of the wrong type or out of range.
    """
    from mov_ai.training.loop import TrainerConfig

    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainerConfig), settings))
    except OmegaConfBaseException as error:
        # to_object wraps what __post_init__ raises
        cause = error.__cause__
        if isinstance(cause, MovAIError):
            raise cause from None
        place = f"trainer.{error.full_key}" if error.full_key else "trainer"
        raise UsageError(f"{place}: {str(error).splitlines()[0]}") from None


def build_objective(settings: DictConfig, seed: int) -> Any:
    """The objective that the configuration's `_target_` names, with global random state seeded before.

    Raises:
        UsageError: if it cannot be made from these settings.
    """
    from accelerate.utils import set_seed

    set_seed(seed)
    try:
        return hydra.utils.instantiate(settings, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MovAIError):
            raise cause from None
        if isinstance(cause, TypeError | ImportError) or cause is None:
            raise UsageError(f"objective: {' '.join(str(error).split())}") from None
        raise


def train(config: DictConfig) -> float | None:
    """Run one configuration in Hydra's output folder; the final loss, which sweepers minimise.

    Expected errors are one line on stderr and end the process. In a sweep, a run that fails for whatever reason is
    recorded in its `result.json` and the others go on; its value is infinite.
    """
    # Imported here: a mistyped command line is answered at once, without loading torch.
    from mov_ai.training.loop import Trainer, TrainingInterrupted

    directory = Path(HydraConfig.get().runtime.output_dir)
    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        objective = build_objective(config.objective, config.seed)
        result = Trainer(objective, trainer_config(config.trainer), directory).run()
    except TrainingInterrupted as error:
        _exit(error)
    except MovAIError as error:
        if not sweeping:
            _exit(error)
        return _record_failure(directory, str(error))
    except Exception as error:
        if not sweeping:
            raise
        log.exception("the run failed")
        return _record_failure(directory, f"{type(error).__name__}: {error}")
    log.info("finished: %s", directory / "result.json")
    return result["loss"]


def _record_failure(directory: Path, message: str) -> float:
    log.error("%s", message)
    try:
        write_json(directory / "result.json", {"status": "failed", "error": message})
    except MovAIError as error:
        log.error("%s", error)
    return float("inf")


def _exit(error: MovAIError) -> NoReturn:
    sys.stderr.write(f"mov_ai.train: {error}\n")
    sys.exit(error.exit_code)


def main() -> None:
    """The command. Expected errors are one line on stderr and their exit code."""
    # With this, Hydra hands exceptions on instead of printing them its own way.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    register_resolvers()
    try:
        directory = config_directory()
        check_experiment(sys.argv[1:], directory)
        hydra.main(config_path=str(directory), config_name="train", version_base="1.3")(train)()
    except MovAIError as error:
        _exit(error)
    except (HydraException, OmegaConfBaseException) as error:
        _exit(UsageError(" ".join(str(error).split())))
    except OSError as error:
        if error.filename is None:
            raise
        _exit(MovAIError(f"{error.filename}: {error.strerror}; choose another place or free disk space"))
    except KeyboardInterrupt:
        sys.stderr.write("mov_ai.train: stopped; run the same command again to go on from the last checkpoint\n")
        sys.exit(130)


if __name__ == "__main__":
    # Under its own name, so that launchers which use other processes can pass `train` to them.
    from mov_ai.train import main as run

    run()
