"""Whatever goes in: one clear line, the right exit code, no traceback, nothing half-written left."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mov_ai.cli import main as command_line
from mov_ai.graph import Edge, Node, SceneGraph
from mov_ai.labels.coverage import LabelCoverage
from tests.cli.conftest import Command, Outcome

GRAPH: dict[str, Any] = {
    "version": 1,
    "caption": "a red ball rolls",
    "nodes": [
        {"id": "s", "type": "scene", "label": "scene"},
        {"id": "ball", "type": "entity", "label": "ball"},
        {"id": "red", "type": "attribute", "label": "red", "kind": "color"},
        {"id": "roll", "type": "event", "label": "roll", "interval": [0.0, 0.5]},
    ],
    "edges": [
        {"source": "s", "target": "ball", "type": "contains"},
        {"source": "ball", "target": "red", "type": "has_attribute"},
        {"source": "roll", "target": "ball", "type": "agent"},
    ],
}
BOX = [0.5, 0.5, 0.2, 0.2, 5.0, 1.0]
LAYOUT: dict[str, Any] = {"version": 1, "frames": 16, "tracks": [{"entity": "ball", "boxes": [BOX] * 16}]}


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every path under a folder, with what files hold."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture
def refused(command: Command, tmp_path: Path, tiny_pipeline_dir: Path) -> Callable[..., Outcome]:
    """Run a command that must fail: with this code, in one line that holds these words, leaving nothing."""

    def run(*arguments: str | Path, code: int, said: list[str], stdin: bytes = b"") -> Outcome:
        if arguments[0] in ("generate", "plan", "parse") and "--checkpoint" not in arguments:
            arguments = (*arguments, "--checkpoint", tiny_pipeline_dir)
        if arguments[0] == "generate" and "--stages" not in arguments:
            arguments = (*arguments, "--stages", "128")
        before = listing(tmp_path)
        result = command(*arguments, stdin=stdin)
        assert (result.code, result.out) == (code, ""), result.err
        lines = [line for line in result.err.splitlines() if not line.startswith("stage ")]
        assert len(lines) == 1, result.err
        assert lines[0].startswith("mov-ai: error: ")
        assert lines[0].isprintable()
        assert "Traceback" not in result.err
        for words in said:
            assert words in lines[0]
        assert listing(tmp_path) == before
        return result

    return run


# -- prompts -----------------------------------------------------------------------------------------------------------

PROMPTS = {
    "empty": ("", ["empty prompt", "say what the video should show"]),
    "whitespace": (" \t\n ", ["empty prompt", "say what the video should show"]),
    "10,000 words": ("ball " * 10_000, ["at most 400 words", "shorten"]),
    "few characters, many words": ("a " * 5_000, ["at most 400", "shorten"]),
    "emoji": ("🔴🎾 ➡️ 💥", ["holds no words", "say in English"]),
    "control characters": ("a red \x1b[31mball", ["control character U+001B at 7", "remove it"]),
    "bell": ("a \x07 ball", ["control character U+0007 at 3", "remove it"]),
    "half a character": ("a \udcff ball", ["surrogate", "remove it"]),
}
LANGUAGES = {
    "German": "ein roter Ball rollt nach links und ist dann blau",
    "French": "une balle rouge roule vers la gauche et puis tourne avec le cube",
    "Japanese": "赤いボールが左に転がり、青くなる",
    "Russian": "красный мяч катится влево",
}


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("verb", ["parse", "generate", "plan"])
def test_prompt_that_cannot_be_read(refused: Callable[..., Outcome], verb: str, name: str) -> None:
    text, said = PROMPTS[name]
    refused(verb, text, code=2, said=said)


@pytest.mark.parametrize("name", ["empty", "control characters"])
def test_prompt_from_standard_input(refused: Callable[..., Outcome], name: str) -> None:
    text, said = PROMPTS[name]
    refused("generate", code=2, said=said, stdin=text.encode())
    refused("parse", "-", code=2, said=said, stdin=text.encode())


def test_standard_input_of_other_bytes(refused: Callable[..., Outcome]) -> None:
    refused("parse", code=2, said=["standard input", "UTF-8", "byte 2"], stdin=b"a \xff ball")
    Path("prompts.txt").write_bytes(b"a \xff ball")
    refused("parse", "--file", "prompts.txt", code=2, said=["prompts.txt", "UTF-8", "byte 2"])


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("verb", ["generate", "plan"])
def test_prompt_in_another_language(refused: Callable[..., Outcome], verb: str, name: str) -> None:
    refused(verb, LANGUAGES[name], code=2, said=["does not look English", LANGUAGES[name][:10], "write it in English"])


def test_unknown_words_still_run_and_are_named(command: Command, tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(tiny_pipeline_dir, tmp_path / "checkpoint"))
    LabelCoverage({"entity": Counter(ball=9, cube=8)}).save(checkpoint / "denoiser")
    arguments = ["--checkpoint", checkpoint, "--stages", "128", "--out", "a"]
    result = command("generate", "a zorgle 🎈", *arguments)
    assert result.code == 0
    assert Path("a/video.mp4").is_file()
    warnings = [line for line in result.err.splitlines() if not line.startswith("stage ")]
    assert warnings[0] == "mov-ai: warning: the prompt holds symbols that have no meaning here (🎈): say it in words"
    assert warnings[1].startswith("mov-ai: warning: far from all words that this pipeline was trained on: a, zorgle")
    assert len(warnings) == 2
    planned = command("plan", "a zorgle 🎈", "--checkpoint", checkpoint)
    assert (planned.code, planned.err.splitlines()) == (0, warnings)


# -- graphs and layouts ------------------------------------------------------------------------------------------------


def changed(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    """A copy in which the entry at a path such as "edges/0/target" is replaced."""
    copy = json.loads(json.dumps(value))
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = copy
    for step in way:
        place = place[step]
    place[last] = new
    return copy


GRAPHS = {
    "dangling edge": (changed(GRAPH, "edges/2/target", "n99"), ["edges[2].target", "id of a node", "'n99'"]),
    "unknown node type": (changed(GRAPH, "nodes/1/type", "animal"), ["nodes[1].type", "one of scene", "'animal'"]),
    "unknown edge type": (changed(GRAPH, "edges/0/type", "has"), ["edges[0].type", "one of contains", "'has'"]),
    "interval beyond 1": (changed(GRAPH, "nodes/3/interval", [0, 1.5]), ["nodes[3].interval", "<= 1", "1.5"]),
    "interval before 0": (changed(GRAPH, "edges/1/interval", [-1, 1]), ["edges[1].interval", "0 <=", "-1"]),
    "interval reversed": (changed(GRAPH, "nodes/3/interval", [0.5, 0.2]), ["nodes[3].interval", "start < end"]),
    "another version": (changed(GRAPH, "version", 3), ["version", "expected 1 or 2", "found 3"]),
    "65 nodes": (
        {**GRAPH, "nodes": [{"id": f"e{i}", "type": "entity", "label": "ball"} for i in range(65)], "edges": []},
        ["nodes", "at most 64", "found 65", "split"],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("verb", ["generate", "plan"])
def test_graph_that_breaks_the_schema(refused: Callable[..., Outcome], verb: str, name: str) -> None:
    graph, said = GRAPHS[name]
    Path("graph.json").write_text(json.dumps(graph))
    refused(verb, "--graph", "graph.json", code=2, said=["graph.json: ", *said])


def test_graph_of_64_nodes_is_fine(command: Command, tiny_pipeline_dir: Path) -> None:
    nodes = [Node("s", "scene", "scene"), *(Node(f"e{i}", "entity", "ball") for i in range(63))]
    SceneGraph("", nodes, [Edge("s", node.id, "contains") for node in nodes[1:]]).save("graph.json")
    assert command("plan", "--graph", "graph.json", "--checkpoint", tiny_pipeline_dir).code == 0


def test_graph_from_standard_input_and_files_that_are_none(refused: Callable[..., Outcome]) -> None:
    refused("generate", "--graph", "-", code=2, said=["standard input: line 1", "JSON"], stdin=b"{nodes}")
    refused("generate", "--graph", "absent.json", code=2, said=["absent.json", "No such file", "give a JSON file"])
    Path("broken.json").write_text('{"version": 1,\n "nodes": [')
    refused("generate", "--graph", "broken.json", code=2, said=["broken.json: line 2", "expected JSON"])
    Path("picture.json").write_bytes(b"\x89PNG\xff")
    refused("generate", "--graph", "picture.json", code=2, said=["picture.json", "UTF-8"])


LAYOUTS = {
    "NaN": (changed(LAYOUT, "tracks/0/boxes/3/0", float("nan")), ["NaN"]),
    "infinity": (changed(LAYOUT, "tracks/0/boxes/3/2", float("inf")), ["Infinity"]),
    "far outside": (changed(LAYOUT, "tracks/0/boxes/3/0", 99), ["tracks[0].boxes[3].x", "-2 to 3", "99"]),
    "too few frames": (changed(LAYOUT, "tracks/0/boxes", [BOX] * 3), ["tracks[0].boxes", "16 entries", "3 entries"]),
    "unknown entity": (changed(LAYOUT, "tracks/0/entity", "cube"), ["'cube'", "ball"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("verb", ["generate", "plan"])
def test_layout_that_cannot_be_used(refused: Callable[..., Outcome], verb: str, name: str) -> None:
    layout, said = LAYOUTS[name]
    Path("graph.json").write_text(json.dumps(GRAPH))
    Path("layout.json").write_text(json.dumps(layout))
    refused(verb, "--graph", "graph.json", "--layout", "layout.json", code=2, said=["layout", *said])


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tiny_pipeline_dir: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_pipeline_dir, tmp_path / "checkpoint"))


class Trap:
    """Would leave a file behind if it were ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("unpickled", "w"))


