"""SECURITY.md gives the limits that the code has."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from mov_ai import checked_config

PAGE = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")
LIMITS = re.findall(r"^\| `([\w.]+)` \| (\d+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("name", "value"), LIMITS)
def test_limits_are_those_of_the_code(name: str, value: str) -> None:
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(module), constant) == int(value)


def test_the_page_has_limits_and_ranges_of_settings() -> None:
    assert len(LIMITS) >= 10
    for alias, unit in (("Layers", "layers"), ("Heads", "heads"), ("Channels", "channels")):
        most = next(m.le for m in getattr(checked_config, alias).__metadata__[0].metadata if hasattr(m, "le"))
        assert f"{unit} up to {most:,}" in PAGE


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make (\w+)`", PAGE))))
def test_targets_are_in_the_makefile(target: str) -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
