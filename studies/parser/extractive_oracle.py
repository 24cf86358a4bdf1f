"""What the best extractive parser could reach: one whose nodes are words of the caption, or their base forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from mov_ai.data.factual import FactualCaption
from mov_ai.graph.convert import Triple
from studies.parser.wordnet import WordNet

#: A predicate seen this often in training is one that a parser may have learnt as a label.
LABEL_OCCURRENCES = 5
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS, 1)}


def reachable_words(words: Iterable[str], lemmas: Iterable[str], wordnet: WordNet) -> set[str]:
    """The words that a node or a predicate may be made of, all in lower case.

    They are the words of the caption as typed, their lemmas by spaCy, their base forms by WordNet (`base_forms`: all
    that any ending or the list of irregular forms gives), the digits of number words up to ten ("two" gives "2",
    FACTUAL's form), and "have" for a possessive "'s" ("the dog's tail" is `( dog , have , tail )`).

    Args:
        words: the caption's tokens.
        lemmas: of the same tokens.
    """
    typed = {word.lower() for word in words}
    words_and_bases = typed | {lemma.lower() for lemma in lemmas}
    for word in typed:
        words_and_bases |= wordnet.base_forms(word)
    words_and_bases |= {_DIGITS[word] for word in typed if word in _DIGITS}
    return words_and_bases | {"have"} if "'s" in typed else words_and_bases


def predicate_labels(captions: Iterable[FactualCaption], occurrences: int = LABEL_OCCURRENCES) -> frozenset[str]:
    """Predicates (other than "is") that stand in at least so many triples: 410 in random/train, 397 in length/train."""
    counts = Counter(predicate for caption in captions for _, predicate, _ in caption.triples)
    return frozenset(label for label, n in counts.items() if n >= occurrences and label not in ("", "is"))


def oracle_triples(gold: Sequence[Triple], words: Collection[str], labels: Collection[str] = ()) -> list[Triple]:
    """What an extractive parser that makes no mistake can say of a gold graph.

    A name (object, attribute value) can be said if each of its words is in `words`; a predicate too, or if it is one of
    `labels`. A triple that cannot be said leaves those of its objects that can. The oracle's Set Match is that of this
    graph with the gold one; its SPICE is a lower bound of the best parser's, which could also guess synonyms.

    Args:
        gold: triples as `FactualCaption` has them.
        words: as `reachable_words` gives them.
        labels: predicates that need not be in the caption; none for "predicates too must be caption words".
    """

    def sayable(name: str) -> bool:
        return all(word in words for word in name.split())

    sayable_triples: list[Triple] = []
    for head, predicate, tail in gold:
        objects = [head] if predicate in ("", "is") else [head, tail]
        is_sayable = predicate in ("", "is") or predicate in labels or sayable(predicate)
        if is_sayable and sayable(head) and sayable(tail):
            sayable_triples.append((head, predicate, tail))
        else:
            sayable_triples += [(name, "", "") for name in objects if sayable(name)]
    return list(dict.fromkeys(sayable_triples))
