"""`mov-ai parse --explain`, `--triples` and `--entity`: what people and scripts read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mov_ai.graph import SceneGraph
from tests.cli.conftest import Command

TEXT = "a red ball"


def rows(table: str) -> list[list[str]]:
    """The columns of each line of a printed table; they stand two or more blanks apart."""
    return [[cell for cell in line.split("  ") if cell] for line in table.splitlines()]


def test_explain_shows_the_words_of_each_node_and_how_sure_it_is(parse: Command) -> None:
    result = parse(TEXT, "--explain")
    assert (result.code, result.err) == (0, "")
    table = [[cell.strip() for cell in row] for row in rows(result.out)]
    assert table[0] == ["node", "words", "confidence"]
    assert [row[:2] for row in table[1:4]] == [
        ["n1 entity a", "'a'"],
        ["n2 entity red", "'red'"],
        ["n3 entity ball", "'ball'"],
    ]
    assert [float(row[2]) for row in table[1:4]] == [1, 1, 1]
    assert table[4] == []
    assert table[5] == ["edge", "words", "confidence"]


def test_explain_lines_up_its_columns(parse: Command) -> None:
    lines = parse("extraordinarily long words beside a dog", "--explain").out.splitlines()
    nodes = lines[: lines.index("")]
    starts = {line.index("'") for line in nodes[1:]} | {nodes[0].index("words")}
    assert len(starts) == 1


def test_explain_shows_words_as_they_stand_and_keeps_to_its_lines(parse: Command) -> None:
    result = parse("A  Red\tBall\nrolls", "--explain")
    assert [row[1].strip() for row in rows(result.out)[1:5]] == ["'A'", "'Red'", "'Ball'", "'rolls'"]
    assert "\t" not in result.out


def test_explain_goes_to_a_file_and_beside_pictures(parse: Command) -> None:
    printed = parse(TEXT, "--explain").out
    assert parse(TEXT, "--explain", "--out", "why.txt").out == "wrote why.txt\n"
    assert Path("why.txt").read_text(encoding="utf-8") == printed
    result = parse(TEXT, "--explain", "--svg", "g.svg")
    assert (result.out, result.err) == (printed, "wrote g.svg\n")


def test_explain_reads_standard_input(parse: Command) -> None:
    assert parse("--explain", stdin=b"a red ball\n").out == parse(TEXT, "--explain").out


def test_triples_of_a_file_are_one_caption_a_line(parse: Command) -> None:
    captions = [TEXT, "the ball", "a\tcup", *(f"ball {number}" for number in range(40))]
    Path("captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    result = parse("--file", "captions.txt", "--triples")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[:3] == ["( a ) , ( red ) , ( ball )", "( the ) , ( ball )", "( a ) , ( cup )"]
    assert lines[3:] == [f"( ball ) , ( {number} )" for number in range(40)]


def test_triples_of_a_file_go_to_a_file(parse: Command) -> None:
    Path("captions.txt").write_text("a ball\na dog\n")
    assert parse("--file", "captions.txt", "--triples", "--out", "triples.txt").out == "wrote triples.txt\n"
    assert Path("triples.txt").read_text() == "( a ) , ( ball )\n( a ) , ( dog )\n"


def test_triples_of_a_file_with_windows_line_ends_and_a_mark_are_the_same(parse: Command) -> None:
    Path("plain.txt").write_bytes(b"a ball\na dog\n")
    Path("windows.txt").write_bytes(b"\xef\xbb\xbfa ball\r\n\r\na dog\r\n")
    assert parse("--file", "windows.txt", "--triples").out == parse("--file", "plain.txt", "--triples").out


def test_entities_given_are_the_only_ones(parse: Command) -> None:
    assert parse(TEXT, "--triples", "--entity", "ball").out == "( ball )\n"
    assert parse(TEXT, "--triples", "--entity", "ball", "--entity", "RED").out == "( red ) , ( ball )\n"
    assert parse(TEXT, "--triples", "--entity", "red ball").out == "( red ball )\n"
    graph = SceneGraph.from_json(parse(TEXT, "--json", "--entity", "red ball").out)
    assert [(node.label, node.span) for node in graph.of_type("entity")] == [("red ball", (2, 10))]
    explained = rows(parse(TEXT, "--explain", "--entity", "ball").out)
    assert [row[0].strip() for row in explained[1:3] if row] == ["n1 entity ball"]


def test_the_same_entity_twice_is_found_twice(parse: Command) -> None:
    graph = json.loads(parse("a cup beside a cup", "--json", "--entity", "cup", "--entity", "cup").out)
    assert [node["span"] for node in graph["nodes"] if node["type"] == "entity"] == [[2, 5], [15, 18]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([TEXT, "--explain", "--triples"], "choose one"),
        ([TEXT, "--explain", "--json"], "choose one"),
        ([TEXT, "--explain", "--dot"], "choose one"),
        ([TEXT, "--triples", "--json"], "choose one"),
        ([TEXT, "--triples", "--dot"], "choose one"),
        (["--file", "captions.txt", "--triples", "--json"], "choose one"),
        (["--file", "captions.txt", "--explain"], "for one text"),
        (["--file", "captions.txt", "--dot"], "for one text"),
        (["--file", "captions.txt", "--entity", "ball"], "for one text"),
        (["--file", "captions.txt", "--triples", "--html", "x.html"], "for one text"),
        ([TEXT, "--file", "captions.txt", "--triples"], "not both"),
        (["--file", "empty.txt", "--triples"], "empty.txt: holds no prompts"),
        (["--file", "absent.txt", "--triples"], "absent.txt: cannot be read"),
        (["--file", "latin.txt", "--triples"], "latin.txt: expected UTF-8 text; byte 5"),
        ([TEXT, "--entity", "cube"], "'cube' is not in the text"),
        ([TEXT, "--entity", ""], "'' is not in the text"),
        ([TEXT, "--entity", "ball", "--entity", "ball"], "'ball' is not in the text"),
        ([TEXT, "--entity", "bal"], "'bal' is not in the text"),
        ([TEXT, "--entity", "a\nb"], "is not in the text"),
        (["", "--explain"], "empty prompt"),
        (["", "--triples", "--entity", "ball"], "empty prompt"),
        ([TEXT, "--entity"], "--entity"),
    ],
)
def test_wrong_use_is_refused_in_one_line(parse: Command, arguments: list[str], said: str) -> None:
    Path("captions.txt").write_text("a ball\n")
    Path("empty.txt").write_text("\n  \n")
    Path("latin.txt").write_bytes(b"a caf\xe9\n")
    # The fixture's option follows, and would be taken for the value of one that lacks its own.
    result = parse(*arguments) if arguments[-1] != "--entity" else parse("--", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("mov-ai: error: ")
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_a_bad_line_among_captions_is_an_empty_line_and_named(parse: Command) -> None:
    Path("captions.txt").write_text("a ball\n\n" + "ball " * 500 + "\na dog\n")
    result = parse("--file", "captions.txt", "--triples")
    assert (result.code, result.out) == (1, "( a ) , ( ball )\n\n( a ) , ( dog )\n")
    first, last = result.err.splitlines()
    assert first.startswith("mov-ai: error: captions.txt: line 3: the prompt has 500 words")
    assert last == "mov-ai: error: captions.txt: 1 of 3 prompts could not be parsed; all others were"
    assert parse("--file", "captions.txt", "--triples", "--out", "triples.txt").err == result.err
    assert Path("triples.txt").read_text() == result.out


def test_another_language_is_warned_of_beside_the_table(parse: Command) -> None:
    result = parse("ein roter Ball und ein Würfel", "--explain")
    assert result.code == 0
    assert result.err.startswith("mov-ai: warning: the prompt does not look English")
    assert len(result.err.splitlines()) == 1
    assert result.out.startswith("node")
