import pytest

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.parser.assembly import check_size
from mov_ai.parser.parser import EMBEDDED_PARSER, SceneGraphParser

needs_weights = pytest.mark.skipif(
    not (EMBEDDED_PARSER / "model.safetensors").is_file(), reason="the embedded parser is not trained yet"
)


@pytest.fixture(scope="module")
def parser() -> SceneGraphParser:
    return SceneGraphParser.from_pretrained()


def told(graph: SceneGraph) -> list[str]:
    """A graph in short lines: scene, entities with attributes, events with arguments, relations, order of events."""
    root = graph.of_type("scene")[0]
    lines = [f"{name} {value}" for name in ("setting", "light") if (value := getattr(root, name))]
    names = {}
    for node in graph.of_type("entity"):
        names[node.id] = node.label if node.count == 1 else f"{node.count} {node.label}"
        lines.append(names[node.id])
        for attribute, edge in graph.attributes(node.id):
            when = "" if edge.interval == (0.0, 1.0) else f" {edge.interval[0]:g}-{edge.interval[1]:g}"
            lines.append(f"{names[node.id]} is {attribute.label} ({attribute.kind}){when}")
    for node in graph.of_type("event"):
        direction = f" {node.direction}" if node.direction else ""
        start, end = node.interval
        for edge in graph.edges_from(node.id):
            if edge.type in ("agent", "patient", "location"):
                who = f"{edge.type} {names[edge.target]}"
                lines.append(f"{node.label}{direction} {start:g}-{end:g}: {who}")
    for edge in graph.edges:
        if edge.type == "spatial":
            when = "" if edge.interval == (0.0, 1.0) else f" until {edge.interval[1]:g}"
            lines.append(f"{names[edge.source]} {edge.label} {names[edge.target]}{when}")
        elif edge.type == "temporal":
            lines.append(f"{graph.node(edge.source).label} {edge.label} {graph.node(edge.target).label}")
    return lines


EXAMPLES = {
    "a red ball rolls left, then turns blue": [
        "ball",
        "ball is red (color) 0-0.5",
        "ball is blue (color) 0.5-1",
        "roll left 0-0.5: agent ball",
        "turn 0.5-1: agent ball",
        "roll before turn",
    ],
    "A small shiny cube jumps while a green cone slides to the right.": [
        "cube",
        "cube is small (size)",
        "cube is shiny (material)",
        "cone",
        "cone is green (color)",
        "jump 0-1: agent cube",
        "slide right 0-1: agent cone",
        "jump equal slide",
    ],
    "A red ball rolls to the left. Then it turns blue.": [
        "ball",
        "ball is red (color) 0-0.5",
        "ball is blue (color) 0.5-1",
        "roll left 0-0.5: agent ball",
        "turn 0.5-1: agent ball",
        "roll before turn",
    ],
    "A dog runs to the right while a green tree stands still.": [
        "dog",
        "tree",
        "tree is green (color)",
        "run right 0-1: agent dog",
        "stand 0-1: agent tree",
        "run equal stand",
    ],
    "Two red balls roll toward the camera.": [
        "2 ball",
        "2 ball is red (color)",
        "roll toward 0-1: agent 2 ball",
    ],
    "A red ball is pushed to the left, then a blue cube jumps.": [
        "ball",
        "ball is red (color)",
        "cube",
        "cube is blue (color)",
        "push left 0-0.5: patient ball",
        "jump 0.5-1: agent cube",
        "push before jump",
    ],
    "A blue cube jumps after a red ball rolls left.": [
        "cube",
        "cube is blue (color)",
        "ball",
        "ball is red (color)",
        "jump 0.5-1: agent cube",
        "roll left 0-0.5: agent ball",
        "roll before jump",
    ],
    "A red cube is behind a green ball on a wooden table. The ball rolls away.": [
        "setting table",
        "cube",
        "cube is red (color)",
        "ball",
        "ball is green (color)",
        "roll away 0-1: agent ball",
        "cube behind ball until 1",
    ],
    "red ball rolling left in a dark room": [
        "setting dark",
        "ball",
        "ball is red (color)",
        "roll left 0-1: agent ball",
    ],
    "A red sphere and a blue cube rise into the air.": [
        "sphere",
        "sphere is red (color)",
        "cube",
        "cube is blue (color)",
        "rise up 0-1: agent sphere",
        "rise up 0-1: agent cube",
    ],
}
# A relation that holds until the end is not said to end.
EXAMPLES = {text: [line.removesuffix(" until 1") for line in lines] for text, lines in EXAMPLES.items()}


@needs_weights
@pytest.mark.parametrize("text", EXAMPLES)
def test_worded_examples_give_their_graphs(parser, text):
    assert sorted(told(parser(text))) == sorted(EXAMPLES[text])


@needs_weights
def test_events_are_put_in_order(parser):
    graph = parser("First a red ball rolls left, then a green cube jumps, and finally the ball disappears.")
    assert [(n.label, n.interval) for n in graph.of_type("event")] == [
        ("roll", (0.0, 0.3333)),
        ("jump", (0.3333, 0.6667)),
        ("disappear", (0.6667, 1.0)),
    ]
    assert len(graph.of_type("entity")) == 2


@needs_weights
def test_a_batch_gives_what_single_calls_give(parser):
    texts = list(EXAMPLES)[:4]
    assert [told(graph) for graph in parser.parse_batch(texts)] == [told(parser(text)) for text in texts]
    assert parser.parse_batch([]) == []


@needs_weights
def test_spans_point_into_the_text(parser):
    text = "  A Red ball   rolls LEFT ünd then it turns blue\n"
    graph = parser(text)
    assert graph.caption == text
    for node in graph.nodes[1:]:
        assert node.span is not None
        start, end = node.span
        assert 0 <= start < end <= len(text)
        assert 0 <= node.confidence <= 1


def test_a_graph_with_too_many_nodes_is_refused_with_the_limit():
    check_size(64)
    with pytest.raises(UsageError, match="64"):
        check_size(65)


def test_a_folder_without_a_parser_is_named(tmp_path):
    with pytest.raises(UsageError, match=str(tmp_path)):
        SceneGraphParser.from_pretrained(tmp_path)


@needs_weights
@pytest.mark.parametrize(
    "text", ["The robot does not open the door.", "A chef never cuts the bread.", "the man isnt eating the bread"]
)
def test_what_an_event_denies_no_relation_affirms(parser, text):
    graph = parser.parse_batch([text])[0]
    assert [node.negated for node in graph.of_type("event")] == [True]
    assert not [edge for edge in graph.edges if edge.type in ("relation", "spatial")]


@needs_weights
@pytest.mark.parametrize(
    "text", ["a blacksmith hammers a glowing sword with a heavy hammer", "A nurse hands the doctor a scalpel."]
)
def test_what_an_event_tells_is_no_relation_besides(parser, text):
    graph = parser.parse_batch([text])[0]
    assert graph.of_type("event")
    assert not [edge for edge in graph.edges if edge.type == "relation"]


@needs_weights
@pytest.mark.parametrize(
    ("text", "noun", "count"),
    [
        ("one hundred paper boats float down the river", "paper boat", 100),
        ("half a dozen ducks swim", "duck", 6),
        ("a dozen eggs", "egg", 12),
        ('the license plate of the taxi says "NY 42"', "taxi", 1),
        ('Black t-shirt with "tour 1999" printed on the back', "t-shirt", 1),
    ],
)
def test_number_words_count_and_written_numbers_do_not(parser, text, noun, count):
    graph = parser.parse_batch([text])[0]
    assert {node.label: node.count for node in graph.of_type("entity")}[noun] == count
