"""What is killed: commands of a tiny size, what must stand after a kill, and what the same command again must give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from mov_ai.data.video import encode_video
from mov_ai.models.component import WEIGHTS_FILE
from mov_ai.pipeline_files import ASSETS
from mov_ai.training.checkpoint import checkpoint_steps

#: Names that may begin with a dot beside results: locks, and what Hydra writes.
_OWN = {".lock", ".hydra"}


@dataclass(frozen=True)
class Job:
    """A command that may be killed.

    Attributes:
        module, arguments: of the command; `{out}` and `{inputs}` stand for folders.
        earlier: arguments of a command that wrote an earlier result into the same folder; None for none.
        standing: what is wrong with a folder right after a kill, None if nothing; takes the folder and fingerprints of
            the earlier and of the whole result.
        begun: whether a killed command can go on rather than begin again.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    fingerprint: Callable[[Path], str]
    earlier: tuple[str, ...] | None = None
    standing: Callable[[Path, set[str]], str | None] = lambda folder, whole: None
    begun: Callable[[Path], bool] = lambda folder: False


@dataclass
class Inputs:
    """What commands read, made once: small videos and captions."""

    folder: Path

    @property
    def data(self) -> Path:
        """What `MOV_AI_DATA` names: captions in FACTUAL's format, few enough to be aligned at once."""
        return self.folder / "data"

    def make(self) -> None:
        """Two folders of three videos each, captions for the first, and captions that a parser learns from."""
        for part, words in (("train", ("red", "old", "wet", "big")), ("dev", ("red", "old"))):
            rows = [
                f'a {word} {thing} on the {place},"( {thing} , is , {word} ) , ( {thing} , on , {place} )"\n'
                for word in words
                for thing in ("dog", "cup", "bench", "kite")
                for place in ("grass", "table", "street")
            ]
            path = self.data / "factual" / "random" / f"{part}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("caption,scene_graph\n" + "".join(rows), encoding="utf-8")
        for place, seed in (("generated", 0), ("reference", 1)):
            (self.folder / place).mkdir(parents=True)
            rng = np.random.default_rng(seed)
            for number in range(3):
                picture = rng.integers(0, 255, (4, 4, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
                video = np.stack([np.roll(picture, 3 * t, 1) for t in range(12)])
                (self.folder / place / f"v{number}.mp4").write_bytes(encode_video(video))
        captions = "file_name,caption\n" + "".join(f"v{n}.mp4,a ball\n" for n in range(3))
        (self.folder / "generated" / "captions.csv").write_text(captions, encoding="utf-8")


def _training(name: str, *overrides: str, options: tuple[str, ...] = ()) -> Job:
    run = ("hydra.run.dir={out}", "trainer.device=cpu", "trainer.threads=1", "trainer.log_every=0")
    steps = ("trainer.max_steps=12", "trainer.checkpoint_every_steps=3", "trainer.warmup_steps=2")
    quiet = ("trainer.validate_every=0", "trainer.sheet_every=0")
    return Job(
        f"train {name}",
        "mov_ai.train",
        (*options, *run, *steps, *quiet, *overrides),
        _weights,
        begun=lambda folder: bool(checkpoint_steps(folder / "checkpoints")),
    )


def _measuring_networks() -> list[Job]:
    """Of the checker and of the networks that `mov-ai eval` measures with."""
    options = ("--config-dir", "tools/metrics/conf")
    few = ("objective.clips=8", "objective.batch_size=2", "trainer.precision=no")
    start = f"objective.start={ASSETS / 'metrics' / 'recognition'}"
    return [
        _training(
            *("checker", "experiment=tiny/checker", "objective.scenes=6", "objective.batch_size=2"), options=options
        ),
        _training(
            "recognition", "experiment=metrics/recognition", *few, "objective.validation_clips=2", options=options
        ),
        _training(
            *("text_video", "experiment=metrics/text_video", *few, start, "objective.validation_clips=64"),
            options=options,
        ),
    ]


def _weights(folder: Path) -> str:
    """Of the exported tensors by name: safetensors' files may differ in the order of their header."""
    digest = hashlib.sha256()
    for path in sorted((folder / "export").rglob(WEIGHTS_FILE)):
        for name, value in sorted(safetensors.numpy.load_file(path).items()):
            digest.update(f"{name} {value.dtype} {value.shape}".encode())
            digest.update(value.tobytes())
    return digest.hexdigest()


def _files(*patterns: str) -> Callable[[Path], str]:
    def fingerprint(folder: Path) -> str:
        digest = hashlib.sha256()
        for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    return fingerprint


_video = _files("video.mp4", "stages/*", "graph.json", "layout.json", "sheet.png")
_shards = _files("*.tar", "index.json")


def _figures(folder: Path) -> str:
    """Of an evaluation: its figures, and the pictures that they stand beside."""
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    values = {name: (entry.get("value"), entry.get("ci95")) for name, entry in content["metrics"].items()}
    shown = {row["name"]: (folder / row["clip"]).read_bytes().hex() for row in content["videos"]}
    return hashlib.sha256(json.dumps([values, shown, content["seed"]]).encode()).hexdigest()


def _recorded(record: str, fingerprint: Callable[[Path], str]) -> Callable[[Path, set[str]], str | None]:
    """Where the record is, everything is one result."""

    def standing(folder: Path, whole: set[str]) -> str | None:
        if not (folder / record).exists():
            return None
        return None if fingerprint(folder) in whole else f"{record} stands beside files of another result"

    return standing


def jobs(inputs: Path) -> list[Job]:
    """All that is killed; `inputs` is where `Inputs` are made."""
    generate = ("generate", "a red ball rolls left", "--stages", "128", "--steps", "1", "--out", "{out}")
    evaluate = ("eval", "--generated", "{inputs}/generated", "--reference", "{inputs}/reference", "--out", "{out}")
    prepare = ("data", "prepare", "{inputs}/generated", "--out", "{out}", "--frames", "8", "--size", "64")
    small = "model.{0}.dim=16", "model.{0}.heads=2"
    return [
        _training("debug", "experiment=debug"),
        _training(
            *("codec", "experiment=tiny/codec", "objective.scenes=4", "objective.batch_size=1"),
            *(
                "+objective.window=32",
                "+objective.frames=2",
                "+objective.validation_clips=1",
                "+objective.spread_clips=2",
                "model.codec.widths=[8,8,8]",
                "model.codec.blocks=[1,1,1]",
            ),
        ),
        _training(
            *("planner", "experiment=tiny/planner", "objective.scenes=20", "objective.batch_size=4"),
            *(f"+objective.cache={inputs}/planner", "+objective.validation_scenes=4", "+objective.test_scenes=4"),
            *(setting.format("planner") for setting in small),
            "model.planner.layers=1",
        ),
        _training(
            *("denoiser", "experiment=tiny/denoiser", "data.clips=6", "data.validation_clips=2"),
            *(f"data.cache={inputs}/latents", "objective.batch_size=1", "model.denoiser.depth=1"),
            *(setting.format("denoiser") for setting in small),
            *(setting.format("denoiser.graph_encoder") for setting in small),
            *("model.denoiser.stem=8", "model.denoiser.stem_blocks=1", "model.denoiser.graph_encoder.layers=1"),
        ),
        _training(
            *("parser", "experiment=parser/teacher", "objective.shares={factual:1.0,timelines:0}"),
            *("objective.batch_size=4", "+objective.captions=20", "objective.network.dim=24"),
            *("objective.network.layers=1", "trainer.precision=no"),
        ),
        *_measuring_networks(),
        Job(
            "generate",
            "mov_ai.cli.main",
            (*generate, "--seed", "2"),
            _video,
            (*generate, "--seed", "1"),
            _recorded("run.json", _video),
        ),
        Job(
            "eval",
            "mov_ai.cli.main",
            (*evaluate, "--seed", "2"),
            _figures,
            (*evaluate, "--seed", "1"),
            _recorded("results.json", _figures),
        ),
        Job(
            "data prepare",
            "mov_ai.cli.main",
            (*prepare, "--no-parse", "--workers", "1", "--stages", "64", "--codec", str(ASSETS / "tiny" / "codec")),
            _shards,
            begun=lambda folder: any(folder.glob("*.tar*")),
        ),
    ]


def leftovers(folder: Path) -> list[str]:
    """Temporary files and folders that are still in a result, or beside it."""
    inside = [path for path in folder.rglob(".*") if path.name not in _OWN and not _OWN & set(path.parts)]
    beside = list(folder.parent.glob(".mov-ai-*"))
    return sorted(path.name for path in (*inside, *beside))
