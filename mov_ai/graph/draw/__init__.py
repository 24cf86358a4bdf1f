"""Pictures of a scene graph: a tree for the terminal, DOT for Graphviz, SVG, and a web page."""

from mov_ai.graph.draw.graphviz import to_dot
from mov_ai.graph.draw.page import to_html
from mov_ai.graph.draw.svg import to_svg
from mov_ai.graph.draw.tree import to_tree

__all__ = ["to_dot", "to_html", "to_svg", "to_tree"]
