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
from mov_ai.weight_places import places


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        file: its name in the weights folder.
        url: its public address.
        sha256: of the file, hexadecimal.
        licence: under which it may be used.
        size: in bytes.
        use: what is measured with it.
    """

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


_TORCHVISION = "https://download.pytorch.org/models"
_IMAGENET = "BSD-3-Clause (torchvision); trained on ImageNet"

#: Name, as `mov-ai weights pull` takes it -> file.
WEIGHTS: dict[str, WeightsFile] = {
    # Of two I3D files that go about, this is StyleGAN-V's: 400 logits, and the one that today's papers quote.
    "i3d": WeightsFile(
        "i3d_torchscript.pt",
        "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
        "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
        "Apache-2.0 (DeepMind's kinetics-i3d)",
        51_235_320,
        "FVD",
    ),
    "alex": WeightsFile(
        "alexnet-owt-7be5be79.pth",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        _IMAGENET,
        244_408_911,
        "LPIPS (alex)",
    ),
    "vgg": WeightsFile(
        "vgg16-397923af.pth",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        _IMAGENET,
        553_433_881,
        "LPIPS (vgg)",
    ),
    "squeeze": WeightsFile(
        "squeezenet1_1-b8a52dc0.pth",
        f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        _IMAGENET,
        4_958_839,
        "LPIPS (squeeze)",
    ),
    "raft": WeightsFile(
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        f"{_TORCHVISION}/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "ff5fadd56d26b40647388883af1547351ea17868b765c05b27231e72dd16a322",
        "BSD-3-Clause (torchvision)",
        21_106_607,
        "optical flow",
    ),
}


def located(name: str) -> list[Path]:
    """The files of one of `WEIGHTS` on this machine, unchecked; the first is the one that is used.

    Raises:
        KeyError: if `name` is none of them.
    """
    return [place / WEIGHTS[name].file for place in places() if (place / WEIGHTS[name].file).is_file()]


def find_weights(name: str) -> Path | Absent:
    """The file of one of `WEIGHTS`, checked; absent if it is nowhere.

    Raises:
        KeyError: if `name` is none of them.
        MovAIError: if a file of that name is there but is another one.
    """
    weights = WEIGHTS[name]
    for path in located(name):
        return check_weights(path, weights.sha256)
    looked = ", ".join(map(str, places()))
    return Absent(
        f"{weights.file} is not on this machine (looked in {looked})",
        f"mov-ai weights pull {name}, or put the file from {weights.url} into a folder and set MOV_AI_WEIGHTS to it",
    )


def check_weights(path: Path, sha256: str) -> Path:
    """The path, if the file is the one with this SHA-256.

    Raises:
        MovAIError: if it is another one, or cannot be read.
    """
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
        KeyError: if `name` is none of them.
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
    # The size is for people to read: which file it is, its SHA-256 alone decides.
    download(weights.url, target, weights.sha256, remedy, progress=progress)
    return target
