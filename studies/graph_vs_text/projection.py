"""How long the study takes on this machine, from a few steps of each arm and a few videos judged."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from hydra import compose, initialize_config_dir

from mov_ai.hydra_entry import config_directory
from mov_ai.train import build_objective, register_resolvers
from mov_ai.training.objective import Objective
from studies.graph_vs_text.evaluate import Judges

_STEPS, _VIDEOS = 4, 4


def seconds_per_step(experiment: str, settings: Sequence[str] = ()) -> float:
    """Processor seconds of a training step on one thread, the batch's making included; the least of a few.

    Args:
        experiment: a name in conf/experiment, of a denoiser.
        settings: overrides of the configuration.
    """
    return processor_seconds(prepared(experiment, settings))


def built(experiment: str, settings: Sequence[str] = ()) -> Objective:
    """An experiment's objective. Args: as `seconds_per_step`."""
    register_resolvers()
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        config = compose("train", overrides=[f"experiment={experiment}", *settings])
    objective: Objective = build_objective(config.objective, 0)
    return objective


def prepared(experiment: str, settings: Sequence[str] = ()) -> Objective:
    """An experiment's objective, ready to train. Args: as `seconds_per_step`."""
    objective = built(experiment, settings)
    objective.prepare(torch.device("cpu"), lambda *_: None)
    return objective


def processor_seconds(objective: Objective) -> float:
    """Of a training step, the least of a few; the objective's weights are changed by them."""
    module, generator = objective.module().train(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(module.parameters())
    taken = []
    for step in range(_STEPS):
        began = time.process_time()
        objective.loss(module, objective.batch(step), generator)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.process_time() - began)
    return min(taken)


def seconds_per_video() -> float:
    """Processor seconds to judge a video; that it is made first is not counted: it is a few network evaluations."""
    judges = Judges(_VIDEOS)
    began = time.process_time()
    judges.figures(judges.truth)
    return (time.process_time() - began) / _VIDEOS


def projection(per_step: dict[str, float], per_video: float, seeds: int, budgets: Sequence[int], prompts: int) -> str:
    """In words: what each arm takes, and all of them.

    Args:
        per_step: arm -> seconds a step.
        per_video: seconds to judge one.
        seeds: trainings of each arm.
        budgets: steps after which each is judged.
        prompts: videos that are judged each time.
    """
    judging = per_video * prompts * len(budgets)
    lines = [
        f"{arm}: {seconds:.3f} s a step, {(seconds * budgets[-1] + judging) / 60:.1f} minutes a training"
        for arm, seconds in per_step.items()
    ]
    total = seeds * sum(seconds * budgets[-1] + judging for seconds in per_step.values())
    what = f"{seeds} seed{'s' if seeds > 1 else ''}, {budgets[-1]:,} steps, judged {len(budgets)} times"
    return "\n".join([*lines, f"all, {what}: {total / 3600:.1f} core-hours"])
