"""Worlds as plug-ins: what a pipeline may ask of the world that its networks were trained on."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol

from mov_ai.errors import UsageError, shown
from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.layout_report import LayoutReport

#: The group of entry points under which an installed package names its worlds.
GROUP = "mov_ai.worlds"


class World(Protocol):
    """A world that a pipeline can name in its `pipeline.json`."""

    @property
    def name(self) -> str:
        """As the entry point is called."""
        ...

    def complete(self, graph: SceneGraph, seed: int) -> SceneGraph:
        """A copy in which what the world must know and the graph leaves open is added and marked `assumed`.

        The same graph and seed give the same copy; a complete graph comes back as it is.
        """
        ...

    def verify(self, graph: SceneGraph, layout: Layout) -> LayoutReport:
        """How well a complete layout shows its graph: what the planner's candidates are chosen by."""
        ...


def world_names() -> list[str]:
    """The worlds that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_world(name: str | None) -> World | None:
    """An installed world by name; None for None.

    Only names that an installed package registered are loaded, so a checkpoint cannot choose a module to import.

    Raises:
        UsageError: if no installed world has the name.
    """
    if name is None:
        return None
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    raise UsageError(
        f"world: expected one of {', '.join(world_names()) or '(none is installed)'}, or null; found {shown(name)}: "
        "install the package that brings it"
    )