@pytest.mark.parametrize("part", ["denoiser", "codec", "planner", "parser"])
def test_truncated_checkpoint(refused: Callable[..., Outcome], checkpoint: Path, part: str) -> None:
    weights = checkpoint / part / "model.safetensors"
    for size in (weights.stat().st_size // 2, 5, 0):
        with weights.open("r+b") as file:
            file.truncate(size)
        refused("generate", "a ball", "--checkpoint", checkpoint, code=1, said=[str(weights.parent)])


def test_pickles_are_never_loaded(refused: Callable[..., Outcome], checkpoint: Path) -> None:
    weights = checkpoint / "denoiser" / "model.safetensors"
    said = [str(weights), "pickles are never loaded"]
    weights.write_bytes(pickle.dumps(Trap()))
    refused("generate", "a ball", "--checkpoint", checkpoint, code=2, said=said)
    torch.save({"weight": torch.zeros(3)}, weights)
    refused("generate", "a ball", "--checkpoint", checkpoint, code=2, said=said)
    weights.rename(weights.with_name("pytorch_model.bin"))
    refused("generate", "a ball", "--checkpoint", checkpoint, code=2, said=["pytorch_model.bin", said[1]])
    Path("model.ckpt").write_bytes(pickle.dumps(Trap()))
    refused("generate", "a ball", "--checkpoint", "model.ckpt", code=2, said=["model.ckpt", said[1]])
    assert not Path("unpickled").exists()


def edit_json(path: Path, keys: str, value: Any) -> None:
    path.write_text(json.dumps(changed(json.loads(path.read_text()), keys, value)))


SPOILED: dict[str, tuple[str, str, Any, int, list[str]]] = {
    "another size": ("denoiser/config.json", "config/dim", 128, 1, ["denoiser/model.safetensors", "another size"]),
    "another depth": ("denoiser/config.json", "config/depth", 2, 1, ["denoiser/model.safetensors", "missing"]),
    "another schema": ("denoiser/config.json", "schema", 7, 2, ["config.json", "schema: expected 3, found 7"]),
    "another pipeline schema": ("pipeline.json", "schema", 7, 2, ["pipeline.json", "schema: expected 2, found 7"]),
    "the first version": (
        "pipeline.json",
        "schema",
        1,
        2,
        ["schema 1, of the first version", "train the networks again"],
    ),
    "a world that is not installed": (
        "pipeline.json",
        "world",
        "moon",
        2,
        ["pipeline.json: world: expected", "'moon'"],
    ),
    "network of the first version": ("denoiser/config.json", "schema", 1, 2, ["schema: expected 3, found 1", "train"]),
    "another network": ("planner/config.json", "network", "VideoCodec", 2, ["planner/config.json", "LayoutPlanner"]),
    "unknown setting": ("codec/config.json", "config/colour", 3, 2, ["codec/config.json", "'colour'"]),
    "impossible setting": ("denoiser/config.json", "config/heads", 7, 2, ["denoiser/config.json", "7"]),
    "setting of another type": ("denoiser/config.json", "config/dim", "wide", 2, ["denoiser/config.json"]),
    "parser of another size": ("parser/config.json", "network/dim", 32, 1, ["parser", "of another size"]),
}


@pytest.mark.parametrize("name", SPOILED)
def test_checkpoint_of_another_kind(refused: Callable[..., Outcome], checkpoint: Path, name: str) -> None:
    path, keys, value, code, said = SPOILED[name]
    edit_json(checkpoint / path, keys, value)
    refused("generate", "a ball", "--checkpoint", checkpoint, code=code, said=[str(checkpoint), *said])


def test_checkpoint_that_is_not_there(refused: Callable[..., Outcome], tmp_path: Path) -> None:
    refused("generate", "a ball", "--checkpoint", "absent", code=2, said=["absent", "'tiny'", "pipeline.json"])
    refused("generate", "a ball", "--checkpoint", "movai", code=2, said=["'movai'", "no embedded weights", "train"])
    refused("plan", "a ball", "--checkpoint", "absent", code=2, said=["absent", "'tiny'", "pipeline.json"])
    refused("plan", "a ball", "--checkpoint", "movai", code=2, said=["'movai'", "no embedded weights", "train"])
    refused("parse", "a ball", "--checkpoint", "absent", code=2, said=["absent", "give a parser's folder"])


# -- devices and places ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_gpu_that_is_not_there(refused: Callable[..., Outcome], device: str) -> None:
    refused("generate", "a ball", "--device", device, code=2, said=[f"device: '{device}'", "--device cpu"])


@pytest.mark.parametrize("device", ["abacus", "meta", "cuda:99", ""])
def test_unknown_device(refused: Callable[..., Outcome], device: str) -> None:
    refused("generate", "a ball", "--device", device, code=2, said=["device", "cpu"])


@pytest.mark.parametrize("place", ["file/below", "file", "/proc/results", "/dev/null/results", "x" * 300])
@pytest.mark.parametrize("verb", ["generate", "world"])
def test_place_that_cannot_be_written(refused: Callable[..., Outcome], verb: str, place: str) -> None:
    Path("file").write_text("mine")
    arguments = ("generate", "a ball") if verb == "generate" else ("world", "sample", "--size", "32")
    named = "/dev/null" if place.startswith("/dev/null") else place[:100].removesuffix("/below")
    result = refused(*arguments, "--out", place, code=1, said=[named, "choose"])
    assert "stage " not in result.err, "known before the work, not after it"


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a disk of 16 KiB; or, where nothing can be mounted, files that claim to have no space."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(place)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield place
        subprocess.run(["umount", str(place)], check=True)
        return

    class Full:
        def __init__(self, handle: int, mode: str) -> None:
            self.handle = handle

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *error: object) -> None:
            os.close(self.handle)

        def write(self, content: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mov_ai.graph.files.os.fdopen", Full)
    yield place


@pytest.mark.parametrize("exists", [True, False])
def test_no_disk_space(refused: Callable[..., Outcome], full_disk: Path, exists: bool) -> None:
    out = full_disk if exists else full_disk / "deep" / "results"
    said = ["No space left on device", "free disk space"]
    refused("generate", "a ball", "--out", out, code=1, said=said)
    refused("world", "sample", "--size", "256", "--out", out, code=1, said=said)
    if exists:
        refused("parse", "ball " * 50, "--html", out / "graph.html", code=1, said=said)


def test_read_only_disk(refused: Callable[..., Outcome], tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k,ro", "none", str(place)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not mounted:
        place.chmod(0o555)
        if os.access(place, os.W_OK):
            pytest.skip("root without the right to mount writes everywhere")
    try:
        refused("generate", "a ball", "--out", place / "results", code=1, said=["results: cannot be written", "choose"])
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
        else:
            place.chmod(0o755)


# -- what steers a terminal --------------------------------------------------------------------------------------------


def test_words_of_a_graph_are_escaped_where_they_are_printed(
    command: Command, tiny_pipeline_dir: Path, tmp_path: Path
) -> None:
    label = "ball\x1b[31m\x9b31m"
    nodes = [
        {"id": "s", "type": "scene", "label": "scene"},
        {"id": "b", "type": "entity", "label": label},
        {"id": "e", "type": "event", "label": "fly\x1b[2J"},
    ]
    edges = [{"source": "e", "target": "b", "type": "agent"}]
    (tmp_path / "graph.json").write_text(json.dumps({"version": 2, "nodes": nodes, "edges": edges}))
    given = ("--graph", "graph.json", "--checkpoint", tiny_pipeline_dir, "--frames", "2")
    for arguments in (("generate", *given, "--stages", "128", "--out", "made"), ("plan", *given, "--out", "l.json")):
        result = command(*arguments)
        assert result.code == 0, result.err
        assert r"ball\x1b[31m\x9b31m" in result.out
        assert all(line.isprintable() for line in result.out.splitlines())


# -- what nobody foresaw -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "mov-ai: interrupted; nothing half-written is left"),
        (MemoryError(), 1, "mov-ai: error: not enough memory; give shorter texts"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "mov-ai: error: not enough memory"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x"),
            1,
            "mov-ai: error: /x: no space left on the disk; free",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "mov-ai: error: /x: Permission denied; check"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 2, "x: no such file, its name is too long"),
        (RuntimeError("two\nlines \x1b[31m"), 1, r"unexpected RuntimeError: two\nlines \x1b[31m; this is a bug"),
        (RuntimeError("long " * 10_000), 1, "please report it"),
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_any_error_is_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str, debug: bool
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("mov_ai.cli.parse.load_parser", fail)
    result = command(*(["--debug"] if debug else []), "parse", "a ball")
    assert result.code == code
    assert said in result.err.splitlines()[-1]
    assert len(result.err.splitlines()[-1]) < 800
    if not debug:
        assert len(result.err.splitlines()) == 1
    elif code == 1:
        assert "Traceback" in result.err


def test_broken_pipe_is_silent(tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a red ball\n" * 3000)
    arguments = f"parse --file {tmp_path / 'prompts.txt'} --checkpoint {tiny_pipeline_dir}"
    line = f"{sys.executable} -m mov_ai.cli.main {arguments} | head -c 10"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)
    assert (len(result.stdout), result.stderr) == (10, "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["generate", "  "], 2, "mov-ai: error: empty prompt"),
        (["generate", "--graph", "two\nlines.json"], 2, r"mov-ai: error: two\nlines.json: cannot be read"),
        (["generate", "a ball", "--out", "/proc/results"], 1, "mov-ai: error: /proc/results: cannot be written"),
        (["generate", "a ball", "--chekpoint", "x"], 2, "mov-ai: error: No such option: --chekpoint"),
        (["frobnicate"], 2, "mov-ai: error: No such command 'frobnicate'"),
    ],
)
def test_real_process_shows_no_traceback(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    script = Path(sys.executable).with_name("mov-ai")
    run = [str(script)] if script.exists() else [sys.executable, "-m", "mov_ai.cli.main"]
    result = subprocess.run([*run, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(command: Command, tmp_path: Path, tiny_pipeline_dir: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        # In the midst of writing: the video is there already, the rest is not.
        patch.setattr("mov_ai.result.write_json", interrupted)
        arguments = ["--checkpoint", tiny_pipeline_dir, "--stages", "128", "--out", "deep/results"]
        result = command("generate", "a ball", *arguments)
    assert (result.code, result.err.splitlines()[-1]) == (130, "mov-ai: interrupted; nothing half-written is left")
    assert list(tmp_path.iterdir()) == []
    assert command_line.INTERRUPTED == 130


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["generate"], ("--stages 256", "--frames 8")),
        (["eval"], ("--batch 1", "--max-frames 16")),
        (["data", "prepare"], ("--workers 1", "--size 128")),
        (["plan"], ("--frames 8", "--size 128")),
        (["inspect", "attention"], ("--block 1", "--step 1")),
        (["world", "sample"], ("--size 64",)),
    ],
)
def test_out_of_memory_names_settings_that_the_command_has(
    command: Command, words: list[str], settings: tuple[str, ...]
) -> None:
    _, said = command_line._explain(MemoryError(), words[0])
    assert said.startswith("not enough memory; ")
    shown = command(*words, "--help").out
    for setting in settings:
        assert setting in said
        assert setting.split()[0] in shown
