"""English word forms: verbs in their tenses, nouns in the plural, and the way back from irregular ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mov_ai.graph.files import read_json

VERB_FORMS = ("base", "present", "past", "participle", "gerund")

_WORDS = read_json(Path(__file__).with_name("word_forms.json"))
#: Lemma -> (past, past participle), and singular -> plural, where no rule gives them.
IRREGULAR_VERBS: dict[str, Sequence[str]] = _WORDS["irregular_verbs"]
IRREGULAR_PLURALS: dict[str, str] = _WORDS["irregular_plurals"]
COMMON_VERBS: Sequence[str] = _WORDS["common_verbs"]
TRANSITIVE_VERBS: Sequence[str] = _WORDS["transitive_verbs"]
_PRESENT, _PLURAL_PRESENT = {"be": "is", "have": "has"}, {"be": "are"}
#: Further forms in use, beside those that `inflect` gives.
_OTHER_FORMS = {"dove": "dive"}
#: Verbs of several syllables that double their last letter.
_DOUBLED = ("begin", "unplug", "unwrap", "unzip", "zigzag")


def inflect(lemma: str, form: str, plural: bool = False) -> str:
    """A verb in one of its forms; of its first word, if there are several ("pick up", "gerund" -> "picking up").

    Args:
        form: "base", "present" (rolls), "past" (rolled), "participle" (rolled) or "gerund" (rolling); else ValueError.
        plural: whether several do it, which matters to "present" only.
    """
    if form not in VERB_FORMS:
        raise ValueError(f"form: expected one of {', '.join(VERB_FORMS)}; found {form!r}")
    verb, space, rest = lemma.partition(" ")
    if not verb:
        return lemma
    if form == "present":
        verb = (_PLURAL_PRESENT.get(verb) or verb) if plural else (_PRESENT.get(verb) or _with_s(verb))
    elif form == "gerund":
        verb = _gerund(verb)
    elif form in ("past", "participle"):
        verb = IRREGULAR_VERBS[verb][form == "participle"] if verb in IRREGULAR_VERBS else _regular_past(verb)
    return f"{verb}{space}{rest}"


def pluralize(noun: str) -> str:
    """The plural of a noun in lower case; of its last word, if it has several."""
    front, space, head = noun.rpartition(" ")
    if head in IRREGULAR_PLURALS:
        head = IRREGULAR_PLURALS[head]
    elif head.endswith(("elf", "alf", "eaf", "oaf")):
        head = head[:-1] + "ves"
    elif head.endswith("o"):
        head += "s"
    else:
        head = _with_s(head)
    return f"{front}{space}{head}"


@cache
def irregular_lemmas() -> Mapping[str, str]:
    """Form -> lemma, for the past forms and participles that no rule gives."""
    return {form: verb for verb, forms in IRREGULAR_VERBS.items() for form in forms} | _OTHER_FORMS


def _with_s(word: str) -> str:
    if word.endswith(("s", "sh", "ch", "x", "z", "o")) and not word.endswith("oo"):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def _gerund(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    # "see", "tiptoe" and "dye" keep their e; so does "be".
    return (verb[:-1] if re.search(r".[^eoy]e$", verb) else _doubled(verb)) + "ing"


def _regular_past(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else _doubled(verb) + "ed"


def _doubled(verb: str) -> str:
    # One syllable that ends in consonant, vowel, consonant: sit -> sitt(ing), stop -> stopp(ed).
    short = re.fullmatch(r"(?:[^aeiou]+|[^aeiou]*qu)[aeiou][^aeiouwxy]", verb)
    return verb + verb[-1] if short or verb in _DOUBLED else verb
