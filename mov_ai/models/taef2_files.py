"""TAEF2's published files: what they are called, where they come from, and where they are looked for."""

from __future__ import annotations

from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.weight_places import places

NAME, LICENCE, USE = "taef2", "MIT (Ollin Boer Bohan)", "codec of natural videos"
#: The one file that is published. Its SHA-256 is not known here: see `mov_ai.models.taef2.VALUES_SHA256`.
FILE = "taef2.safetensors"
URL = f"https://huggingface.co/madebyollin/taef2/resolve/main/{FILE}"
#: Size of the published file in bytes, about.
SIZE = 10_700_000
#: Encoder and decoder in files of their own.
PARTS = ("encoder", "decoder")
PART_FILES = tuple(f"taef2_{part}.safetensors" for part in PARTS)


def weights_in(folder: Path) -> list[Path]:
    """The files of a folder that hold TAEF2: the published one, or one a part; none if they are not there."""
    for names in ((FILE,), PART_FILES):
        files = [folder / name for name in names]
        if all(file.is_file() for file in files):
            return files
    return []


def located_taef2() -> list[Path]:
    """The files on this machine, where `mov-ai weights pull taef2` puts them; none if they are nowhere."""
    return next((files for place in places() if (files := weights_in(place))), [])


def find_taef2() -> list[Path]:
    """As `located_taef2`; raises UsageError if they are nowhere."""
    if files := located_taef2():
        return files
    raise UsageError(
        f"codec: {NAME}: {FILE} is not on this machine (looked in {', '.join(map(str, places()))}); fetch it with "
        f"`mov-ai weights pull {NAME}`, or give the folder that holds it"
    )
