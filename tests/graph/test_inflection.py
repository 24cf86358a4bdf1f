import pytest
from hypothesis import given
from hypothesis import strategies as st

from mov_ai.graph.inflection import (
    IRREGULAR_PLURALS,
    IRREGULAR_VERBS,
    VERB_FORMS,
    inflect,
    irregular_lemmas,
    pluralize,
)


@pytest.mark.parametrize(
    ("lemma", "present", "past", "participle", "gerund"),
    [
        ("roll", "rolls", "rolled", "rolled", "rolling"),
        ("push", "pushes", "pushed", "pushed", "pushing"),
        ("buzz", "buzzes", "buzzed", "buzzed", "buzzing"),
        ("go", "goes", "went", "gone", "going"),
        ("moo", "moos", "mooed", "mooed", "mooing"),
        ("fly", "flies", "flew", "flown", "flying"),
        ("carry", "carries", "carried", "carried", "carrying"),
        ("play", "plays", "played", "played", "playing"),
        ("hop", "hops", "hopped", "hopped", "hopping"),
        ("trim", "trims", "trimmed", "trimmed", "trimming"),
        ("begin", "begins", "began", "begun", "beginning"),
        ("fix", "fixes", "fixed", "fixed", "fixing"),
        ("quit", "quits", "quit", "quit", "quitting"),
        ("approach", "approaches", "approached", "approached", "approaching"),
        ("open", "opens", "opened", "opened", "opening"),
        ("ride", "rides", "rode", "ridden", "riding"),
        ("see", "sees", "saw", "seen", "seeing"),
        ("lie", "lies", "lay", "lain", "lying"),
        ("tie", "ties", "tied", "tied", "tying"),
        ("dye", "dyes", "dyed", "dyed", "dyeing"),
        ("tiptoe", "tiptoes", "tiptoed", "tiptoed", "tiptoeing"),
        ("be", "is", "was", "been", "being"),
        ("have", "has", "had", "had", "having"),
        ("pick up", "picks up", "picked up", "picked up", "picking up"),
        ("\u7403", "\u7403s", "\u7403ed", "\u7403ed", "\u7403ing"),
    ],
)
def test_verbs_are_inflected(lemma: str, present: str, past: str, participle: str, gerund: str) -> None:
    said = {"base": lemma, "present": present, "past": past, "participle": participle, "gerund": gerund}
    assert {form: inflect(lemma, form) for form in VERB_FORMS} == said


@pytest.mark.parametrize(("lemma", "said"), [("roll", "roll"), ("carry", "carry"), ("have", "have"), ("be", "are")])
def test_what_several_do_has_no_ending(lemma: str, said: str) -> None:
    assert inflect(lemma, "present", plural=True) == said


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="base, present, past, participle, gerund; found 'future'"):
        inflect("roll", "future")


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("ball", "balls"),
        ("box", "boxes"),
        ("waltz", "waltzes"),
        ("city", "cities"),
        ("toy", "toys"),
        ("photo", "photos"),
        ("kangaroo", "kangaroos"),
        ("potato", "potatoes"),
        ("shelf", "shelves"),
        ("loaf", "loaves"),
        ("reef", "reefs"),
        ("human", "humans"),
        ("fireman", "firemen"),
        ("sheep", "sheep"),
        ("police woman", "police women"),
        ("garden gate", "garden gates"),
    ],
)
def test_nouns_have_plurals(noun: str, several: str) -> None:
    assert pluralize(noun) == several


def test_irregular_forms_lead_back_to_their_verbs() -> None:
    lemmas = irregular_lemmas()
    for verb, forms in IRREGULAR_VERBS.items():
        assert all(lemmas[form] == verb for form in forms)
    assert lemmas["dove"] == "dive"
    # No form stands for two verbs, no plural for two nouns.
    assert len({form for forms in IRREGULAR_VERBS.values() for form in forms}) == sum(
        len(set(forms)) for forms in IRREGULAR_VERBS.values()
    )
    assert len(set(IRREGULAR_PLURALS.values())) == len(IRREGULAR_PLURALS)


@given(st.text(max_size=12), st.sampled_from(VERB_FORMS), st.booleans())
def test_any_text_has_forms(lemma: str, form: str, plural: bool) -> None:
    assert inflect(lemma, form, plural).startswith(lemma[:1]) or lemma.partition(" ")[0] in {*IRREGULAR_VERBS}
    assert pluralize(lemma).startswith(lemma[:1])
