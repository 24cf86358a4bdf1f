"""How inputs are damaged: values and keys of JSON, characters of text, bytes of files."""

from __future__ import annotations

import copy
import json
import random
import struct
from typing import Any

#: In place of any value: wrong types, sizes and numbers, and words that mean something to somebody.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 1e-320, 1e308, 2**31, 2**63, 10**400, 100_000_000),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "x", "0", "1", "nan", "\ud800", "a\x1b[31mb", "\x00"),
    *("a\nb", "../../etc/passwd", "/dev/zero", "__import__('os')", "os.system", "x" * 20_000, "é\u202e", "👩‍👩‍👧"),
    *([], {}, [[]], [None], {"": None}, [1, 2, 3], [0.2, 0.1], [0, 1], [1e9, 1e9], ["a", "a"], {"label": 1}),
)
_NEST = "nest"
#: What text is damaged with.
_PIECES = (
    "\x00",
    "\x1b[2J",
    "\ud800",
    "\u202e",
    "\ufeff",
    "👩‍👩‍👧",
    " ",
    "\n",
    "\t",
    "<b>",
    "{{",
    "%s",
    "a" * 500,
    "ß",
    "。",
)


def damaged_json(value: Any, rng: random.Random, times: int | None = None) -> tuple[Any, str]:
    """A copy of a JSON value with one to three places changed, and which; the value itself stays."""
    value, notes = copy.deepcopy(value), []
    for _ in range(times or rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice(_paths(value))
        value, note = _changed(value, path, rng)
        notes.append(f"{'.'.join(map(str, path)) or 'all'}: {note}")
        if note == _NEST:
            # What is nested deeply cannot be walked again.
            break
    return value, "; ".join(notes)


def json_text(value: Any, rng: random.Random) -> str:
    """A JSON text, one in ten with characters damaged too."""
    text = json.dumps(value)
    return damaged_text(text, rng) if rng.random() < 0.1 else text


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value inside, itself first."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, entry in inside for deeper in _paths(entry, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], rng: random.Random) -> tuple[Any, str]:
    if not path:
        return (copy.deepcopy(rng.choice(VALUES)), "replaced") if rng.random() < 0.2 else (value, "as it was")
    owner = value
    for key in path[:-1]:
        owner = owner[key]
    key, entry = path[-1], owner[path[-1]]
    act = rng.choice(("replace", "replace", "replace", "scale", "delete", "add", "repeat", _NEST))
    if act == "delete":
        del owner[key]
    elif act == "add" and isinstance(owner, dict):
        owner[rng.choice(("x", "", "__class__", "auto_map", "_target_", "path"))] = copy.deepcopy(rng.choice(VALUES))
    elif act == "repeat" and isinstance(owner, list):
        owner.extend(copy.deepcopy(entry) for _ in range(rng.choice((1, 3, 70, 1000))))
    elif act == _NEST:
        for _ in range(rng.choice((1, 5, 900))):
            entry = [entry]
        owner[key] = entry
    elif act == "scale" and isinstance(entry, (int, float)) and not isinstance(entry, bool):
        owner[key] = entry * rng.choice((-1, 0, 2, 1000, 10**9))
    else:
        act, owner[key] = "replace", copy.deepcopy(rng.choice(VALUES))
    return value, act


def damaged_text(text: str, rng: random.Random) -> str:
    """Text with a few stretches left out, doubled, moved or replaced."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((1, 2, 8, 40)))
        piece = rng.choice((text[start:end] * 2, "", rng.choice(_PIECES), chr(rng.randrange(0x3000)), text[::-1][:40]))
        text = text[:start] + piece + text[end:]
    return text


def damaged_bytes(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Bytes of a file damaged in one way, and which."""
    start = rng.randrange(len(data) + 1) if rng.random() < 0.5 else rng.randrange(min(len(data), 400) + 1)
    end = min(len(data), start + rng.choice((1, 4, 64, 4096)))
    act = rng.choice(("cut", "flip", "zero", "insert", "drop", "number", "empty" if rng.random() < 0.1 else "flip"))
    if act == "empty":
        return b"", act
    if act == "cut":
        return data[:start], f"cut at {start}"
    if act == "drop":
        return data[:start] + data[end:], f"{start} to {end} dropped"
    if act == "zero":
        return data[:start] + bytes(end - start) + data[end:], f"{start} to {end} zero"
    if act == "insert":
        return data[:start] + rng.randbytes(end - start or 1) + data[start:], f"bytes added at {start}"
    if act == "number":
        number = struct.pack("<Q", rng.choice((0, 1, 2**31, 2**40, 2**63, 2**64 - 1)))
        return data[:start] + number + data[start + 8 :], f"another number at {start}"
    changed = bytearray(data)
    for place in range(start, end):
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed), f"bits of {start} to {end} flipped"
