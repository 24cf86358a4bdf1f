"""Lemmas of verbs and nouns that hold even where a tagger took one for the other."""

from __future__ import annotations

from functools import cache

from mov_ai.graph.inflection import COMMON_VERBS, IRREGULAR_PLURALS, TRANSITIVE_VERBS, inflect, irregular_lemmas
from mov_ai.labels.word_forms import stems
from mov_ai.parser.lexicon import load_lexicon
from mov_ai.worlds.tabletop.lexicon import DIRECTED_VERBS, MOTION_VERBS, SHAPES


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MORE_VERBS = _words(
    """
    get make take put hold play eat drink look watch see touch chase follow pass cross enter leave open close break
    cut fill pour build paint draw write read wear ride catch smile cry talk speak kiss hug fight meet split merge
    join separate surround hide reveal fade shine sparkle flicker scoot hop creep speed cruise bob sway rock flutter
    flap climb wait hang lean kneel turn pick bring give lay set show scare jiggle pulse inflate deflate morph
    transform
    """
)


@cache
def _verb_forms() -> dict[str, str]:
    world = [verb for verbs in MOTION_VERBS.values() for verb in verbs] + list(DIRECTED_VERBS)
    verbs = [*_MORE_VERBS, *TRANSITIVE_VERBS, *COMMON_VERBS, *world]
    # Later entries win: the world's own verbs, and of their forms the base.
    forms = ("gerund", "participle", "past", "present", "base")
    regular = {inflect(verb, form): verb for verb in verbs for form in forms}
    return irregular_lemmas() | regular


@cache
def _noun_forms() -> dict[str, str]:
    nouns = [noun for nouns in SHAPES.values() for noun in nouns]
    regular = {form: noun for noun in nouns for form in (noun, noun + "s", noun + "es")}
    return regular | {plural: singular for singular, plural in IRREGULAR_PLURALS.items()}


def _restored(stem: str) -> str:
    """The verb whose "-ed" or "-ing" was cut off."""
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    # "glid(ing)" wants its e back, "jump(ing)" does not.
    single = len(stem) > 2 and stem[-1] in "cgkmstvz" and stem[-2] in "aeiou" and stem[-3] not in "aeiou"
    return stem + "e" if single or stem.endswith(("nc", "rc", "rg", "rv", "lv", "dl", "bl", "gl", "tl")) else stem


#: Ends of stems that no verb's e follows.
_NO_E = _words(
    "er en on el rn wl lk mp nt rt rk ld nd ck sh ch ft pt ct rm lt sk sp wn oo ow ay ey oy ead ean eap eat oat"
)


def _checked(word: str, lemma: str) -> str:
    """The tagger's lemma with an e or a consonant too many or too few put right: "clappe", "controll", "tam"."""
    ending = next((e for e in ("ing", "ed") if word.endswith(e)), None)
    if ending is None:
        return lemma
    stem = word[: -len(ending)]
    doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "aeioulsfz"
    if doubled and lemma in (stem, stem + "e"):
        return stem[:-1]
    if lemma == stem + "e" and stem.endswith(_NO_E):
        return stem
    known = load_lexicon()
    # "taming": a short vowel before one consonant would have doubled it.
    short = len(stem) > 2 and stem[-1] not in "aeiouwxy" and stem[-2] in "aeiou" and stem[-3] not in "aeiou"
    if lemma == stem and short and stem.count(stem[-2]) == 1 and len(stem) < 5 and stem + "e" in known:
        return stem + "e"
    return lemma if lemma in known else next((other for other in stems(word) if other in known), lemma)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "oes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def verb_lemma(word: str, lemma: str, tag: str) -> str:
    """The lemma of a verb.

    Args:
        word: in lower case.
        lemma, tag: what the tagger gives; an unusual verb is often taken for a noun, and then neither can be relied on.
    """
    if word in _verb_forms():
        return _verb_forms()[word]
    trusted = lemma[:2] == word[:2] and lemma.isalpha() and tag.startswith("V")
    if trusted and (lemma != word or tag in ("VB", "VBP")):
        return _checked(word, lemma)
    ending = next((ending for ending in ("ing", "ed") if word.endswith(ending) and len(word) > len(ending) + 2), None)
    if ending is None:
        return _singular(word)
    known = (stem for stem in stems(word) if stem in load_lexicon())
    return next(known, None) or _restored(word[: -len(ending)])


def noun_lemma(word: str, lemma: str, tag: str) -> str:
    """The lemma of a noun; arguments as `verb_lemma`."""
    if word in _noun_forms():
        return _noun_forms()[word]
    if tag not in ("NNS", "NNPS"):
        return word
    return lemma if lemma != word and lemma[:2] == word[:2] else _singular(word)
