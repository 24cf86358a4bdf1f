"""What commands read: prompts, graphs, parsers."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from mov_ai.cli.messages import say
from mov_ai.errors import UsageError
from mov_ai.hardware import loading

if TYPE_CHECKING:
    from mov_ai.graph import SceneGraph
    from mov_ai.parser.parser import SceneGraphParser

#: Of standard input: far more than any graph, and less than would fill the memory.
MAX_BYTES = 16 * 2**20
#: One word that begins as a path does, or ends as a file's name.
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\]\S+|\S+\.(?:txt|json|jsonl|csv|md|mp4|mov|webm|avi|png|jpe?g|gif)")


def read_standard_input(wanted: str) -> str:
    """Everything on standard input.

    Raises UsageError if it is a terminal, too long or not UTF-8; `wanted` says what to give instead.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(f"nothing to read: {wanted}")
    raw = getattr(sys.stdin, "buffer", sys.stdin).read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise UsageError(f"standard input: expected at most {MAX_BYTES // 2**20} MiB; give less at a time")
    if isinstance(raw, str):  # a stand-in without bytes, as notebooks have
        return raw
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input: expected UTF-8 text; byte {error.start} is not; convert it first") from None


def read_prompt(text: str | None) -> str:
    """The prompt that is given, or standard input's if it is "-" or absent. Raises UsageError as `check_prompt`."""
    if text is None or text == "-":
        text = read_standard_input("give a text in quotes, such as 'a red ball rolls left', or pipe one in").strip(
            "\r\n"
        )
    check_prompt(text)
    for warning in prompt_warnings(text):
        say(f"warning: {warning}")
    return text


def check_prompt(text: str) -> None:
    """Raises UsageError for a prompt that is empty, too long, has control characters or no letters."""
    from mov_ai.parser.input_text import check_text

    check_text(text)
    for position, character in enumerate(text, 1):
        if unicodedata.category(character) == "Cc" and character not in "\t\r\n":
            raise UsageError(f"the prompt holds the control character U+{ord(character):04X} at {position}: remove it")
    if not any(character.isalpha() for character in text):
        raise UsageError(f"the prompt {text[:40]!r} holds no words: say in English what the video should show")


def prompt_warnings(text: str) -> list[str]:
    """What of a prompt is no English text, one line each: symbols, the name of a file."""
    warnings = []
    emoji = dict.fromkeys(character for character in text if unicodedata.category(character) == "So")
    if emoji:
        warnings.append(f"the prompt holds symbols that have no meaning here ({''.join(emoji)}): say it in words")
    if _PATH.fullmatch(text.strip()):
        warnings.append(f"the prompt {text[:60]!r} looks like a file's name, which is read as words: give its text")
    return warnings


def require_english(text: str) -> None:
    """Raises UsageError for another language: the video would be an empty scene, after all the work."""
    from mov_ai.parser.input_text import looks_foreign

    if looks_foreign(text):
        raise UsageError(
            f"the prompt does not look English ({text[:40]!r}): write it in English, or give a graph with --graph"
        )


def read_graph(path: Path) -> SceneGraph:
    """A scene graph's file, or standard input's if the path is "-". Raises UsageError if it is no valid graph."""
    from mov_ai.graph import SceneGraph

    if str(path) == "-":
        return SceneGraph.from_json(read_standard_input("pipe a graph in, or give its file"), "standard input")
    return SceneGraph.load(path)


def check_one_prompt(text: str | None, graph: Path | None) -> None:
    """Raises UsageError if both a text and a graph are given."""
    if text is not None and graph is not None:
        raise UsageError("give a text or --graph, not both: a graph already says all that the video shows")


def read_prompt_or_graph(text: str | None, graph: Path | None) -> str | SceneGraph:
    """The graph of a file, or else an English prompt. Raises UsageError as what it calls."""
    if graph is not None:
        return read_graph(graph)
    prompt = read_prompt(text)
    require_english(prompt)
    return prompt


def load_parser(checkpoint: str | None) -> SceneGraphParser:
    """The parser of a saved pipeline, or from its own folder; the embedded one if None. Raises UsageError."""
    from mov_ai.parser.parser import SceneGraphParser

    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"checkpoint: {folder}: no such folder; give a parser's folder or a pipeline's")
    if folder is not None and (folder / "parser").is_dir():
        folder = folder / "parser"
    with loading():
        return SceneGraphParser.from_pretrained(folder)
