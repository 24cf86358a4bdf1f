"""Weights of published metric networks: where each file is, whether it is on this machine, and how it gets there.

LPIPS's own layers, which weigh the backbone's channels, are no files here: they come inside the `lpips` package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mov_ai.data.streamed_download import Progress, download
from mov_ai.errors import MovAIError
from mov_ai.evaluation.metrics.result import Absent
from mov_ai.graph.files import sha256_of
from mov_ai.shipped_files import from_yaml
from mov_ai.weight_places import places


@dataclass(frozen=True)
class WeightsFile:
    """A published file: its name in the weights folder, its size in bytes, and what is measured with it."""

    file: str
    url: str
    sha256: str
    licence: str
    size: int
    use: str

    @property
    def identity(self) -> str:
        """File and SHA-256, as results name weights."""
        return f"{self.file} (sha256 {self.sha256})"


#: Name, as `mov-ai weights pull` takes it -> file.
WEIGHTS: dict[str, WeightsFile] = {
    name: WeightsFile(**entry)
    for name, entry in from_yaml(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items()
}


def located(name: str) -> list[Path]:
    """The files of one of `WEIGHTS` on this machine, unchecked; the first is the one that is used."""
    return [place / WEIGHTS[name].file for place in places() if (place / WEIGHTS[name].file).is_file()]


def find_weights(name: str) -> Path | Absent:
    """The file of one of `WEIGHTS`; absent if it is nowhere, MovAIError if what has its name is another one."""
    weights = WEIGHTS[name]
    for path in located(name):
        return check_weights(path, weights.sha256)
    looked = ", ".join(map(str, places()))
    return Absent(
        f"{weights.file} is not on this machine (looked in {looked})",
        f"mov-ai weights pull {name}, or put the file from {weights.url} into a folder and set MOV_AI_WEIGHTS to it",
    )


def check_weights(path: Path, sha256: str) -> Path:
    """The path, if the file is the one with this SHA-256; MovAIError if it is another one, or cannot be read."""
    actual = sha256_of([path])
    if actual != sha256:
        raise MovAIError(
            f"{path}: has SHA-256 {actual}, expected {sha256}; it is another or a damaged file and "
            "was not loaded: remove it and fetch the published one with `mov-ai weights pull`"
        )
    return path


def pull_weights(name: str, progress: Progress | None = None) -> Path:
    """The file of one of `WEIGHTS`, checked; fetched into the first of `places` if it is nowhere or another one.

    Args:
        progress: as `download` takes it; not called if the file is there already.

    Raises:
        MovAIError: as `download`; what was there before stays.
    """
    weights, target = WEIGHTS[name], places()[0] / WEIGHTS[name].file
    try:
        stored = find_weights(name)
    except MovAIError:
        stored = None  # what is there is no good, and is replaced or stands behind the one that is fetched
    if isinstance(stored, Path):
        return stored
    remedy = f"fetch it by hand, put it at {target} and run `mov-ai weights verify {name}`"
    # Which file it is, its SHA-256 alone decides; the size says when to stop listening.
    download(weights.url, target, weights.sha256, remedy, progress=progress, most=2 * weights.size)
    return target
