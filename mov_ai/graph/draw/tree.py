"""A scene graph as a tree for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mov_ai.graph.draw.words import (
    ROLES,
    clean,
    count_text,
    detail_of,
    distinct_names,
    interval_text,
    is_added,
    marked,
    own_interval,
)
from mov_ai.graph.schema import Edge, Node, SceneGraph

if TYPE_CHECKING:
    from rich.tree import Tree

_TREE_STYLES = {"scene": "bold", "event": "dark_orange", "entity": "dodger_blue1", "attribute": "green"}


def to_tree(graph: SceneGraph, confidence: bool = False) -> Tree:
    """The graph as a tree for the terminal (`rich.print(to_tree(graph))`), with confidences below 1 if asked.

    Branches `entities` (with attributes), `events` (with roles), `relations`, `time`, `loose attributes`; empty ones
    are left out. Intervals are shown for events, and elsewhere where they are not [0, 1].
    """
    from rich.text import Text
    from rich.tree import Tree

    names = distinct_names(graph)

    def percent(value: float) -> str:
        return f"  {value:.0%}" if confidence and value < 1 else ""

    def timed(edge: Edge) -> str:
        interval = own_interval(graph, edge)
        return f"  {interval}" if interval else ""

    def line(node: Node, plain: str, dim: str = "") -> Text:
        prefix = "not " if node.negated else ""
        style = _TREE_STYLES[node.type] + (" dim" if is_added(node) else "")
        return Text.assemble((prefix, "red"), (plain, style), (dim + percent(node.confidence), "dim"))

    scene = next((node for node in graph.nodes if node.type == "scene"), Node("scene", "scene", "scene"))
    detail = detail_of(scene)
    heading = line(scene, names.get(scene.id, scene.label), f"  {detail}" if detail else "")
    if graph.caption:
        heading.append(f"  “{clean(graph.caption)}”", "italic")
    tree = Tree(heading)

    entities = graph.of_type("entity")
    if entities:
        branch = tree.add("entities")
        for entity in entities:
            added = "  assumed" if is_added(entity) else ""
            twig = branch.add(line(entity, names[entity.id] + count_text(entity), added))
            for attribute, edge in graph.attributes(entity.id):
                leaf = line(attribute, clean(attribute.label), f"  {detail_of(attribute)}{timed(edge)}")
                leaf.append(percent(edge.confidence), "dim")
                twig.add(leaf)

    events = graph.of_type("event")
    if events:
        branch = tree.add("events")
        for event in events:
            words = (marked(event, name, getattr(event, name)) for name in ("direction", "manner"))
            plain = " ".join([names[event.id], *(clean(word) for word in words if word)])
            interval = marked(event, "interval", interval_text(event.interval))
            twig = branch.add(line(event, plain, f"  {interval}" + ("  assumed" if is_added(event) else "")))
            links = graph.edges_from(event.id)
            in_role = {edge.target for edge in links if edge.type in ROLES}
            for edge in links:
                if edge.type in ROLES or (edge.type == "contains" and edge.target not in in_role):
                    label = f" ({clean(edge.label)})" if edge.label else ""
                    text = f"{edge.type}{label}: {names[edge.target]}"
                    twig.add(Text.assemble(text, (timed(edge) + percent(edge.confidence), "dim")))

    def on_screen(edge: Edge) -> bool:
        return edge.type == "location" and edge.source in {entity.id for entity in entities}

    for title, types in (("relations", ("spatial", "relation", "coref")), ("time", ("temporal",))):
        links = [edge for edge in graph.edges if edge.type in types or (on_screen(edge) and title == "relations")]
        if links:
            branch = tree.add(title)
            for edge in links:
                link = "same as" if edge.type == "coref" else clean(edge.label or edge.type)
                text = f"{names[edge.source]} {link} {names[edge.target]}"
                branch.add(Text.assemble(text, (timed(edge) + percent(edge.confidence), "dim")))

    loose = [node for node in graph.of_type("attribute") if not graph.edges_to(node.id, "has_attribute")]
    if loose:
        branch = tree.add("loose attributes")
        for node in loose:
            branch.add(line(node, names[node.id], f"  {detail_of(node)}"))
    return tree
