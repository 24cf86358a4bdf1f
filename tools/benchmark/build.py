"""Draw the benchmark's prompts and write them: `python -m tools.benchmark.build [--out data/prompts]`.

`--stream 5 --per-category 20 --out FOLDER` draws others of the same kinds, to develop on:
`python -m mov_ai.evaluate suite=video eval.prompts=FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mov_ai.errors import run_script
from mov_ai.evaluation.benchmark.prompts import CATEGORIES, PROMPTS, BenchmarkPrompt, interleaved, load_prompts
from mov_ai.graph.files import check_writable, write_bytes
from tools.benchmark import attribute_recipes, motion_recipes, space_recipes
from tools.benchmark.choices import Choice
from tools.benchmark.drafts import Draft

PER_CATEGORY = 40
#: First word of the recipes' seeds. The world's splits use 0, 1 and 2 and the checker's training 1009, so that no
#: scene here is one of theirs.
_STREAM = 2411
#: Seeds for the generator, far from those of clips.
_FIRST_SEED = 7_000_000
_TRIES = 200

Recipe = Callable[[Choice], Draft | None]
#: Category -> its recipes, taken in turn.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "attribute_binding": (
        attribute_recipes.two_move_together,
        attribute_recipes.same_shape_two_colors,
        attribute_recipes.small_and_large,
        attribute_recipes.three_move_together,
    ),
    "attribute_change": (
        attribute_recipes.turns,
        attribute_recipes.grows_or_shrinks,
        attribute_recipes.turns_on_the_way,
        attribute_recipes.comes_or_goes,
    ),
    "spatial_relations": (
        space_recipes.beside_each_other,
        space_recipes.in_depth,
        space_recipes.three_in_relation,
        space_recipes.on_top,
        space_recipes.close_by,
    ),
    "motion_binding": (
        motion_recipes.opposite_ways,
        motion_recipes.different_ways,
        motion_recipes.one_goes_one_stays,
        motion_recipes.alike_but_for_color,
    ),
    "action_binding": (
        motion_recipes.two_actions,
        motion_recipes.action_and_way,
        motion_recipes.action_and_change,
        motion_recipes.same_shape_two_actions,
    ),
    "interactions": (
        space_recipes.passes_behind,
        space_recipes.is_carried,
        space_recipes.passes_in_front,
        space_recipes.falls_onto,
        space_recipes.passes_behind,
        space_recipes.jumps_over,
        space_recipes.passes_in_front,
        space_recipes.pushes,
    ),
    "counts": (
        attribute_recipes.one_group,
        attribute_recipes.two_groups,
        attribute_recipes.group_and_one,
        attribute_recipes.group_that_is_there,
    ),
    "event_order": (
        motion_recipes.two_things_in_turn,
        motion_recipes.one_thing_two_events,
        motion_recipes.at_the_same_time,
        motion_recipes.one_thing_three_events,
        motion_recipes.three_things_in_turn,
    ),
}


def draw_prompts(per_category: int = PER_CATEGORY, stream: int = 0) -> list[BenchmarkPrompt]:
    """Draw prompts, no text twice, in the order of `load_prompts`.

    Args:
        per_category: how many of each category.
        stream: 0 draws the benchmark's own; any other number draws others of the same kinds, to test checkers on.
    """
    prompts: list[BenchmarkPrompt] = []
    # Others are no texts of the benchmark.
    texts = {prompt.text for prompt in load_prompts()} if stream else set()
    for column, category in enumerate(CATEGORIES):
        recipes = RECIPES[category]
        for number in range(per_category):
            draft = _draw(recipes[number % len(recipes)], [_STREAM, stream, column, number], texts)
            texts.add(draft.worded.text)
            prompts.append(
                BenchmarkPrompt(
                    id=f"{category}-{number:03d}",
                    category=category,
                    text=draft.worded.text,
                    graph=draft.worded.graph,
                    seed=_FIRST_SEED + 100_000 * stream + 1000 * column + number,
                    checks=tuple(draft.checks),
                    things=draft.worded.things,
                    scene=draft.scene,
                )
            )
    return interleaved(prompts)


def _draw(recipe: Recipe, seed: list[int], texts: set[str]) -> Draft:
    choice = Choice(np.random.Generator(np.random.PCG64(seed)))
    for _ in range(_TRIES):
        draft = recipe(choice)
        if draft is not None and draft.worded.text not in texts:
            return draft
    raise RuntimeError(f"{recipe.__name__}: found no scene in {_TRIES} tries")


def write_prompts(folder: Path, per_category: int = PER_CATEGORY, stream: int = 0) -> list[Path]:
    """Write a file CATEGORY.jsonl for each category into a folder, and return their paths.

    Args:
        per_category, stream: see `draw_prompts`.

    Raises:
        MovAIError: if a file cannot be written.
    """
    check_writable(folder)
    prompts = draw_prompts(per_category, stream)
    files = []
    for category in CATEGORIES:
        lines = [
            json.dumps(prompt.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            for prompt in prompts
            if prompt.category == category
        ]
        files.append(folder / f"{category}.jsonl")
        write_bytes(files[-1], ("\n".join(lines) + "\n").encode("utf-8"))
    return files


def main(given: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark.build", description=about, epilog=details)
    parser.add_argument("--out", type=Path, help="folder for the files; the benchmark's own by default")
    parser.add_argument("--per-category", type=int, default=PER_CATEGORY, help="prompts of each category")
    parser.add_argument("--stream", type=int, default=0, help="0 for the benchmark's own prompts, any other for others")
    options = parser.parse_args(given)
    is_own = (options.per_category, options.stream) == (PER_CATEGORY, 0)
    if options.per_category < 1 or options.stream < 0:
        parser.error("expected --per-category from 1 and --stream from 0")
    if not is_own and (options.out or PROMPTS).resolve() == PROMPTS.resolve():
        parser.error(f"expected another folder as --out: {PROMPTS} holds the benchmark's own prompts")

    def build() -> None:
        for file in write_prompts(options.out or PROMPTS, options.per_category, options.stream):
            sys.stdout.write(f"{file}\n")

    return run_script("build", build)


if __name__ == "__main__":
    sys.exit(main())
