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
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mov_ai.graph.inflection import inflect, pluralize

if TYPE_CHECKING:
    from spacy.tokens import Doc

#: Kind of word -> words.
WORDS: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
#: Tag of a verb -> its form.
_FORMS = {"VBZ": "present", "VBP": "base", "VBG": "gerund"}
#: Tag -> part of speech; a form of "be" is an auxiliary.
_PARTS = {
    **{"NN": "NOUN", "NNS": "NOUN", "JJ": "ADJ", "CD": "NUM", "DT": "DET", "IN": "ADP", "RP": "ADP", "RB": "ADV"},
    **{"VBZ": "VERB", "VBP": "VERB", "VBG": "VERB", "CC": "CCONJ", ",": "PUNCT", ".": "PUNCT"},
}
_FEATURES = {
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
    """One word of a caption with its tree: tag, label, lemma, and its dependents on either side.

    Attributes:
        part: part of speech, where the tag does not say it.
        features: where they are not those of the tag.
    """

    word: str
    tag: str
    dep: str
    lemma: str = ""
    part: str = ""
    features: str | None = None
    left: list[Node] = field(default_factory=list)
    right: list[Node] = field(default_factory=list)

    def words(self) -> list[Node]:
        """The words of the tree in order."""
        before = [word for child in self.left for word in child.words()]
        after = [word for child in self.right for word in child.words()]
        return [*before, self, *after]

    def morphology(self) -> str:
        """The features in CoNLL-U's notation."""
        if self.features is None and self.tag == "DT":
            return f"Definite={'Def' if self.lemma == 'the' else 'Ind'}|PronType=Art"
        return _FEATURES.get(self.tag, "") if self.features is None else self.features


def _the(noun: Node, word: str) -> None:
    noun.left.append(Node(word, "DT", "det", lemma=word))


class CaptionGrammar:
    """Writes random English captions with their UD trees; one seed gives one sequence of captions."""

    def __init__(self, seed: int, nouns: list[str]) -> None:
        """``nouns``: further nouns in the singular, so that the words around a verb vary."""
        self.rng = random.Random(seed)
        self.nouns = nouns

    def caption(self) -> Node:
        """Write one caption: a clause, two clauses in a row, or a noun phrase."""
        kind = self.weighted({"clause": 34, "sequence": 26, "while": 8, "noun": 22, "be": 10})
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
            other.left.insert(0, Node(self.pick(("while", "as", "when")), "IN", "mark", part="SCONJ"))
            root.right.append(other)
        return root

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def pick(self, items: Sequence[str]) -> str:
        """One of the items."""
        return self.rng.choice(items)

    def weighted(self, options: dict[str, int]) -> str:
        """One of the names, as likely as its weight says."""
        return self.rng.choices(list(options), weights=list(options.values()))[0]

    # -- nouns ---------------------------------------------------------------------------------------------------------

    def noun_phrase(
        self, dep: str, plural: bool, *, determiner: float = 0.95, pool: Sequence[str] = WORDS["things"]
    ) -> Node:
        """A noun with its determiner or numeral, adjectives and compound; ``determiner`` is a probability."""
        lemma = self.pick(self.nouns) if self.chance(0.35) else self.pick(pool)
        noun = Node(pluralize(lemma) if plural else lemma, "NNS" if plural else "NN", dep, lemma)
        if plural and self.chance(0.6):
            noun.left.append(Node(self.pick(WORDS["numerals"]), "CD", "nummod"))
        elif self.chance(determiner):
            _the(noun, "the" if plural or self.chance(0.5) else "a")
        for _ in range(int(self.weighted({"0": 40, "1": 48, "2": 12}))):
            noun.left.append(Node(self.pick(WORDS["looks"]), "JJ", "amod"))
        if self.chance(0.06):
            noun.left.append(Node(self.pick(WORDS["compounds"]), "NN", "compound"))
        first, following = [*noun.left, noun, noun][:2]
        if first.word == "a" and following.word[0] in "aeiou":
            first.word = "an"
        return noun

    def place(self, dep: str) -> Node:
        """A prepositional phrase; returns its noun, labelled ``dep``."""
        form = self.pick(("plain", "plain", "plain", "next", "front", "side", "place"))
        if form in ("front", "side"):
            if form == "front":
                preposition, lemma = ("on", "top") if self.chance(0.4) else ("in", "front")
            else:
                preposition, lemma = self.pick(("to", "to", "on", "from")), self.pick(("left", "right"))
            side = Node(lemma, "NN", dep, left=[Node(preposition, "IN", "case")])
            if form == "side":
                _the(side, "the")
            if form == "front" or self.chance(0.6):
                inner = self.noun_phrase("nmod", self.chance(0.1))
                inner.left.insert(0, Node("of", "IN", "case"))
                side.right.append(inner)
            return side
        noun = self.noun_phrase(dep, self.chance(0.12), pool=WORDS["places"] if form == "place" else WORDS["things"])
        if form == "next":
            words = ["next", "to"]
        else:
            words = [self.pick(("in", "on", "across", "along", "at") if form == "place" else WORDS["relations"])]
        noun.left[:0] = [Node(word, "IN", "case") for word in words]
        return noun

    def postmodify(self, noun: Node) -> None:
        """Extend a noun phrase: "in front of a tree", "riding a horse", "and a cat"."""
        form = self.pick(("place", "place", "participle", "participle", "and"))
        if form == "place":
            noun.right.append(self.place("nmod"))
        elif form == "participle":
            noun.right.append(self.participle())
        else:
            noun.right.append(self.another())

    def participle(self) -> Node:
        """What a noun does: "riding a horse"."""
        verb = self.verb("acl", "VBG")
        verb.features = "VerbForm=Ger"
        return verb

    def another(self) -> Node:
        """A second noun: "and a cat"."""
        other = self.noun_phrase("conj", False)
        other.left.insert(0, Node("and", "CC", "cc"))
        return other

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def verb(self, dep: str, tag: str) -> Node:
        """A verb with what follows it."""
        kind = self.weighted({"motions": 62, "actions": 28, "changes": 10})
        lemma = self.pick(WORDS[kind])
        node = Node(inflect(lemma, _FORMS[tag]), tag, dep, lemma)
        if kind == "actions":
            pool = WORDS["parts"] if lemma in ("wear", "hold") else WORDS["things"]
            node.right.append(self.noun_phrase("obj", self.chance(0.15), pool=pool))
            if self.chance(0.35):
                node.right.append(self.place("obl"))
        elif kind == "changes":
            node.right.append(Node(self.pick(WORDS["colours"]), "JJ", "xcomp"))
        else:
            if self.chance(0.5):
                node.right.append(Node(self.pick(WORDS["adverbs"]), "RB", "advmod"))
            elif self.chance(0.12):
                node.right.append(Node(self.pick(WORDS["particles"]), "RP", "compound:prt"))
            if self.chance(0.55):
                node.right.append(self.place("obl"))
            if self.chance(0.05):
                count = Node(self.pick(WORDS["numerals"]), "CD", "nummod")
                node.right.append(Node("times", "NNS", "obl:unmarked", "time", left=[count]))
        return node

    def clause(self, dep: str) -> tuple[Node, bool]:
        """Subject and verb; returns the verb and whether the subject is plural."""
        plural = self.chance(0.22)
        subject = self.noun_phrase("nsubj", plural, determiner=0.9)
        if not plural and self.chance(0.08):
            subject.right.append(self.another())
            plural = True
        elif self.chance(0.08):
            subject.right.append(self.place("nmod"))
        elif self.chance(0.06):
            subject.right.append(self.participle())
        if self.chance(0.2):
            verb = self.verb(dep, "VBG")
            verb.left = [subject, self.be(plural, "aux")]
        else:
            verb = self.verb(dep, "VBP" if plural else "VBZ")
            verb.left = [subject]
        return verb, plural

    def be(self, plural: bool, dep: str) -> Node:
        """is or are."""
        return Node("are" if plural else "is", "VBP" if plural else "VBZ", dep, "be", part="AUX")

    def follow(self, root: Node, plural: bool) -> None:
        """Add what happens next: ", then turns blue", "and stops", "and then falls"."""
        verb = self.verb("conj", "VBG" if root.tag == "VBG" else "VBP" if plural else "VBZ")
        form = self.pick(("and", "then", "and then", ", and", "and"))
        if form in ("then", ", and"):
            verb.left.append(Node(",", ",", "punct"))
        if "and" in form:
            verb.left.append(Node("and", "CC", "cc"))
        if "then" in form:
            verb.left.append(Node("then", "RB", "advmod", features="PronType=Dem"))
        root.right.append(verb)

    def location_clause(self) -> Node:
        """Write "the cube is behind the box": the place is the root, with a copula."""
        plural = self.chance(0.2)
        root = self.place("ROOT")
        root.left[:0] = [self.noun_phrase("nsubj", plural), self.be(plural, "cop")]
        return root


def written_captions(sentences: list[Doc], count: int, seed: int) -> list[Doc]:
    """Write captions with their trees.

    Args:
        sentences: treebank sentences; their frequent nouns (four times or more) become a third of the nouns.
        count: how many captions.
        seed: the same seed and sentences give the same captions.
    """
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
            root.right.append(Node(".", ".", "punct"))
        documents.append(_document(root, full_sentence, sentences[0]))
    return documents


def _document(root: Node, capitalised: bool, sentence: Doc) -> Doc:
    from spacy.tokens import Doc

    nodes = root.words()
    position = {id(node): index for index, node in enumerate(nodes)}
    heads = list(range(len(nodes)))
    for node in nodes:
        for child in (*node.left, *node.right):
            heads[position[id(child)]] = position[id(node)]
    words = [node.word for node in nodes]
    lemmas = [node.lemma or node.word for node in nodes]
    if capitalised:
        words[0] = words[0].capitalize()
    return Doc(
        sentence.vocab,
        words=words,
        spaces=[following not in {".", ","} for following in [*words[1:], "."]],
        tags=[node.tag for node in nodes],
        pos=[node.part or _PARTS[node.tag] for node in nodes],
        morphs=[node.morphology() for node in nodes],
        lemmas=lemmas,
        heads=heads,
        deps=[node.dep for node in nodes],
    )
