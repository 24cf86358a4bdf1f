"""Weights in a pipeline's folder, damaged: bytes, tensors that are not finite, pickles, links to what is no file."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mov_ai.pipeline import MovAIPipeline
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_bytes
from tools.fuzz.small_pipeline import small_pipeline

_PARTS = ("denoiser", "codec", "planner", "parser")


class _Act:
    """Does something when its pickle is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def make(rng: random.Random, folder: Path) -> Case:
    """A pipeline with one damaged file of weights."""
    copy = folder / "pipeline"
    shutil.copytree(small_pipeline(), copy)
    part = rng.choice(_PARTS)
    path = copy / part / "model.safetensors"
    how = rng.choice(("bytes", "bytes", "bytes", "not finite", "not finite", "tensors", "pickle", "no file"))
    refusal, about = "must", how
    if how == "bytes":
        content, about = damaged_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
        # A flipped bit of a weight is another weight.
        refusal = "may"
    elif how == "not finite":
        tensors = load_file(path)
        name = rng.choice([n for n, t in tensors.items() if t.is_floating_point() and t.numel()])
        flat = tensors[name].flatten()
        flat[rng.randrange(len(flat))] = rng.choice((float("nan"), float("inf"), -float("inf")))
        tensors[name] = flat.view(tensors[name].shape)
        save_file(tensors, path)
        about = f"{name} not finite"
    elif how == "tensors":
        tensors = load_file(path)
        name = rng.choice(list(tensors))
        act = rng.choice(("drop", "add", "shape"))
        if act == "drop":
            del tensors[name]
        elif act == "add":
            tensors[f"{name}.more"] = torch.zeros(3)
        else:
            tensors[name] = torch.zeros(7, 11, 13)
        save_file(tensors, path)
        about = f"{name}: {act}"
    elif how == "pickle":
        path.write_bytes(pickle.dumps({"weight": _Act()}, rng.randrange(6)))
    else:
        path.unlink()
        about = rng.choice(("/dev/null", "/dev/zero", "folder", "pipe"))
        if about == "folder":
            path.mkdir()
        elif about == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(about)

    def wrong(pipeline: MovAIPipeline) -> str | None:
        networks = [*pipeline.parser.networks, pipeline.cascade, pipeline.planner]
        tensors = [tensor for network in networks if network is not None for tensor in network.state_dict().values()]
        return None if all(tensor.isfinite().all() for tensor in tensors) else "weights that are not finite"

    return Case(f"{part}: {about}", lambda: MovAIPipeline.from_pretrained(copy, "cpu"), wrong, refusal)


KIND = Kind("weights", 1.0, make)
