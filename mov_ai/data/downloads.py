"""Public dataset files: found on this machine, or fetched once from where they are published and checked."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.streamed_download import LARGEST, download
from mov_ai.errors import MovAIError
from mov_ai.graph.files import write_bytes
from mov_ai.shipped_files import from_yaml

log = logging.getLogger(__name__)

_TIMEOUT_S = 60


@dataclass(frozen=True)
class PublicFile:
    """Where a file is published (`member` of the zip archive at `url`, if any), and its SHA-256 in hexadecimal."""

    url: str
    sha256: str
    member: str | None = None


def _public_files() -> dict[str, PublicFile]:
    groups = from_yaml(Path(__file__).with_name("public_files.yaml").read_text("utf-8"))
    return {
        group["name"].format(file): PublicFile(
            group["url"].format(file), str(sha256), group["member"].format(file) if "member" in group else None
        )
        for group in groups
        for file, sha256 in group["files"].items()
    }


#: Name, which is also the path under the data folder -> where it comes from.
PUBLIC_FILES = _public_files()


def project_data_folder() -> Path:
    """`data/` of the source checkout; `data/` of the working folder when mov_ai is installed without its checkout."""
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "setup.cfg").is_file() else Path.cwd()) / "data"


def _places() -> list[Path]:
    from_environment = os.environ.get("MOV_AI_DATA")
    return [*([Path(from_environment)] if from_environment else []), project_data_folder()]


def data_folder(dataset: str) -> Path:
    """The folder of a dataset: the first place that has all of its files; the project's `data/` after fetching them.

    `dataset`: the first part of the names in `PUBLIC_FILES`, such as "ud_english_ewt". Raises MovAIError as
    `data_file`.
    """
    names = [name for name in PUBLIC_FILES if name.startswith(f"{dataset}/")]
    for place in _places():
        if all((place / name).is_file() for name in names):
            return place / dataset
    for name in names:
        target = project_data_folder() / name
        if not target.is_file():
            fetch(name, target)
    return project_data_folder() / dataset


def data_file(name: str) -> Path:
    """A dataset file, a key of `PUBLIC_FILES`: the one on this machine, else fetched into the project's `data/`.

    A file that is found is taken as it is; one that is fetched is kept only if its SHA-256 is the known one
    (MovAIError).
    """
    for place in _places():
        if (place / name).is_file():
            return place / name
    target = project_data_folder() / name
    fetch(name, target)
    return target


def fetch(name: str, target: Path) -> None:
    """Fetch one of `PUBLIC_FILES` and write it to `target`, completely or not at all. Raises MovAIError."""
    public = PUBLIC_FILES[name]
    log.info("fetching %s", public.url)
    if public.member is None:
        remedy = f"set MOV_AI_DATA to a folder that has {name}, or put it at {target}"
        download(public.url, target, public.sha256, remedy)
        return
    try:
        content = _archived(public.url, public.member)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MovAIError(
            f"{name} is not on this machine and {public.url} could not be fetched ({reason}); "
            f"set MOV_AI_DATA to a folder that has {name}, or put it at {target}"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != public.sha256:
        raise MovAIError(
            f"{name}: {public.url} now gives a file with SHA-256 {digest}, expected {public.sha256}; it was not kept: "
            f"set MOV_AI_DATA to a folder that has the expected {name}"
        )
    write_bytes(target, content)


def _archived(url: str, member: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
        content = response.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise OSError(f"it sends more than {LARGEST} bytes")
        archive = io.BytesIO(content)
    with zipfile.ZipFile(archive) as files:
        return files.read(member)
