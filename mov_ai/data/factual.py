"""FACTUAL: captions of image regions with scene graphs drawn by people (Li et al., Findings of ACL 2023)."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from mov_ai.data.downloads import data_file
from mov_ai.errors import UsageError
from mov_ai.graph.convert import Triple

#: Ways of cutting the 40 k captions: by chance; or short captions for training, long ones for the test. The two cut the
#: same captions, so a parser trained on one split has seen most of the other's test captions.
SPLITS = ("random", "length")
PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class FactualCaption:
    """A caption and its gold graph.

    Attributes:
        caption: as typed by people, in lower case, misspellings included.
        graph: the gold graph as the file has it, such as `( man , surf in , water ) , ( sky )`.
        triples: the same as (head, predicate, tail); an attribute's predicate is "is", an object alone is
            (name, "", ""). About one caption in 400 has a triple twice, for two things of one name.
    """

    caption: str
    graph: str
    triples: tuple[Triple, ...]


def read_factual(split: str, part: str) -> list[FactualCaption]:
    """One part of `PARTS` of one split of `SPLITS`, in the order of the file.

    Raises UsageError if there is no such, or the file is not FACTUAL's; MovAIError if it cannot be fetched.
    """
    if split not in SPLITS:
        raise UsageError(f"FACTUAL split: expected one of {', '.join(SPLITS)}; found {split!r}")
    if part not in PARTS:
        raise UsageError(f"FACTUAL part: expected one of {', '.join(PARTS)}; found {part!r}")
    path = data_file(f"factual/{split}/{part}.csv")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(row["caption"].strip(), row["scene_graph"].strip()) for row in csv.DictReader(file)]
    except (KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path}: expected a UTF-8 CSV file with the columns caption and scene_graph ({error!r}); fetch it again"
        ) from None
    return [FactualCaption(caption, graph, tuple(parse_triples(graph))) for caption, graph in rows]


def parse_segments(text: str) -> list[str]:
    """The bracketed parts of a graph as text, without their brackets, in order: `man , surf in , water`.

    Spaces around brackets and commas may be missing or many, as in other people's graphs; every comma in the result
    stands between single spaces. This is the reading of FACTUAL's own evaluator, also of what is malformed: only a
    bracket, a comma and a bracket end a part, and a text without brackets is one part.
    """
    for symbol in "(),":
        text = text.replace(symbol, f" {symbol} ")
    return [part.strip("()").strip() for part in " ".join(text.split()).split(") , (")]


def parse_triples(text: str) -> list[Triple]:
    """A graph from its text, such as `( man , surf in , water ) , ( man , is , old ) , ( sky )`; "" gives [].

    A part with one name is (name, "", ""); with two, an attribute (first, "is", second); with more than three, all
    between the first and the last is the predicate. Inverse of `mov_ai.graph.convert.triples_to_text`.
    """
    triples: list[Triple] = []
    for part in parse_segments(text):
        words = [word.strip() for word in part.split(",")]
        if len(words) == 1:
            if words[0]:
                triples.append((words[0], "", ""))
        elif len(words) == 2:
            triples.append((words[0], "is", words[1]))
        else:
            triples.append((words[0], " ".join(words[1:-1]), words[-1]))
    return triples
