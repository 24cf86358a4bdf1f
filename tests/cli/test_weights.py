from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mov_ai.cli.weights import _Bar
from mov_ai.evaluation.metrics import weights
from mov_ai.evaluation.metrics.weights import WEIGHTS, WeightsFile
from mov_ai.models import taef2_files
from mov_ai.models.codec_registry import load_codec
from tests.cli.conftest import Command
from tests.data.file_server import FileServer, running
from tests.models.test_taef2 import random_taef2, write_published

FIRST, SECOND = b"one" * 200_000, b"two" * 200_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """Two files of weights, published by this machine, and no others; empty places for them."""
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    with running() as found:
        table = {}
        for name, content in (("first", FIRST), ("second", SECOND)):
            url, digest = found.publish(f"/{name}.pt", content), hashlib.sha256(content).hexdigest()
            table[name] = WeightsFile(f"{name}.pt", url, digest, "MIT", len(content), "tests")
        monkeypatch.setattr(weights, "WEIGHTS", table)
        yield found


def here(folder: str = "weights") -> list[str]:
    place = Path(folder)
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def test_list_names_every_file_with_all_that_is_known_of_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MOV_AI_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    result = command("weights", "list")
    assert (result.code, result.err) == (0, "")
    for name, known in WEIGHTS.items():
        for fact in (
            name,
            known.use,
            known.file,
            known.url,
            known.licence,
            known.sha256[:12],
            f"{known.size / 1e6:.1f}",
        ):
            assert fact in result.out
    # The codec's file is known by the values in it.
    assert result.out.count("absent") == len(WEIGHTS) + 1
    *rows, codec = json.loads(command("weights", "list", "--json").out)
    assert (codec["name"], codec["file"], codec["sha256"]) == ("taef2", "taef2.safetensors", None)
    assert [row["name"] for row in rows] == list(WEIGHTS)
    assert all(row["path"] is None and row["sha256"] == WEIGHTS[row["name"]].sha256 for row in rows)


def test_pull_brings_files_once_and_list_and_verify_see_them(command: Command, server: FileServer) -> None:
    result = command("weights", "pull", "first", "first")
    assert result.code == 0
    assert result.out == f"first: {Path('weights/first.pt').absolute()}: as published\n"
    assert result.err == "mov-ai: first: fetching 0.6 MB\n"
    assert Path("weights/first.pt").read_bytes() == FIRST
    assert command("weights", "pull", "--all").code == 0
    assert here() == ["first.pt", "second.pt"]
    assert server.asked == ["/first.pt", "/second.pt"]
    assert "was here already" in command("weights", "pull", "second").out
    *rows, _ = json.loads(command("weights", "list", "--json").out)
    assert [Path(row["path"]).name for row in rows] == ["first.pt", "second.pt"]
    verified = command("weights", "verify")
    assert verified.code == 0
    assert verified.out.count("as published") == 2


def test_verify_names_what_is_wrong_and_what_to_do(command: Command, server: FileServer) -> None:
    assert command("weights", "verify").out.startswith("no weights in")
    command("weights", "pull", "--all")
    Path("weights/second.pt").write_bytes(SECOND[:-1])
    result = command("weights", "verify")
    assert result.code == 1
    assert result.out.startswith("first: ")
    assert str(Path("weights/second.pt").absolute()) in result.err
    assert "mov-ai weights pull" in result.err
    assert len(result.err.splitlines()) == 1
    assert command("weights", "verify", "first").code == 0
    assert command("weights", "pull", "second").code == 0
    assert command("weights", "verify").code == 0


def test_verify_looks_at_every_place(command: Command, server: FileServer) -> None:
    command("weights", "pull", "first")
    shadowed = Path("torch/hub/checkpoints/first.pt")
    shadowed.parent.mkdir(parents=True)
    shadowed.write_bytes(b"damaged")
    result = command("weights", "verify")
    assert result.code == 1
    assert str(shadowed) in result.err


