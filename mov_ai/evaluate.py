"""Measure what is trained: `python -m mov_ai.evaluate suite=video|prompts|layout [overrides]`.

This file only connects: Hydra's configuration and a suite of `mov_ai.evaluation` or of a study.
"""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from mov_ai.errors import MovAIError
from mov_ai.hydra_entry import build, run_command, stop
from mov_ai.memory import is_out_of_memory

COMMAND = "mov_ai.evaluate"


def evaluate(config: DictConfig) -> None:
    """Run the suite of a configuration; its files go to `output`. Expected errors are one line and end the process."""
    remedy = "close other programs, or use a larger machine"
    try:
        suite = build(config.suite, "suite")
        remedy = getattr(suite, "less_memory", remedy)
        suite.run(Path(HydraConfig.get().runtime.output_dir), Console())
    except MovAIError as error:
        stop(COMMAND, error)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        stop(COMMAND, MovAIError(f"not enough memory; {remedy}"))


def main() -> None:
    """The command. Expected errors are one line on stderr and their exit code."""
    run_command(COMMAND, "suite", evaluate, "stopped; no report was written")


if __name__ == "__main__":
    from mov_ai.evaluate import main as run

    run()
