"""What ships beside the code is found in a checkout and in a wheel (`make check-wheel` proves the latter for real)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mov_ai.evaluation.benchmark.prompts import PROMPTS
from mov_ai.shipped_files import shipped
from studies.parser.temporal_sentences import PROMPTS as TEMPORAL_PROMPTS
from studies.parser.temporal_sentences import SENTENCES

CHECKOUT = Path(__file__).parents[1]


def test_a_checkout_reads_its_own_folders() -> None:
    assert shipped("conf") == CHECKOUT / "conf"
    assert shipped("data/prompts") == CHECKOUT / "data" / "prompts"


def test_a_wheel_reads_what_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mov_ai"
    (package / "share" / "conf").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "mov_ai"]:
        monkeypatch.delitem(sys.modules, name)
    assert shipped("conf") == package / "share" / "conf"


@pytest.mark.parametrize("path", [PROMPTS, SENTENCES, TEMPORAL_PROMPTS])
def test_what_commands_read_ships(path: Path) -> None:
    assert path.exists()


def test_every_folder_of_small_texts_is_in_the_wheel() -> None:
    """Data sets that are fetched lie in `data/` too, and are not tracked."""
    listed = subprocess.run(["git", "ls-files", "data"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folders = {str(Path(name).parent) for name in listed.stdout.splitlines()}
    setup = (CHECKOUT / "setup.py").read_text(encoding="utf-8")
    assert [folder for folder in sorted(folders) if f'"{folder}"' not in setup] == []