def test_a_named_file_that_is_absent_cannot_be_verified(command: Command, server: FileServer) -> None:
    result = command("weights", "verify", "first")
    assert result.code == 1
    assert "mov-ai weights pull first" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pull", "frist"], "'frist'; the names are first, second"),
        (["verify", "frist"], "'frist'; the names are first, second"),
        (["pull"], "either names or --all"),
        (["pull", "first", "--all"], "either names or --all"),
        (["push"], "push"),
    ],
)
def test_wrong_use_is_refused(command: Command, server: FileServer, arguments: list[str], said: str) -> None:
    result = command("weights", *arguments)
    assert result.code == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert server.asked == []


@pytest.mark.parametrize("trouble", ["no network", "missing", "cut off", "another", "endless"])
def test_what_cannot_be_fetched_says_where_it_is_and_what_to_do_by_hand(
    command: Command, server: FileServer, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    url = weights.WEIGHTS["first"].url
    if trouble == "no network":
        url = "http://127.0.0.1:1/first.pt"
        entry = WeightsFile("first.pt", url, "0" * 64, "MIT", 1, "tests")
        monkeypatch.setitem(weights.WEIGHTS, "first", entry)
    elif trouble == "missing":
        del server.files["/first.pt"]
    elif trouble == "cut off":
        server.announced["/first.pt"] = len(FIRST) + 1
    elif trouble == "endless":
        server.files["/first.pt"], server.announced["/first.pt"] = FIRST * 20, None
    else:
        server.files["/first.pt"] = SECOND
    result = command("weights", "pull", "first")
    assert result.code == 1
    error = [line for line in result.err.splitlines() if "error" in line]
    assert len(error) == 1
    for fact in ("first", url, str(Path("weights/first.pt").absolute()), "by hand", "mov-ai weights verify first"):
        assert fact in error[0]
    assert not Path("weights").exists()


def test_one_that_fails_does_not_keep_the_others(command: Command, server: FileServer) -> None:
    del server.files["/first.pt"]
    result = command("weights", "pull", "--all")
    assert result.code == 1
    assert "error: first" in result.err
    assert here() == ["second.pt"]


def test_the_codec_is_kept_only_if_its_weights_fit(
    command: Command, server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        taef2_files, "URL", server.publish("/taef2.safetensors", b"another file, of some other network")
    )
    failed = command("weights", "pull", "taef2")
    assert (failed.code, "taef2.safetensors now gives another file (not a whole safetensors file" in failed.err) == (
        1,
        True,
    )
    assert "mov-ai weights pull taef2" in command("weights", "verify", "taef2").err
    assert not Path("weights").exists()
    write_published(random_taef2(), tmp_path)
    server.files["/taef2.safetensors"] = (tmp_path / "taef2.safetensors").read_bytes()
    pulled = command("weights", "pull", "taef2")
    assert (pulled.code, "weights/taef2.safetensors: TAEF2, but not the version" in pulled.out) == (0, True)
    assert "was here already" in command("weights", "pull", "taef2").out
    assert command("weights", "verify").code == 0
    assert load_codec("taef2").config.latent_channels == 32


def test_an_interrupt_leaves_nothing(command: Command, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(bar: _Bar, done: int, whole: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(_Bar, "report", interrupt)
    result = command("weights", "pull", "--all")
    assert result.code == 130
    assert "nothing half-written" in result.err
    assert not Path("weights").exists()


def test_a_place_that_is_a_file_is_named(command: Command, server: FileServer) -> None:
    Path("weights").write_text("mine")
    result = command("weights", "pull", "first")
    assert result.code == 1
    assert "weights: is a file" in result.err
    assert Path("weights").read_text() == "mine"


def test_no_torch_is_loaded() -> None:
    script = (
        "import sys; from mov_ai.cli.main import main; "
        "assert main(['weights', '-h']) == 0; assert not {'numpy', 'rich'} & set(sys.modules); "
        "assert main(['weights', 'list']) == 0; main(['weights', 'verify']); "
        "heavy = {'torch', 'torchvision', 'lpips', 'scipy', 'av'} & set(sys.modules); assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
