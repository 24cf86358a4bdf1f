"""Set Match and SPICE between two scene graphs as text, as FACTUAL's evaluator defines them.

The definitions are those of the package FactualSceneGraph 0.7.3 (`Evaluator.evaluate`, methods "set_match" and
"spice", with its defaults `merge_tuples_synonyms=False`, `synonym_match=True`, `lemmatize=False`), one reference for
each candidate. Values are equal to the last bit, with one exception: in that package the order in which a graph's parts
are read follows Python's hash seed. It matters only where two different tuples read the same once joined by spaces, as
the object `tree trunk` and `( tree , is , trunk )` do: the package keeps the one that it happens to meet first. Here
parts are read in alphabetical order, which gives one of the package's possible values, always the same.

The package can also cut both graphs' words to noun lemmas first (`lemmatize=True`; an example in its README measures a
model that way, and nothing says whether the published figures are). `lemmatized` does nearly the same; it was not
compared with NLTK.
"""

from __future__ import annotations

from mov_ai.data.factual import parse_segments
from studies.parser.wordnet import WordNet, load_wordnet

#: ("man",) an object; ("man", "old") an attribute; ("man", "surf in", "water") a relation.
GraphTuple = tuple[str, ...]


def set_match(candidate: str, reference: str) -> bool:
    """Whether two graphs are the same set of triples, compared as strings; order and repetition do not count."""
    return set(parse_segments(candidate)) == set(parse_segments(reference))


def spice(candidate: str, reference: str, wordnet: WordNet | None = None) -> float:
    """F measure over objects, attributes and relations, words of one WordNet synonym set being equal.

    Tuples that are equal are matched first. Then each remaining tuple of the candidate, in alphabetical order, takes
    the first remaining one of the reference with which it shares a synonym set in every place. This is greedy, so
    exchanging the two graphs may change the value.

    Args:
        candidate, reference: graphs as text, such as `( man , surf in , water ) , ( sky )`.
        wordnet: the dataset's if not given.

    Returns:
        2 p r / (p + r) in [0, 1], p and r being the share of the candidate's and of the reference's tuples that match;
        1 if both are the same.
    """
    wordnet = wordnet or load_wordnet()
    candidate_tuples, reference_tuples = graph_tuples(candidate), graph_tuples(reference)
    unmatched = [words for words in reference_tuples if words not in candidate_tuples]
    matches = len(reference_tuples) - len(unmatched)
    for words in candidate_tuples:
        if words not in reference_tuples:
            partner = next((other for other in unmatched if _synonymous(words, other, wordnet)), None)
            if partner is not None:
                unmatched.remove(partner)
                matches += 1
    if matches == 0:
        return 0.0
    precision, recall = matches / len(candidate_tuples), matches / len(reference_tuples)
    return 2 * precision * recall / (precision + recall)


def lemmatized(graph: str, wordnet: WordNet | None = None) -> str:
    """The graph with every word but "is" cut to its noun lemma (`WordNet.noun_lemma`)."""
    wordnet = wordnet or load_wordnet()
    return " , ".join(
        f"( {' '.join(word if word in ('is', ',') else wordnet.noun_lemma(word) for word in part.split())} )"
        for part in parse_segments(graph)
    )


def graph_tuples(graph: str) -> list[GraphTuple]:
    """The tuples that SPICE counts, each once, in alphabetical order of their words.

    A part with one name is an object; `( a , is , b )` and `( a , b )` are an attribute and its object; longer ones a
    relation and its two objects, all names between the first and the last being the predicate. Tuples that read the
    same once joined are one: the first that is met.
    """
    by_text: dict[str, GraphTuple] = {}
    for part in sorted(set(parse_segments(graph))):
        words = [word.strip() for word in part.split(",")]
        if len(words) == 1:
            counted: list[GraphTuple] = [(words[0],)]
        elif len(words) == 2 or (len(words) == 3 and words[1] == "is"):
            counted = [(words[0], words[-1]), (words[0],)]
        else:
            counted = [(words[0], " ".join(words[1:-1]), words[-1]), (words[0],), (words[-1],)]
        for words_of in counted:
            by_text.setdefault(" ".join(words_of), words_of)
    return [by_text[text] for text in sorted(by_text)]


def _synonymous(first: GraphTuple, second: GraphTuple, wordnet: WordNet) -> bool:
    return len(first) == len(second) and all(
        not wordnet.synsets(a).isdisjoint(wordnet.synsets(b)) for a, b in zip(first, second, strict=True)
    )
