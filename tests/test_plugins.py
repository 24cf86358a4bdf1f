"""Worlds by name: only what an installed package registered is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from mov_ai import plugins
from mov_ai.errors import UsageError
from mov_ai.graph import Layout, SceneGraph
from mov_ai.plugins import load_world, world_names


class Meadow:
    """Another world."""

    name = "meadow"

    def complete(self, graph: SceneGraph, seed: int) -> SceneGraph:
        return graph

    def verify(self, graph: SceneGraph, layout: Layout) -> Any:
        raise NotImplementedError


class _Point:
    """An entry point as `importlib.metadata` gives it."""

    def __init__(self, world: Any) -> None:
        self.name, self._world = world.name, world

    def load(self) -> Any:
        return self._world


@pytest.fixture
def meadow(monkeypatch: pytest.MonkeyPatch) -> Meadow:
    world = Meadow()

    def installed(group: str) -> list[_Point]:
        return [_Point(world)] if group == plugins.GROUP else []

    monkeypatch.setattr(plugins, "entry_points", installed)
    return world


def test_the_worlds_own_is_installed() -> None:
    assert "tabletop" in world_names()


def test_no_name_is_no_world() -> None:
    assert load_world(None) is None


def test_another_packages_world_is_found_by_name(meadow: Meadow) -> None:
    assert world_names() == ["meadow"]
    assert load_world("meadow") is meadow


@pytest.mark.parametrize("name", ["tabletop", "", "os", "mov_ai.worlds.tabletop.plugin:TABLETOP", "../meadow", 7])
def test_a_world_that_is_not_installed_is_one_line(meadow: Meadow, name: Any) -> None:
    with pytest.raises(UsageError, match="world: expected one of meadow, or null; found ") as caught:
        load_world(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_any_world_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    with pytest.raises(UsageError, match=r"expected one of \(none is installed\), or null; found 'tabletop'"):
        load_world("tabletop")
