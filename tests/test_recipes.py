"""The recipes: one for each shipped weight file, in words that the shell and the configuration understand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from mov_ai.hydra_entry import choices, config_directory

CHECKOUT = Path(__file__).parents[1]
RECIPES = sorted((CHECKOUT / "recipes").glob("*.sh"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_can_be_run(recipe: Path) -> None:
    assert os.access(recipe, os.X_OK)
    assert subprocess.run(["bash", "-n", str(recipe)], check=False).returncode == 0
    text = recipe.read_text(encoding="utf-8")
    folders = [config_directory(), *(CHECKOUT / folder for folder in re.findall(r"--config-dir (\S+)", text))]
    experiments = {name for folder in folders for name in choices(folder, "experiment")}
    assert set(re.findall(r"experiment=(\S+)", text)) <= experiments
    for module in re.findall(r"-m ((?:mov_ai|tools)\S+)", text):
        assert (CHECKOUT / f"{module.replace('.', '/')}.py").is_file()


def test_every_shipped_weight_file_has_its_recipe() -> None:
    assets = CHECKOUT / "mov_ai" / "assets"
    folders = {path.parent for pattern in ("*.safetensors", "meta.json") for path in assets.rglob(pattern)}
    text = "\n".join(recipe.read_text(encoding="utf-8") for recipe in RECIPES)
    named = {CHECKOUT / folder.rstrip("/.") for folder in re.findall(r"mov_ai/assets/[\w/]+", text)}
    assert folders == named


def test_the_makefile_runs_recipes_that_there_are() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    loops = re.findall(r"for name in ([\w ]+); do recipes/", makefile)
    assert {name for loop in loops for name in loop.split()} == {recipe.stem for recipe in RECIPES}
