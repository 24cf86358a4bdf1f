"""Safetensors files damaged in what they say of their tensors, and in these."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tools.fuzz.damage import damaged_bytes

#: Of tensors, in place of their own.
_NUMBERS = (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool)
#: In the notes of a header, in place of what they say.
_NOTES = ("", "x", "-1", "0", "1", "99", "1e9", "nan", "null", "[]", "{}", "[0]", '["a"]', "[0.5]", "[1, 0]", "[" * 900)


def damage_tensors(path: Path, rng: random.Random, is_checked: bool = False) -> str:
    """Change such a file in one way; returns which.

    Args:
        is_checked: a checksum that it has stays; else it is left out at times, so that what it guards is seen.
    """
    how = rng.choice(("bytes", "not finite", "shape", "numbers", "drop", "add", "name", "note", "note", "no note"))
    if how == "bytes":
        content, about = damaged_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
        return about
    with safe_open(path, "pt") as file:
        notes = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    about = f"{name}: {how}"
    if how == "not finite":
        flat = tensor.flatten().clone()
        flat[rng.randrange(len(flat))] = rng.choice((float("nan"), float("inf"), -float("inf")))
        tensors[name] = flat.view(tensor.shape)
    elif how == "shape":
        shapes = (
            tensor[None],
            tensor.flatten(),
            tensor[..., :1],
            tensor[:0],
            tensor[:, :, :1],
            torch.cat([tensor] * 2),
        )
        tensors[name] = rng.choice(shapes).contiguous()
        about += f" {tuple(tensors[name].shape)}"
    elif how == "numbers":
        tensors[name] = tensor.to(rng.choice(_NUMBERS))
        about += f" {tensors[name].dtype}"
    elif how == "drop":
        del tensors[name]
    elif how == "add":
        tensors[rng.choice(("stage_7", "stage_", "x", "stage_x", "stage_-1", "\x1b[31mx"))] = torch.zeros(1, 2, 3, 4, 5)
    elif how == "name":
        tensors[rng.choice(("stage_7", "x", "stage_0032", "stage_³"))] = tensors.pop(name)
    elif notes:
        key = rng.choice(sorted(notes))
        if how == "note":
            notes[key] = rng.choice(_NOTES)
        else:
            del notes[key]
        about = f"{how} {key}: {notes.get(key, '')[:20]}"
    if not is_checked and rng.random() < 0.7:
        notes.pop("checksum", None)
    save_file(tensors, path, notes)
    return about
