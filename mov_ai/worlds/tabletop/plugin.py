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
        """Scenes of solids by the rules of the table, all others by those of the stage."""
        from mov_ai.worlds.tabletop.solids import is_of_solids

        if is_of_solids(graph):
            from mov_ai.worlds.tabletop.layout_rules import score

            return score(graph, layout)
        from mov_ai.worlds.stage.rules.report import judge

        return judge(graph, layout)


TABLETOP = Tabletop()
