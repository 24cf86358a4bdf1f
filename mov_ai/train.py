"""Train one network, or a sweep of them: `python -m mov_ai.train experiment=tiny/codec [overrides]`.

This file only connects: Hydra's configuration, an objective, the training loop.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph.files import write_json
from mov_ai.hydra_entry import build, run_command, stop
from mov_ai.training.processes import first_to_tell, join_submitit_tasks, rank
from mov_ai.training.sweep import job_folder

log = logging.getLogger(__name__)

COMMAND = "mov_ai.train"


def chosen(group: str, *, _root_: DictConfig) -> str:
    """Resolver for the configuration: the name given as `experiment=` or `model=`.

    Where there is none, as in a sweep that goes over several, it is the group's name in the plural.
    """
    # A job's configuration has no `hydra` part; a sweep's has, before there is a job.
    hydra_part = OmegaConf.select(_root_, "hydra")
    if hydra_part is None and HydraConfig.initialized():
        hydra_part = HydraConfig.get()
    name = None if hydra_part is None else hydra_part.runtime.choices.get(group)
    return str(name or f"{group}s")


def embedded_part(part: str) -> str:
    """Resolver for the configuration: the folder of a part of the embedded pipeline, such as "codec"."""
    return str(Path(__file__).resolve().parent / "assets" / "tiny" / part)


def register_resolvers() -> None:
    """Make known what `conf/train.yaml` uses beyond plain values. To be called before the configuration is composed."""
    OmegaConf.register_new_resolver("chosen", chosen, replace=True)
    OmegaConf.register_new_resolver("embedded", embedded_part, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)


def trainer_config(settings: DictConfig) -> Any:
    """A `TrainerConfig` from the `trainer` part of the configuration.

    Raises:
        UsageError: if a setting is unknown, of the wrong type or out of range.
    """
    from mov_ai.training.settings import TrainerConfig

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
    return build(settings, "objective")


def train(config: DictConfig) -> float | None:
    """Run one configuration in Hydra's output folder; the final loss, which sweepers minimise.

    Expected errors are one line on stderr and end the process. In a sweep, a run that fails for whatever reason is
    recorded in its `result.json` and the others go on; its value is infinite.
    """
    join_submitit_tasks()
    if rank():
        # What one process says is enough; an error that ends the run is told by the first that meets it.
        logging.getLogger().setLevel(logging.ERROR)
    # Imported here: a mistyped command line is answered at once, without loading torch.
    from mov_ai.training.loop import Trainer
    from mov_ai.training.stopping import TrainingInterrupted

    directory = Path(HydraConfig.get().runtime.output_dir)
    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        objective = build_objective(config.objective, config.seed)
        result = Trainer(objective, trainer_config(config.trainer), directory).run()
    except TrainingInterrupted as error:
        stop(COMMAND, error, tell=first_to_tell(directory))
    except MovAIError as error:
        tell = first_to_tell(directory)
        if not sweeping:
            stop(COMMAND, error, tell)
        return _record_failure(directory, str(error)) if tell else float("inf")
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


def main() -> None:
    """The command. Expected errors are one line on stderr and their exit code."""
    register_resolvers()
    run_command(COMMAND, "experiment", train, "stopped; run the same command again to go on from the last checkpoint")


if __name__ == "__main__":
    # Under its own name, so that launchers which use other processes can pass `train` to them.
    from mov_ai.train import main as run

    run()
