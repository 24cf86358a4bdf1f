"""The tree at the end of the README."""

from __future__ import annotations

import pytest

from mov_ai.errors import UsageError
from tools.tree import BEGIN, END, ROOT, tree, with_tree


def test_the_readmes_tree_is_that_of_the_files() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_tree(readme, tree()) == readme, "run python -m tools.tree"


def test_every_file_says_what_it_is() -> None:
    assert [line for line in tree() if len(line.split(maxsplit=1)) < 2] == []


def test_a_readme_without_a_place_is_left_alone() -> None:
    with pytest.raises(UsageError, match=r"expected one"):
        with_tree("# nothing", [])
    assert with_tree(f"a\n{BEGIN}\nold\n{END}\nb", ["x"]) == f"a\n{BEGIN}\n```\nx\n```\n{END}\nb"
