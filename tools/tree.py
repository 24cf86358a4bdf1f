"""The tree at the end of README.md, one line a file, from the files' own first lines: `python -m tools.tree`."""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

from mov_ai.errors import UsageError, run_script
from mov_ai.graph.files import write_bytes

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- tree: python -m tools.tree -->", "<!-- end of tree -->"
#: Folders that are shown by one line, for they hold no Python of ours or mirror what does.
_FOLDERS = {
    "mov_ai/assets": "embedded weights, each with a card: data, licence, steps, hardware, figures",
    "conf": "Hydra's configuration: models, experiments, losses, data, trainers, suites",
    "data": "small text files: prompts with gold graphs, temporal sentences, triplets, example graphs",
    "experiments": "one folder for each study: what was asked, done and found",
    "recipes": "how every shipped weight was made",
    "docs": "pages for users; the API reference is built from the docstrings",
    "tests": "mirror the package",
}
_PYTHON = ("mov_ai", "studies", "tools")


def first_line(path: Path) -> str:
    """The first line of a module's docstring, without a command that it may end with."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    line = " ".join(text.split("\n\n")[0].split())
    return line.split(" `python")[0].rstrip(".:;")


def tree(root: Path = ROOT) -> list[str]:
    """The lines of the tree: folders of Python with their files, then the others."""
    lines = []
    for top in _PYTHON:
        for folder in sorted({path.parent for path in (root / top).rglob("*.py")}):
            depth = len(folder.relative_to(root).parts) - 1
            package = folder / "__init__.py"
            lines.append(_entry(depth, f"{folder.name}/", first_line(package) if package.exists() else ""))
            for path in sorted(folder.glob("*.py")):
                if path.name != "__init__.py":
                    lines.append(_entry(depth + 1, path.name, first_line(path)))
    lines += [_entry(0, f"{name}/", text) for name, text in _FOLDERS.items()]
    return lines


def _entry(depth: int, name: str, text: str) -> str:
    return f"{'  ' * depth}{name}".ljust(30) + f" {text}".rstrip()


def with_tree(readme: str, lines: list[str]) -> str:
    """A README in which the tree is these lines. Raises UsageError if it has no place for one."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise UsageError(f"README.md: expected one {BEGIN!r} and one {END!r}; put them where the tree belongs")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "```", *lines, "```", END + after])


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    argparse.ArgumentParser(prog="python -m tools.tree", description=__doc__).parse_args(given)

    def write() -> None:
        path = ROOT / "README.md"
        text = with_tree(path.read_text(encoding="utf-8"), tree())
        write_bytes(path, text.encode())

    return run_script("tree", write)


if __name__ == "__main__":
    sys.exit(main())
