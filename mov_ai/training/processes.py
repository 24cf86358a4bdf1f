"""Several processes that train together: what they agree on, and how an error of one of them becomes one line of all.

What is passed between the processes of a run (by torch.distributed) never comes from a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mov_ai.errors import MovAIError, UsageError

_T = TypeVar("_T")

#: An error that was told of before this belongs to an earlier start of the run.
_STARTED = time.time()
#: In the run's folder, made by the process that tells of the error which ends the run.
_TOLD = ".told"


def rank() -> int:
    """The number of this process among those that were started together; 0 where it is alone."""
    return int(os.environ.get("RANK", "0"))


def processes() -> int:
    """How many processes were started together by `torchrun`, `accelerate launch` or a launcher of jobs."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join_submitit_tasks() -> None:
    """Take the numbers of the tasks of a job that submitit started (Slurm, or its local executor) for processes'."""
    # Under torchrun or accelerate launch they are there already; a job of one task trains alone.
    if "RANK" in os.environ or not {"SUBMITIT_EXECUTOR", "SUBMITIT_LOCAL_JOB_ID"} & os.environ.keys():
        return
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    if JobEnvironment().num_tasks > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False)


def check_launch() -> None:
    """Whether what started the processes leaves to `trainer` what `trainer` decides.

    Raises:
        UsageError: if `accelerate launch` was told to share the network out.
    """
    for setting, engine in (("ACCELERATE_USE_FSDP", "FSDP"), ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed")):
        if os.environ.get(setting, "false").lower() in ("true", "1"):
            raise UsageError(
                f"accelerate launch: asks for {engine}; start it with --multi_gpu alone, and say trainer=fsdp2 to "
                "share the network out"
            )


def wait_for_main(seconds: float = 600.0) -> None:
    """Until whatever lets the processes meet answers: later waits are long, and it may have ended meanwhile.

    Raises:
        MovAIError: if it does not answer within so many seconds.
    """
    # Process 0 is what the others wait for, but under torchrun, which answers for it.
    if processes() == 1 or not (rank() or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"):
        return
    place = (os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "29500")))
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(place, timeout=10).close()
            return
        except OSError as error:
            if time.monotonic() >= deadline:
                raise MovAIError(
                    f"process {rank()} of {processes()}: nobody answers at {place[0]}:{place[1]} "
                    f"({error.strerror or error}); check MASTER_ADDR and MASTER_PORT, or start all processes again"
                ) from None
            time.sleep(1)


def first_to_tell(folder: Path) -> bool:
    """Whether this process is to tell of an error that ends the run: the first one that asks is, the others are not.

    Args:
        folder: of the run, which all processes see.
    """
    if processes() == 1:
        return True
    mark = folder / _TOLD
    for _ in range(2):
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return True
        except FileExistsError:
            # A second of grace: the processes of a start do not begin at the same moment.
            if mark.stat().st_mtime >= _STARTED - 1:
                return False
            mark.unlink(missing_ok=True)
        except OSError:
            return True
    return True


def on_main(work: Callable[[], _T]) -> _T:
    """What `work` returns in the main process, in every process; a `MovAIError` of it is raised in every process."""
    from torch import distributed

    if not distributed.is_initialized():
        return work()
    outcome: list[Any] = [None, None]
    if distributed.get_rank() == 0:
        try:
            outcome[0] = work()
        except MovAIError as error:
            outcome[1] = error
    distributed.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    result: _T = outcome[0]
    return result


def everywhere(work: Callable[[], _T]) -> list[_T]:
    """What `work` returns in each process, in their order, once all are done.

    Raises:
        MovAIError: in every process, the first one's of those that raised one.
    """
    from torch import distributed

    if not distributed.is_initialized():
        return [work()]
    outcome: tuple[Any, MovAIError | None]
    try:
        outcome = (work(), None)
    except MovAIError as error:
        outcome = (None, error)
    outcomes: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(outcomes, outcome)
    errors = [raised for _, raised in outcomes if raised is not None]
    if errors:
        raise errors[0]
    return [result for result, _ in outcomes]


def check_alike(versions: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Whether every process has the same versions and settings: others would train another network, or wait for ever.

    Raises:
        MovAIError: in every process; it names the first that differs, and where it runs.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
    own = {**{name: str(version) for name, version in versions.items()}, "settings": digest}
    (first_place, first), *others = everywhere(lambda: (socket.gethostname(), own))
    for number, (place, theirs) in enumerate(others, start=1):
        for name in [*first, *theirs]:
            if first.get(name) != theirs.get(name):
                raise MovAIError(
                    f"process {number} on {place} has {name} {theirs.get(name)}, process 0 on {first_place} has "
                    f"{first.get(name)}; give all processes the same versions and settings"
                )


def lost_process(error: BaseException) -> bool:
    """Whether an error says that another process does not answer any more."""
    from torch import distributed

    if isinstance(error, distributed.DistError):
        return True
    # Gloo's are plain errors, with the name of its source file in them.
    return isinstance(error, RuntimeError) and "gloo" in str(error).lower()
