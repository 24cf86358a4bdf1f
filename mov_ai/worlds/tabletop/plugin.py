"""The world as a pipeline sees it; registered as an entry point in setup.cfg."""

from __future__ import annotations

from mov_ai.graph import Layout, SceneGraph
from mov_ai.graph.layout_report import LayoutReport


class Tabletop:
    """See `mov_ai.plugins.World`."""

    name = "tabletop"

    def complete(self, graph: SceneGraph, seed: int) -> SceneGraph:
        from mov_ai.worlds.tabletop.completion import complete

        return complete(graph, seed)

    def verify(self, graph: SceneGraph, layout: Layout) -> LayoutReport:
        from mov_ai.worlds.tabletop.verifier import verify

        return verify(graph, layout)


TABLETOP = Tabletop()
