from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mov_ai.graph import SceneGraph
from tests.cli.conftest import Command

TEXT = "a red ball"


def test_tree_is_printed(parse: Command) -> None:
    result = parse(TEXT)
    assert (result.code, result.err) == (0, "")
    assert "“a red ball”" in result.out
    assert [line.split()[-1] for line in result.out.splitlines()[1:]] == ["entities", "a", "red", "ball"]


def test_long_lines_are_whole_in_a_pipe(parse: Command) -> None:
    text = "a red ball and " * 12 + "a cube"
    result = parse(text)
    assert f"“{text}”" in result.out
    assert parse(text, "--out", "tree.txt").out == "wrote tree.txt\n"
    assert Path("tree.txt").read_text(encoding="utf-8") == result.out


def test_json_is_a_graph(parse: Command) -> None:
    graph = SceneGraph.from_json(parse(TEXT, "--json").out)
    assert graph.caption == TEXT
    assert [node.label for node in graph.of_type("entity")] == ["a", "red", "ball"]


def test_dot_and_triples(parse: Command) -> None:
    assert parse(TEXT, "--dot").out.startswith("digraph")
    assert parse(TEXT, "--triples").out == "( a ) , ( red ) , ( ball )\n"


def test_standard_input_is_read(parse: Command) -> None:
    from_pipe = parse("--json", stdin=b"a red ball\r\n").out
    assert from_pipe == parse("-", "--json", stdin="\ufeffa red ball".encode()).out == parse(TEXT, "--json").out


def test_pictures_are_written_beside_the_json(parse: Command) -> None:
    result = parse(TEXT, "--json", "--svg", "g.svg", "--html", "deep/g.html")
    assert Path("g.svg").read_text().startswith("<svg")
    assert Path("deep/g.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads(result.out)["caption"] == TEXT
    assert result.err.splitlines() == ["wrote g.svg", "wrote deep/g.html"]


def test_file_gives_one_graph_a_line(parse: Command) -> None:
    Path("prompts.txt").write_text(f"{TEXT}\n\n" + "a café\n" * 40, encoding="utf-8")
    lines = parse("--file", "prompts.txt").out.splitlines()
    assert len(lines) == 41
    assert [SceneGraph.from_json(line).caption for line in lines[:2]] == [TEXT, "a café"]
    written = parse("--file", "prompts.txt", "--out", "graphs.jsonl")
    assert written.out == "wrote graphs.jsonl\n"
    assert Path("graphs.jsonl").read_text(encoding="utf-8").splitlines() == lines


def test_bad_lines_of_a_file_stand_in_their_places_and_stop_no_other(parse: Command) -> None:
    bad = {2: "a \x07 ball", 3: "°", 5: "ball " * 10_000, 6: "cup " * 65, 41: "\U0001f600"}
    lines = [bad.get(number, f"ball {number}" if number % 7 else "  ") for number in range(1, 80)]
    Path("prompts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = parse("--file", "prompts.txt")
    assert result.code == 1
    filled = [number for number in range(1, 80) if lines[number - 1].strip()]
    answers = dict(zip(filled, map(json.loads, result.out.splitlines()), strict=True))
    assert {number for number, answer in answers.items() if "error" in answer} == {*bad}
    assert all(answers[number]["line"] == number and len(answers[number]) == 2 for number in bad)
    assert "U+0007" in answers[2]["error"]
    assert "no words" in answers[3]["error"]
    assert "400 words" in answers[5]["error"]
    assert "66" in answers[6]["error"]
    assert "64" in answers[6]["error"]
    assert [answers[n]["caption"] for n in filled if n not in bad] == [f"ball {n}" for n in filled if n not in bad]
    assert result.err == "mov-ai: error: prompts.txt: 5 of 68 prompts could not be parsed; all others were\n"
    written = parse("--file", "prompts.txt", "--out", "graphs.jsonl")
    assert (written.code, written.out, written.err) == (1, "wrote graphs.jsonl\n", result.err)
    assert Path("graphs.jsonl").read_text(encoding="utf-8") == result.out


def test_what_is_odd_in_a_file_is_warned_of_with_its_line(parse: Command) -> None:
    Path("prompts.txt").write_text("a ball\n\nein Ball und ein Hund\na \U0001f436\n/tmp/a.txt\n", encoding="utf-8")
    result = parse("--file", "prompts.txt")
    assert (result.code, len(result.out.splitlines())) == (0, 4)
    said = ["line 3: the prompt does not look English", "line 4: the prompt holds symbols", "line 5: the prompt '/tmp"]
    assert len(result.err.splitlines()) == len(said)
    for line, start in zip(result.err.splitlines(), said, strict=True):
        assert line.startswith(f"mov-ai: warning: prompts.txt: {start}")


def test_other_language_is_warned_of(parse: Command) -> None:
    result = parse("ein roter Ball und ein Würfel")
    assert result.code == 0
    assert result.err.startswith("mov-ai: warning: the prompt does not look English")
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--json", "--dot"], "choose one"),
        (["x", "--file", "p.txt"], "not both"),
        (["--file", "p.txt", "--svg", "x.svg"], "for one text"),
        (["--file", "absent.txt"], "absent.txt: cannot be read"),
        (["a ball", "--svg", "/dev/null/x.svg"], "/dev/null/x.svg: cannot be written"),
        (["a", "red", "ball"], "unexpected extra argument"),
        (["a ball", "--jsn"], "--jsn"),
    ],
)
def test_wrong_use_is_one_line(parse: Command, arguments: list[str], said: str) -> None:
    result = parse(*arguments)
    assert result.code in (1, 2)
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_help_loads_no_heavy_library() -> None:
    # In a process of its own: in this one they are loaded already.
    script = (
        "import sys; from mov_ai.cli.main import main; assert main(['--help']) == 0 and main(['parse', '-h']) == 0; "
        "heavy = {'torch', 'spacy', 'diffusers', 'transformers', 'av', 'numpy', 'rich', 'PIL'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "generate" in result.stdout


def test_parsing_loads_neither_diffusers_nor_the_denoiser(tiny_pipeline_dir: Path) -> None:
    script = (
        "import sys; from mov_ai.cli.main import main; "
        f"assert main(['parse', 'a ball', '--checkpoint', {str(tiny_pipeline_dir)!r}]) == 0; "
        "heavy = {'diffusers', 'transformers', 'av', 'torchvision', 'torch_geometric'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


def test_version_and_no_arguments(command: Command) -> None:
    from mov_ai import __version__

    assert command("--version").out == f"mov-ai {__version__}\n"
    assert "Usage: mov-ai" in command().out
