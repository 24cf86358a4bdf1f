"""Lemmas of verbs and nouns that hold even where a tagger took one for the other."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from mov_ai.graph.files import read_json
from mov_ai.graph.inflection import COMMON_VERBS, IRREGULAR_PLURALS, TRANSITIVE_VERBS, inflect, irregular_lemmas
from mov_ai.labels.word_forms import stems
from mov_ai.parser.lexicon import load_lexicon

#: Words that the parser knows whatever the tagger says of them; the file says which list is for what.
WORDS: dict[str, list[str]] = read_json(Path(__file__).with_name("data") / "word_forms.json")


def travels(verb: str, direction: str | None) -> bool:
    """Whether what is done takes whoever does it elsewhere on the ground; `verb` as lemma, `direction` as a node's."""
    level = direction in ("left", "right", "toward", "away")
    return verb in WORDS["travelling"] or (level and verb not in WORDS["in_place"])


@cache
def _verb_forms() -> dict[str, str]:
    verbs = [*WORDS["various"], *TRANSITIVE_VERBS, *COMMON_VERBS, *WORDS["in_place"], *WORDS["travelling"]]
    # Where two share a form, the later entry has it ("lay" is of "lie"): of a verb's own forms the base.
    forms = ("gerund", "participle", "past", "present", "base")
    regular = {inflect(verb, form): verb for verb in verbs for form in forms}
    return {**irregular_lemmas(), **regular}


@cache
def _noun_forms() -> dict[str, str]:
    regular = {form: noun for noun in WORDS["nouns"] for form in (noun, noun + "s", noun + "es")}
    return regular | {plural: singular for singular, plural in IRREGULAR_PLURALS.items()}


def _restored(stem: str) -> str:
    """The verb whose "-ed" or "-ing" was cut off."""
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    # "gliding" comes from "glide", but "jumping" from "jump".
    single = len(stem) > 2 and stem[-1] in "cgkmstvz" and stem[-2] in "aeiou" and stem[-3] not in "aeiou"
    return stem + "e" if single or stem.endswith(("nc", "rc", "rg", "rv", "lv", "dl", "bl", "gl", "tl")) else stem


#: Ends of stems that no verb's e follows.
_NO_E = (
    "er", "en", "on", "el", "rn", "wl", "lk", "mp", "nt", "rt", "rk", "ld", "nd", "ck", "sh", "ch", "ft", "pt", "ct",
    "rm", "lt", "sk", "sp", "wn", "oo", "ow", "ay", "ey", "oy", "ead", "ean", "eap", "eat", "oat",
)  # fmt: skip


#: A long vowel before one consonant: "cooking" comes from "cook", though there are people named Cooke.
_LONG = re.compile(r"[aeiou]{2}[dklmnpt]$")


def _checked(word: str, lemma: str) -> str:
    """The tagger's lemma with an e or a consonant too many or too few put right: "clappe", "controll", "tam"."""
    ending = next((e for e in ("ing", "ed") if word.endswith(e)), None)
    if ending is None:
        return lemma
    stem = word[: -len(ending)]
    doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "aeioulsfz"
    if doubled and lemma in (stem, stem + "e"):
        return stem[:-1]
    lexicon = load_lexicon()
    if lemma == stem + "e" and (stem.endswith(_NO_E) or (_LONG.search(stem) and stem in lexicon)):
        return stem
    # "taming": a short vowel before one consonant would have doubled it.
    short = len(stem) > 2 and stem[-1] not in "aeiouwxy" and stem[-2] in "aeiou" and stem[-3] not in "aeiou"
    if lemma == stem and short and stem.count(stem[-2]) == 1 and len(stem) < 5 and stem + "e" in lexicon:
        return stem + "e"
    return lemma if lemma in lexicon else next((other for other in stems(word) if other in lexicon), lemma)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "oes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def verb_lemma(word: str, lemma: str, tag: str) -> str:
    """The lemma of a verb in lower case.

    `lemma`, `tag`: what the tagger gives; an unusual verb is often taken for a noun, and then neither can be relied on.
    """
    if word in _verb_forms():
        return _verb_forms()[word]
    trusted = lemma[:2] == word[:2] and lemma.isalpha() and tag.startswith("V")
    if trusted and (lemma != word or tag in ("VB", "VBP")):
        return _checked(word, lemma)
    ending = next((ending for ending in ("ing", "ed") if word.endswith(ending) and len(word) > len(ending) + 2), None)
    if ending is None:
        return _singular(word)
    known_stems = (stem for stem in stems(word) if stem in load_lexicon())
    return next(known_stems, None) or _restored(word[: -len(ending)])


#: Plurals of nouns in f: "shelves" comes from "shelf", though there is a verb "shelve".
_WITH_F = ("elves", "alves", "eaves", "oaves", "olves")


def noun_lemma(word: str, lemma: str, tag: str) -> str:
    """The lemma of a noun; arguments as `verb_lemma`."""
    if word in _noun_forms():
        return _noun_forms()[word]
    lexicon = load_lexicon()
    is_plural = tag in ("NNS", "NNPS")
    # Taggers take some plurals for singulars: "ice basketballs".
    if word in WORDS["plural_only"] or (not is_plural and (word in lexicon or not word.endswith("s"))):
        return word
    trusted = lemma != word and lemma[:2] == word[:2]
    if word.endswith(_WITH_F) and word[:-3] + "f" in lexicon:
        return word[:-3] + "f"
    if trusted and lemma in lexicon:
        return lemma
    # "matchboxes": of what the word may be a form of, a word; "matchboxe" is none.
    known = next((stem for stem in stems(word) if stem in lexicon), None)
    if not is_plural:
        return known or word
    return known or (lemma if trusted else _singular(word))
