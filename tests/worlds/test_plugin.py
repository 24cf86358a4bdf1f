"""The world as a pipeline sees it: what it completes and how it judges."""

from __future__ import annotations

import subprocess
import sys

from mov_ai.plugins import World, load_world
from mov_ai.worlds.stage.rules.report import judge
from mov_ai.worlds.stage.world import sample_scene
from mov_ai.worlds.tabletop.completion import complete
from mov_ai.worlds.tabletop.layout_rules import score
from mov_ai.worlds.tabletop.plugin import TABLETOP
from mov_ai.worlds.tabletop.solids import is_of_solids
from mov_ai.worlds.tabletop.world import caption_and_layout
from tests.models.builders import ball_and_cube


def test_the_world_completes_and_judges() -> None:
    world: World = TABLETOP
    assert world.name == "tabletop"
    assert world.complete(ball_and_cube(), 3) == complete(ball_and_cube(), 3)
    _, caption, layout = caption_and_layout(5, "train")
    assert world.verify(caption.graph, layout) == score(caption.graph, layout)


def test_the_installed_world_is_this_one() -> None:
    assert load_world("tabletop") is TABLETOP


def test_naming_the_world_loads_no_renderer() -> None:
    code = (
        "import sys; from mov_ai.plugins import load_world; load_world('tabletop'); "
        "assert not [name for name in sys.modules if name.endswith(('tabletop.render', 'tabletop.scene'))]"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scenes_of_other_things_are_judged_by_the_rules_of_the_stage() -> None:
    staged = sample_scene(2, "validation", "relative_way")
    assert not is_of_solids(staged.caption.graph)
    assert TABLETOP.verify(staged.caption.graph, staged.layout) == judge(staged.caption.graph, staged.layout)
    for seed in range(12):
        _, caption, layout = caption_and_layout(seed, "validation")
        assert is_of_solids(caption.graph)
        assert TABLETOP.verify(caption.graph, layout) == score(caption.graph, layout)
