import numpy as np
import pytest

from mov_ai.captions.english import article, be, negated, verb_chain
from mov_ai.captions.lexicon import StoryWords, TabletopWords, load
from mov_ai.captions.plot import Actor, Event
from mov_ai.captions.realiser import Realiser
from mov_ai.captions.text import Piece, about, joined, say
from mov_ai.parser.network import SPATIAL_LABELS


class Plain(Realiser):
    """Says "the NOUN" always."""

    def noun_phrase(self, index, case="subject", near=()) -> list[Piece]:
        return [*say("the"), *about(self.actors[index].noun, "entity", index)]

    def subject_phrase(self, event: Event) -> list[Piece]:
        return self.noun_phrase(event.subjects[0])

    def complements(self, event: Event) -> list[Piece]:
        return say(event.particle)

    def elided_tense(self, event: Event, tense: str) -> str:
        return tense


def arranged(template: str, same: bool = False, seed: int = 0, **tenses: str) -> str:
    actors = [Actor("dog"), Actor("cat")]
    realiser = Plain(np.random.default_rng(seed), actors, {})
    a = Event([0], "bark", interval=(0.0, 0.5))
    b = Event([0 if same else 1], "run", "away", interval=(0.5, 1.0))
    caption = realiser.caption(realiser.arrange(template, a, b, {"main": "present", **tenses}, same))
    caption.graph.validate(caption.text)
    return caption.text


@pytest.mark.parametrize(
    ("template", "same", "text"),
    [
        ("A while B", False, "The dog barks while the cat runs away."),
        ("after A:done , B", False, "After the dog has barked, the cat runs away."),
        ("A . {meanwhile} , B", False, "The dog barks. Meanwhile, the cat runs away."),
        ("A and B:again", True, "The dog barks and runs away."),
        ("A without B:gerund", True, "The dog barks without running away."),
        ("A ,1.0{then} B:elided", True, "The dog barks, then runs away."),
        ("[1.0 before B:gerund | before B] , A", True, "Before running away, the dog barks."),
        ("[1.0 before B:gerund | before B] , A", False, "Before the cat runs away, the dog barks."),
    ],
)
def test_templates_are_words_and_clauses(template, same, text):
    assert arranged(template, same, done="perfect") == text


def test_a_template_chooses_among_words_and_commas():
    texts = {arranged("A ,0.5{while|as} B", seed=seed) for seed in range(40)}
    assert len(texts) == 4


def test_every_template_that_ships_can_be_read():
    tenses = dict.fromkeys(("aside", "done", "finite", "front"), "past")
    for words in (load("stories", StoryWords), load("tabletop", TabletopWords)):
        for patterns in words.patterns.values():
            for weight, template in patterns.values():
                assert weight >= 0
                for seed in range(3):
                    text = arranged(f"A . {template}", True, seed, **tenses)
                    assert not set("{}[]|:") & set(text), template


@pytest.mark.parametrize(
    ("tense", "active", "passive"),
    [
        ("present", "", "is"),
        ("progressive", "is", "is being"),
        ("past", "", "was"),
        ("future", "will", "will be"),
        ("perfect", "has", "has been"),
        ("gerund", "", "being"),
        ("caption", "", "being"),
        ("base", "", "be"),
    ],
)
def test_auxiliaries_of_every_tense(tense, active, passive):
    assert " ".join(verb_chain(tense, False, False)[0]) == active
    assert (" ".join(verb_chain(tense, True, False)[0]), verb_chain(tense, True, False)[1]) == (passive, "participle")


def test_negation_takes_the_first_auxiliary_or_do():
    assert negated("not", (), "present", False, True) == (("doesn't",), "base")
    assert negated("not", (), "past", True, False) == (("did", "not"), "base")
    assert negated("not", ("is", "being"), "participle", False, False) == (("is", "not", "being"), "participle")
    assert negated("never", (), "present", False, False) == (("never",), "present")
    assert negated("not", ("being",), "participle", False, False) == (("not", "being"), "participle")


def test_small_words():
    assert [article(word) for word in ("apple", "ball", "unicycle")] == ["an", "a", "a"]
    assert [be(False), be(True), be(False, past=True), be(True, past=True)] == ["is", "are", "was", "were"]
    text, spans = joined([*say("a"), *about("ball", "entity", 0), *say("."), *say("then", ",")], False, False)
    assert text == "A ball. Then,."
    assert spans == [((2, 6), ("entity", 0))]


def test_the_parser_has_a_link_for_every_spot_that_stories_show():
    assert set(load("stories", StoryWords).shown_spots) <= set(SPATIAL_LABELS)
