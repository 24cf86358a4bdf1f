"""`mov-ai plan --export`: layouts for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_a_planned_layout_is_exported(command: Command, tiny_pipeline_dir: Path, tmp_path: Path) -> None:
    graph = {"version": 2, "caption": "A ball.", "nodes": [{"id": "b", "type": "entity", "label": "ball"}]}
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    outcome = command(
        *("plan", "--graph", "graph.json", "--checkpoint", tiny_pipeline_dir, "--frames", "2"),
        *("--export", "lvd", "--out", "lvd.json"),
    )
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "wrote lvd.json")
    parsed = json.loads((tmp_path / "lvd.json").read_text())
    assert parsed["Prompt"] == "A ball."
    assert list(parsed) == ["Prompt", "Frame 1", "Frame 2", "Background keyword"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--export", "yolo", "--out", "a"], "--export: expected one of lvd, bbox, coco, mot; found 'yolo'"),
        (["--export", "lvd"], "--export: expected --out too"),
    ],
)
def test_wrong_exports_are_refused_before_any_work(command: Command, arguments: list[str], expected: str) -> None:
    outcome = command("plan", "a ball", *arguments, "--checkpoint", "absent")
    assert outcome.code == 2
    assert expected in outcome.err
