"""Captions with dependency trees, written by a small grammar, for training the embedded spaCy pipeline.

Web text hardly ever says "the cube slides left". A tagger trained on it alone takes a present-tense verb
after a noun for a second noun; sentences in which such verbs are verbs teach it otherwise. Trees, tags and
features follow the conventions of UD English-EWT r2.15. The sentences need not make sense, only be
grammatical.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mov_ai.captions.lexicon import TreebankWords, load
from mov_ai.graph.inflection import inflect, pluralize

if TYPE_CHECKING:
    from spacy.tokens import Doc


WORDS = load("treebank", TreebankWords)
#: Tag of a verb -> its form.
FORMS: dict[str, str] = {"VBZ": "present", "VBP": "base", "VBG": "gerund"}
FEATURES = {
    "NN": "Number=Sing",
    "NNS": "Number=Plur",
    "JJ": "Degree=Pos",
    "VBZ": "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin",
    "VBP": "Mood=Ind|Number=Plur|Person=3|Tense=Pres|VerbForm=Fin",
    "VBG": "Tense=Pres|VerbForm=Part",
    "CD": "NumForm=Word|NumType=Card",
}


@dataclass
class Node:
    """One word of a caption with its tree: label, tag, lemma, and its dependents on either side."""

    word: str
    upos: str
    tag: str
    lemma: str
    dep: str = "ROOT"
    features: str | None = None
    left: list[Node] = field(default_factory=list)
    right: list[Node] = field(default_factory=list)

    def words(self) -> list[Node]:
        """The words of the tree in order."""
        before = [word for child in self.left for word in child.words()]
        after = [word for child in self.right for word in child.words()]
        return [*before, self, *after]


class CaptionGrammar:
    """Writes random English captions with their UD trees; one seed gives one sequence of captions."""

    def __init__(self, seed: int, nouns: list[str]) -> None:
        """``nouns``: further nouns in the singular, so that the words around a verb vary."""
        self.rng = random.Random(seed)
        self.nouns = nouns

    def caption(self) -> Node:
        """Write one caption: a clause, two clauses in a row, or a noun phrase."""
        kind = self.rng.choices(("clause", "sequence", "while", "noun", "be"), weights=(34, 26, 8, 22, 10))[0]
        if kind == "noun":
            root = self.noun_phrase("ROOT", self.chance(0.2), determiner=0.75)
            self.postmodify(root)
            return root
        if kind == "be":
            return self.location_clause()
        root, plural = self.clause("ROOT")
        if kind == "sequence":
            for _ in range(2 if self.chance(0.2) else 1):
                self.follow(root, plural)
        elif kind == "while":
            other, _ = self.clause("advcl")
            word = self.pick(("while", "as", "when"))
            other.left.insert(0, Node(word, "SCONJ", "IN", word, "mark"))
            root.right.append(other)
        return root

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, items: Sequence[str]) -> str:
        return self.rng.choice(items)

    def noun_phrase(
        self,
        dep: str,
        plural: bool,
        *,
        determiner: float = 0.95,
        pool: Sequence[str] = WORDS.things,
    ) -> Node:
        """A noun with its determiner or numeral, adjectives and compound; ``determiner`` is a probability."""
        lemma = self.pick(self.nouns) if self.chance(0.35) else self.pick(pool)
        tag = "NNS" if plural else "NN"
        noun = Node(pluralize(lemma) if plural else lemma, "NOUN", tag, lemma, dep)
        if plural and self.chance(0.6):
            word = self.pick(WORDS.numerals)
            noun.left.append(Node(word, "NUM", "CD", word, "nummod"))
        elif self.chance(determiner):
            word = "the" if plural or self.chance(0.5) else "a"
            noun.left.append(Node(word, "DET", "DT", word, "det"))
        for _ in range(self.rng.choices((0, 1, 2), weights=(40, 48, 12))[0]):
            word = self.pick(WORDS.looks)
            noun.left.append(Node(word, "ADJ", "JJ", word, "amod"))
        if self.chance(0.06):
            word = self.pick(WORDS.compounds)
            noun.left.append(Node(word, "NOUN", "NN", word, "compound"))
        start = noun.left[0] if noun.left else noun
        following = noun.left[1] if len(noun.left) > 1 else noun
        if start.word == "a" and following.word[0] in "aeiou":
            start.word = "an"
        return noun

    def place(self, dep: str) -> Node:
        """A prepositional phrase; returns its noun, labelled ``dep``."""
        form = self.pick(("plain", "plain", "plain", "next", "front", "side", "place"))
        if form in ("front", "side"):
            if form == "front":
                article = False
                preposition, lemma = "in", "front"
                if self.chance(0.4):
                    preposition, lemma = "on", "top"
            else:
                article = True
                preposition = self.pick(("to", "to", "on", "from"))
                lemma = self.pick(("left", "right"))
            side = Node(lemma, "NOUN", "NN", lemma, dep, left=[_case(preposition)])
            if article:
                side.left.append(Node("the", "DET", "DT", "the", "det"))
            if not article or self.chance(0.6):
                inner = self.noun_phrase("nmod", self.chance(0.1))
                inner.left.insert(0, _case("of"))
                side.right.append(inner)
            return side
        pool = WORDS.places if form == "place" else WORDS.things
        noun = self.noun_phrase(dep, self.chance(0.12), pool=pool)
        if form == "next":
            noun.left[:0] = [_case("next"), _case("to")]
        elif form == "place":
            noun.left.insert(0, _case(self.pick(("in", "on", "across", "along", "at"))))
        else:
            noun.left.insert(0, _case(self.pick(WORDS.relations)))
        return noun

    def verb(self, dep: str, tag: str) -> Node:
        """A verb with what follows it."""
        kind = self.rng.choices(("motion", "action", "change"), weights=(62, 28, 10))[0]
        if kind == "action":
            lemma = self.pick(WORDS.actions)
            node = Node(inflect(lemma, FORMS[tag]), "VERB", tag, lemma, dep)
            pool = WORDS.parts if lemma in ("wear", "hold") else WORDS.things
            node.right.append(self.noun_phrase("obj", self.chance(0.15), pool=pool))
            if self.chance(0.35):
                node.right.append(self.place("obl"))
        elif kind == "change":
            lemma = self.pick(WORDS.changes)
            node = Node(inflect(lemma, FORMS[tag]), "VERB", tag, lemma, dep)
            colour = self.pick(WORDS.colours)
            node.right.append(Node(colour, "ADJ", "JJ", colour, "xcomp"))
        else:
            lemma = self.pick(WORDS.motions)
            node = Node(inflect(lemma, FORMS[tag]), "VERB", tag, lemma, dep)
            if self.chance(0.5):
                word = self.pick(WORDS.adverbs)
                node.right.append(Node(word, "ADV", "RB", word, "advmod"))
            elif self.chance(0.12):
                word = self.pick(WORDS.particles)
                node.right.append(Node(word, "ADP", "RP", word, "compound:prt"))
            if self.chance(0.55):
                node.right.append(self.place("obl"))
            if self.chance(0.05):
                count = self.pick(WORDS.numerals)
                times = Node("times", "NOUN", "NNS", "time", "obl:unmarked")
                times.left.append(Node(count, "NUM", "CD", count, "nummod"))
                node.right.append(times)
        return node

    def clause(self, dep: str) -> tuple[Node, bool]:
        """Subject and verb; returns the verb and whether the subject is plural."""
        plural = self.chance(0.22)
        subject = self.noun_phrase("nsubj", plural, determiner=0.9)
        if not plural and self.chance(0.08):
            other = self.noun_phrase("conj", False)
            other.left.insert(0, Node("and", "CCONJ", "CC", "and", "cc"))
            subject.right.append(other)
            plural = True
        elif self.chance(0.08):
            subject.right.append(self.place("nmod"))
        elif self.chance(0.06):
            participle = self.verb("acl", "VBG")
            participle.features = "VerbForm=Ger"
            subject.right.append(participle)
        if self.chance(0.2):
            verb = self.verb(dep, "VBG")
            verb.left = [subject, self.be(plural, "aux")]
        else:
            verb = self.verb(dep, "VBP" if plural else "VBZ")
            verb.left = [subject]
        return verb, plural

    def be(self, plural: bool, dep: str) -> Node:
        word, tag = ("are", "VBP") if plural else ("is", "VBZ")
        return Node(word, "AUX", tag, "be", dep)

    def follow(self, root: Node, plural: bool) -> None:
        """Add what happens next: ", then turns blue", "and stops", "and then falls"."""
        tag = "VBG" if root.tag == "VBG" else "VBP" if plural else "VBZ"
        verb = self.verb("conj", tag)
        form = self.pick(("and", "then", "and then", ", and", "and"))
        if form in ("then", ", and"):
            verb.left.append(Node(",", "PUNCT", ",", ",", "punct"))
        if "and" in form:
            verb.left.append(Node("and", "CCONJ", "CC", "and", "cc"))
        if "then" in form:
            verb.left.append(Node("then", "ADV", "RB", "then", "advmod", features="PronType=Dem"))
        root.right.append(verb)

    def location_clause(self) -> Node:
        """Write "the cube is behind the box": the place is the root, with a copula."""
        plural = self.chance(0.2)
        root = self.place("ROOT")
        root.left[:0] = [self.noun_phrase("nsubj", plural), self.be(plural, "cop")]
        return root

    def postmodify(self, noun: Node) -> None:
        """Extend a noun phrase: "in front of a tree", "riding a horse", "and a cat"."""
        form = self.pick(("place", "place", "participle", "participle", "and"))
        if form == "place":
            noun.right.append(self.place("nmod"))
        elif form == "participle":
            verb = self.verb("acl", "VBG")
            verb.features = "VerbForm=Ger"
            noun.right.append(verb)
        else:
            other = self.noun_phrase("conj", False)
            other.left.insert(0, Node("and", "CCONJ", "CC", "and", "cc"))
            noun.right.append(other)


def _case(word: str) -> Node:
    return Node(word, "ADP", "IN", word, "case")


def written_captions(sentences: list[Doc], count: int, seed: int) -> list[Doc]:
    """Write captions with their trees.

    Args:
        sentences: treebank sentences; their frequent nouns (four times or more) become a third of the nouns.
        count: how many captions.
        seed: the same seed and sentences give the same captions.
    """
    from spacy.tokens import Doc

    frequency = Counter(
        token.text
        for doc in sentences
        for token in doc
        if token.tag_ == "NN" and token.text == token.lemma_ and token.text.isalpha() and token.text.islower()
    )
    nouns = sorted(word for word, times in frequency.items() if times >= 4 and len(word) > 2)
    grammar = CaptionGrammar(seed, nouns)
    documents = []
    for _ in range(count):
        root = grammar.caption()
        if full_sentence := grammar.chance(0.3):
            root.right.append(Node(".", "PUNCT", ".", ".", "punct"))
        nodes = root.words()
        position = {id(node): index for index, node in enumerate(nodes)}
        heads = list(range(len(nodes)))
        for node in nodes:
            for child in (*node.left, *node.right):
                heads[position[id(child)]] = position[id(node)]
        words = [node.word for node in nodes]
        if full_sentence:
            words[0] = words[0].capitalize()
        documents.append(
            Doc(
                sentences[0].vocab,
                words=words,
                spaces=[following not in {".", ","} for following in [*words[1:], "."]],
                tags=[node.tag for node in nodes],
                pos=[node.upos for node in nodes],
                morphs=[_features(node) for node in nodes],
                lemmas=[node.lemma for node in nodes],
                heads=heads,
                deps=[node.dep for node in nodes],
            )
        )
    return documents


def _features(node: Node) -> str:
    if node.features is not None:
        return node.features
    if node.tag == "DT":
        return f"Definite={'Def' if node.lemma == 'the' else 'Ind'}|PronType=Art"
    return FEATURES.get(node.tag, "")
