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

from mov_ai.data.streamed_download import download
from mov_ai.errors import MovAIError
from mov_ai.graph.files import write_bytes

log = logging.getLogger(__name__)

_GITHUB = "https://raw.githubusercontent.com"
_FACTUAL = f"{_GITHUB}/zhuang-li/FACTUAL/main"
_TREEBANK = f"{_GITHUB}/UniversalDependencies/UD_English-EWT/r2.15"
_STORYBENCH = f"{_GITHUB}/google/storybench/main/data/tasks"
_DECOMP = f"{_GITHUB}/decompositional-semantics-initiative/decomp/master/decomp/data"
_WORDNET = f"{_GITHUB}/nltk/nltk_data/gh-pages/packages/corpora/wordnet.zip"
_TIMEOUT_S = 60


@dataclass(frozen=True)
class PublicFile:
    """Where a file is published, and what it must be.

    Attributes:
        url: its address, or that of the zip archive that holds it.
        sha256: of the file itself, hexadecimal.
        member: its name in the archive; None if `url` is the file's own address.
    """

    url: str
    sha256: str
    member: str | None = None


#: Name, which is also the path under the data folder -> where it comes from.
PUBLIC_FILES: dict[str, PublicFile] = {
    # FACTUAL (Li et al., Findings of ACL 2023); its captions are Visual Genome's, CC BY 4.0.
    **{
        f"factual/{name}.csv": PublicFile(f"{_FACTUAL}/data/factual_sg/{name}.csv", sha256)
        for name, sha256 in {
            "random/train": "1931a04bd3a1b4a0a5b935a88ccb0e470ad85405e35a5f698eceb73b41bf3c79",
            "random/dev": "bce25bba00c26fe7665e199e6320d4f2c95320abfbee39c1eef35b62e606eab9",
            "random/test": "50dc90b44a89e5c3f1e2c6c52cc5bde6058c30133d84efe49483c2477021975b",
            "length/train": "840327bc9404146ebf7f83c43d45b57d06bdabdc9dd3c11e5f2de83e5bc4e6ee",
            "length/dev": "08971c368274b2cdc1291e7f89befe69dc619722e646c17aed340ac957a3a411",
            "length/test": "4d7bc00452fd56c0bd510336793e46574137d6ca3718f5c17e33c1285c96821e",
        }.items()
    },
    # WordNet (Princeton, WordNet licence) as flat text, from FACTUAL's evaluator.
    **{
        f"wordnet/{name}": PublicFile(f"{_FACTUAL}/src/factual_scene_graph/evaluation/resources/{name}", sha256)
        for name, sha256 in {
            "english.synsets": "e931133c2a012df2038381613433b2e5787d22a0ff8d80e0875b672eccab787c",
            "english.exceptions": "03567858feede7451131677b8ec1f4667a5e580e3e97dc1d641078ab67167dd7",
        }.items()
    },
    # WordNet 3.0's database (Princeton, WordNet licence), from NLTK's data.
    **{
        f"wordnet3/{name}": PublicFile(_WORDNET, sha256, member=f"wordnet/{name}")
        for name, sha256 in {
            "adj.exc": "8824cc24bbedd797b9702316b27f07cd4c2b76b629539f0a1276f03926758016",
            "adv.exc": "e7291461b629abfe63301bbe1998cee09fd575ed7107abd7ea9763adb05bf0a8",
            "noun.exc": "2b5d675c380b39ecf595af9fa9d4e7feb1d58c643b0bff08c40ed5bfe41fab7a",
            "verb.exc": "dbbcf9a601b2d77e934e413b91d90e88ec7f933a8b77cfc00602a923b891b42c",
            "cntlist.rev": "a198580b8f705fa02797bba8b13e5cbe4a9f9f40cb1697e774c7fc6a5865b035",
            "data.adj": "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7",
            "data.adv": "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139",
            "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
            "data.verb": "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2",
            "index.adj": "c9865d7b4d1f805bdef82ccdcea5282436e23083e6f6f1b33e716327c4eda810",
            "index.adv": "6f5465ed5758fe9c8a2f7ec17b1300f3aa875756c70ff7cba162f7e71bcf88ea",
            "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
            "index.verb": "e2ac24816c3a8289dcb72aaa9cf8db81fdf25ec34d792bfc96ac5b7a20c8b4ae",
        }.items()
    },
    # UD English-EWT 2.15, CC BY-SA 4.0.
    **{
        f"ud_english_ewt/{split}.conllu": PublicFile(f"{_TREEBANK}/en_ewt-ud-{split}.conllu", sha256)
        for split, sha256 in {
            "train": "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            "dev": "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            "test": "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
        }.items()
    },
    # StoryBench, validation stories; annotations CC BY 4.0.
    **{
        f"storybench/{source}-valid_story_gen.json": PublicFile(f"{_STORYBENCH}/{source}-valid/story_gen.json", sha256)
        for source, sha256 in {
            "oops": "27ce530a28f4f4c17a2a7c521f29043dede76b1bc1f9d71b83c06d0c9eba4d41",
            "uvo": "16bb18126e95ebe6981de094aaf33fca84d7a8b952f3be5c430fd5c6fd91820a",
            "didemo": "4271aecf1de2a1870cd6e59f7bb06a97a61c5cc3eb0a436003eb48eac41b3008",
        }.items()
    },
    # UDS-Time (Decompositional Semantics Initiative), CC BY-SA 4.0.
    "uds_time/time.json": PublicFile(
        f"{_DECOMP}/2.0/normalized/sentence/annotations/time.zip",
        "1c8829535e41b39ad3ddd50243199c82dcdbf65fa73cd105e7e0456c9164bc88",
        member="time.json",
    ),
    "uds_time/ud_ids.json": PublicFile(
        f"{_DECOMP}/ud_ids.json", "82c8e81a9349e48cc92f8142bdf50c1fedab23ac8aaf5f0f1eadcb39385357e7"
    ),
}


def project_data_folder() -> Path:
    """`data/` of the source checkout; `data/` of the working folder when mov_ai is installed without its checkout."""
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "setup.cfg").is_file() else Path.cwd()) / "data"


def _places() -> list[Path]:
    from_environment = os.environ.get("MOV_AI_DATA")
    return [*([Path(from_environment)] if from_environment else []), project_data_folder()]


def data_folder(dataset: str) -> Path:
    """The folder of a dataset: the first place that has all of its files; the project's `data/` after fetching them.

    Args:
        dataset: the first part of the names in `PUBLIC_FILES`, such as "ud_english_ewt".

    Raises:
        MovAIError: as `data_file`.
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
    """A dataset file: the one on this machine, else fetched into the project's `data/`.

    A file that is found is taken as it is; one that is fetched is kept only if its SHA-256 is the known one.

    Args:
        name: a key of `PUBLIC_FILES`, such as "factual/random/train.csv".

    Raises:
        KeyError: if `name` is no such key.
        MovAIError: if the file is nowhere on this machine and cannot be fetched, or is not what was published.
    """
    for place in _places():
        if (place / name).is_file():
            return place / name
    target = project_data_folder() / name
    fetch(name, target)
    return target


def fetch(name: str, target: Path) -> None:
    """Fetch one of `PUBLIC_FILES` and write it to `target`, completely or not at all.

    Raises:
        MovAIError: if it cannot be fetched or written, or is not what was published.
    """
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
        archive = io.BytesIO(response.read())
    with zipfile.ZipFile(archive) as files:
        return files.read(member)
