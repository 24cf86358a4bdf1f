"""What layouts of the worlds' own graphs show, by the verifier that also chooses: `python -m studies.layout.worlds`.

The embedded planner's, of the tabletop's scenes (with things that meet, and crowds) and of staged ones: with one
candidate, and with the best of one to four rounds of eight.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator

from mov_ai.captions.caption import SPLITS
from mov_ai.errors import run_script
from mov_ai.graph import SceneGraph
from mov_ai.models.component import load_component
from mov_ai.models.planner import LayoutPlanner, PlannerConfig
from mov_ai.pipeline_files import pipeline_folder
from mov_ai.training.planner_figures import plan_figures
from mov_ai.training.planner_scenes import draw_chunk, staged_graphs, unpacked
from mov_ai.worlds.tabletop.plugin import TABLETOP
from mov_ai.worlds.tabletop.variation import WorldVariation

#: As conf/experiment/tiny/planner.yaml has them.
_VARIATION = WorldVariation(interactions=0.2, crowds=0.1)


def table_graphs(split: str, number: int) -> list[SceneGraph]:
    """The graphs of the first so many scenes of the tabletop."""

    def graphs() -> Iterator[SceneGraph]:
        for chunk in itertools.count():
            yield from (graph for graph, _ in unpacked(draw_chunk(split, chunk, _VARIATION)))

    return list(itertools.islice(graphs(), number))


def main(given: list[str] | None = None) -> int:
    """Print a line for each figure; returns an exit code."""
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m studies.layout.worlds", description=about, epilog=details)
    parser.add_argument("--checkpoint", default="tiny", help="an embedded pipeline, or the folder of one")
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--number", type=int, default=250, help="graphs of each world")
    options = parser.parse_args(given)
    if options.number < 1:
        parser.error(f"expected --number from 1; found {options.number}")

    def measure() -> None:
        planner = load_component(LayoutPlanner, PlannerConfig, pipeline_folder(options.checkpoint) / "planner")
        graphs_of = {"tabletop": table_graphs, "stage": staged_graphs}
        for world, graphs in graphs_of.items():
            drawn = graphs(options.split, options.number)
            one, best = plan_figures(planner, drawn, TABLETOP.verify, by_motion=world == "tabletop")
            sys.stdout.write(f"{world}, {options.split}, {options.number} graphs: one candidate, the best\n")
            for name, value in best.items():
                share = f"{value:9.1f}" if name == "milliseconds" else f"{100 * value:8.1f}%"
                before = f"{100 * one[name]:8.1f}%" if name in one else " " * 9
                sys.stdout.write(f"  {name:16}{before}{share}\n")

    return run_script("studies.layout.worlds", measure)


if __name__ == "__main__":
    sys.exit(main())
