"""Scene graphs: the shipped ones with values, keys and characters damaged; read, completed, drawn, encoded."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from mov_ai.graph import SceneGraph
from mov_ai.graph.draw import to_dot, to_html, to_svg, to_tree
from mov_ai.graph.schema import MAX_NODES
from mov_ai.labels.encoder import LabelEncoderConfig, load_label_encoder
from mov_ai.models.conditioning import condition
from mov_ai.plugins import World, load_world
from tools.fuzz.case import Case, Kind
from tools.fuzz.damage import damaged_json, json_text


@cache
def shipped_graphs() -> list[dict[str, Any]]:
    """The example graphs as JSON values."""
    folder = Path(__file__).resolve().parents[3] / "data" / "graphs"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


@cache
def _world() -> World:
    world = load_world("tabletop")
    assert world is not None
    return world


def _many(rng: random.Random) -> tuple[dict[str, Any], int]:
    """About as many nodes as a graph may have, with or without a scene; and how many it has with one."""
    count, scene = rng.randint(MAX_NODES - 2, MAX_NODES + 2), rng.random() < 0.5
    nodes = [{"id": f"n{i}", "type": "entity", "label": "ball"} for i in range(count)]
    if scene:
        nodes[0]["type"] = "scene"
    return {"version": 2, "nodes": nodes}, count + (not scene)


def make(rng: random.Random, folder: Path) -> Case:
    """A damaged graph, or a whole one."""
    refusal = "may"
    chance = rng.random()
    if chance < 0.03:
        value, count = _many(rng)
        text, about = json.dumps(value), f"{count} nodes"
        refusal = "must" if count > MAX_NODES else "never"
    elif chance < 0.06:
        text, about, refusal = json.dumps(rng.choice(shipped_graphs())), "as it is", "never"
    else:
        value, about = damaged_json(rng.choice(shipped_graphs()), rng)
        text = json_text(value, rng)
    path = folder / "graph.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return Case(about, lambda: SceneGraph.load(path), _wrong, refusal)


def _wrong(graph: SceneGraph) -> str | None:
    """Everything that is done with a graph before a network sees it."""
    if SceneGraph.from_json(graph.to_json()).to_dict() != graph.to_dict():
        return "read again it is another graph"
    if len(graph.nodes) > MAX_NODES:
        return f"{len(graph.nodes)} nodes"
    svg = to_svg(graph)
    if "<script" in svg or "\x1b" in svg + to_dot(graph) + to_html(graph):
        return "markup or escapes of a label reach the drawing"
    to_tree(graph)
    completed = _world().complete(graph, 0)
    tensors = condition(completed, None, load_label_encoder(LabelEncoderConfig(width=32))).tensors()
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    return f"{broken} not finite" if broken else None


KIND = Kind("graphs", 3.0, make)
