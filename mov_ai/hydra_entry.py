"""What the entry points that read `conf/` share: finding it, checking choices, mistakes answered in one line."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mov_ai.errors import MovAIError, UsageError
from mov_ai.shipped_files import shipped

_LEFT_TO_HYDRA = {
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--experimental-rerun"),
    *("--help", "-h", "--hydra-help", "--version", "--info", "-i", "--shell-completion", "-sc"),
}


def config_directory() -> Path:
    """The folder of `train.yaml`: `MOV_AI_CONF` if set, else the `conf/` that ships.

    Raises:
        UsageError: if that folder holds no `train.yaml`.
    """
    from_environment = os.environ.get("MOV_AI_CONF")
    folder = Path(from_environment) if from_environment else shipped("conf")
    if not (folder / "train.yaml").is_file():
        raise UsageError(f"no train.yaml in {folder}; set MOV_AI_CONF to a folder like conf/ of mov_ai, or unset it")
    return folder.resolve()


def choices(directory: Path, group: str) -> list[str]:
    """Names that a group such as `experiment` takes, such as `tiny/codec`."""
    root = directory / group
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml"))


def check_choice(arguments: list[str], directory: Path, group: str) -> None:
    """Check the `group=` of a command line before Hydra does: Hydra names one folder's choices only.

    Raises:
        UsageError: if a choice is unknown or none is given, with the list of those there are.
    """
    # With a folder of the user's own, or help asked for, Hydra knows better.
    if any(argument.split("=")[0] in _LEFT_TO_HYDRA for argument in arguments):
        return
    names = choices(directory, group)
    available = f"available: {', '.join(names)}"
    chosen = [argument.split("=", 1)[1] for argument in arguments if argument.startswith(f"{group}=")]
    if not chosen:
        raise UsageError(f"no {group} given; add {group}=<name>; {available}")
    if any(bracket in chosen[-1] for bracket in "[](){}"):
        return  # a sweep expression such as choice(a, b), which Hydra takes apart
    for name in chosen[-1].split(","):
        if name not in names:
            raise UsageError(f"unknown {group} {name!r}; {available}")


def build(settings: DictConfig, name: str) -> Any:
    """The object that the settings' `_target_` names.

    Args:
        settings: `_target_` and its arguments.
        name: what it is, for messages.

    Raises:
        UsageError: if it cannot be made from these settings.
    """
    try:
        return hydra.utils.instantiate(settings, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, MovAIError):
            raise cause from None
        if isinstance(cause, TypeError | ImportError) or cause is None:
            raise UsageError(f"{name}: {' '.join(str(error).split())}") from None
        raise


def stop(command: str, error: MovAIError, tell: bool = True) -> NoReturn:
    """End the process with the error's exit code, and one line on stderr unless another process of the run tells it."""
    if tell:
        sys.stderr.write(f"{command}: {error}\n")
    sys.exit(error.exit_code)


#: Errors of the file system that come without the name of a file.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def _file_error(error: BaseException | None) -> OSError | None:
    """The error of the file system behind an error, such as logging's when it cannot open the run's log."""
    while error is not None:
        if isinstance(error, OSError) and (error.filename is not None or error.errno in _UNWRITABLE):
            return error
        error = error.__cause__
    return None


def run_command(command: str, group: str, task: Callable[[DictConfig], Any], interrupted: str) -> None:
    """Compose the configuration and run the task. Expected errors are one line on stderr and their exit code.

    Args:
        command: the module, such as "mov_ai.train"; its last part names the root configuration.
        group: the group of which a choice must be given.
        task: takes the configuration.
        interrupted: what to say after Ctrl-C.
    """
    # With this, Hydra hands exceptions on instead of printing them its own way.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # A log that cannot be written, as on a full disk, is no reason for a traceback at each of its lines.
    logging.raiseExceptions = False
    # A mistake on the command line is the same in all processes that were started with it.
    first = os.environ.get("RANK", "0") == "0"
    try:
        directory = config_directory()
        check_choice(sys.argv[1:], directory, group)
        hydra.main(config_path=str(directory), config_name=command.split(".")[-1], version_base="1.3")(task)()
    except MovAIError as error:
        stop(command, error, tell=first)
    except (HydraException, OmegaConfBaseException) as error:
        stop(command, UsageError(" ".join(str(error).split())), tell=first)
    except (OSError, ValueError) as error:
        cause = _file_error(error)
        if cause is None:
            raise
        place = cause.filename or "the run's folder"
        stop(command, MovAIError(f"{place}: {cause.strerror}; choose another place or free disk space"))
    except KeyboardInterrupt:
        sys.stderr.write(f"{command}: {interrupted}\n")
        sys.exit(130)
