"""English word forms: verbs in their tenses, nouns in the plural, and the way back from irregular ones."""

from __future__ import annotations

import re

VERB_FORMS = ("base", "present", "past", "participle", "gerund")

#: Lemma -> (past, past participle), where they are not regular.
IRREGULAR_VERBS: dict[str, tuple[str, str]] = {
    "be": ("was", "been"), "become": ("became", "become"), "begin": ("began", "begun"), "bend": ("bent", "bent"),
    "bite": ("bit", "bitten"), "blow": ("blew", "blown"), "break": ("broke", "broken"), "bring": ("brought", "brought"),
    "build": ("built", "built"), "burst": ("burst", "burst"), "buy": ("bought", "bought"),
    "catch": ("caught", "caught"), "come": ("came", "come"), "creep": ("crept", "crept"), "cut": ("cut", "cut"),
    "dig": ("dug", "dug"), "do": ("did", "done"), "draw": ("drew", "drawn"), "drink": ("drank", "drunk"),
    "drive": ("drove", "driven"), "eat": ("ate", "eaten"), "fall": ("fell", "fallen"), "feed": ("fed", "fed"),
    "feel": ("felt", "felt"), "fight": ("fought", "fought"), "find": ("found", "found"), "fly": ("flew", "flown"),
    "freeze": ("froze", "frozen"), "get": ("got", "gotten"), "give": ("gave", "given"), "go": ("went", "gone"),
    "grind": ("ground", "ground"), "grow": ("grew", "grown"), "hang": ("hung", "hung"), "have": ("had", "had"),
    "hide": ("hid", "hidden"), "hit": ("hit", "hit"), "hold": ("held", "held"), "keep": ("kept", "kept"),
    "kneel": ("knelt", "knelt"), "lay": ("laid", "laid"), "lead": ("led", "led"), "leap": ("leapt", "leapt"),
    "leave": ("left", "left"), "let": ("let", "let"), "lie": ("lay", "lain"), "light": ("lit", "lit"),
    "lose": ("lost", "lost"), "make": ("made", "made"), "meet": ("met", "met"), "pay": ("paid", "paid"),
    "put": ("put", "put"), "quit": ("quit", "quit"), "read": ("read", "read"), "ride": ("rode", "ridden"),
    "ring": ("rang", "rung"), "rise": ("rose", "risen"), "run": ("ran", "run"), "say": ("said", "said"),
    "see": ("saw", "seen"), "sell": ("sold", "sold"), "send": ("sent", "sent"), "set": ("set", "set"),
    "shake": ("shook", "shaken"), "shine": ("shone", "shone"), "shoot": ("shot", "shot"), "show": ("showed", "shown"),
    "shrink": ("shrank", "shrunk"), "shut": ("shut", "shut"), "sing": ("sang", "sung"), "sink": ("sank", "sunk"),
    "sit": ("sat", "sat"), "sleep": ("slept", "slept"), "slide": ("slid", "slid"), "speak": ("spoke", "spoken"),
    "speed": ("sped", "sped"), "spin": ("spun", "spun"), "split": ("split", "split"), "spread": ("spread", "spread"),
    "stand": ("stood", "stood"), "steal": ("stole", "stolen"), "stick": ("stuck", "stuck"),
    "strike": ("struck", "struck"), "string": ("strung", "strung"), "sweep": ("swept", "swept"),
    "swell": ("swelled", "swollen"), "swim": ("swam", "swum"), "swing": ("swung", "swung"), "take": ("took", "taken"),
    "tear": ("tore", "torn"), "tell": ("told", "told"), "throw": ("threw", "thrown"), "wake": ("woke", "woken"),
    "wear": ("wore", "worn"), "weave": ("wove", "woven"), "win": ("won", "won"), "wind": ("wound", "wound"),
    "write": ("wrote", "written"),
}  # fmt: skip
#: Singular -> plural, where no rule gives it.
IRREGULAR_PLURALS = {
    "businessman": "businessmen", "calf": "calves", "child": "children", "deer": "deer", "fireman": "firemen",
    "fish": "fish", "fisherman": "fishermen", "foot": "feet", "gentleman": "gentlemen", "goose": "geese",
    "knife": "knives", "leaf": "leaves", "man": "men", "mouse": "mice", "ox": "oxen", "person": "people",
    "policeman": "policemen", "postman": "postmen", "potato": "potatoes", "sheep": "sheep", "snowman": "snowmen",
    "tomato": "tomatoes", "tooth": "teeth", "wolf": "wolves", "woman": "women",
}  # fmt: skip
#: Common verbs of motion and change that the world does not know.
COMMON_VERBS = (
    "run", "walk", "crawl", "swim", "dance", "march", "wander", "hurry", "race", "zoom", "skid", "dart", "sail",
    "stumble", "jog", "sprint", "limp", "hover", "wobble", "shake", "swing", "wave", "bark", "sing", "laugh", "sleep",
    "dream", "breathe", "blink", "flash", "glow", "burn", "melt", "freeze", "crack", "explode", "collapse", "tip",
    "tumble", "flip", "whirl", "orbit", "circle", "swirl", "gallop", "trot", "skate", "ski", "surf", "dive", "sink",
    "soar", "vibrate", "tremble", "nod", "stretch", "bend", "curl", "unfold", "spread", "stop", "pause", "start",
    "begin", "continue", "accelerate", "slow", "crash", "land", "wiggle", "scamper", "slither", "stroll", "row",
    "pedal",
)  # fmt: skip
TRANSITIVE_VERBS = (
    "kick", "throw", "toss", "carry", "tow", "shove", "launch", "nudge", "haul", "steer", "drive", "knock", "hit",
    "guide",
)  # fmt: skip
_PRESENT, _PLURAL_PRESENT = {"be": "is", "have": "has"}, {"be": "are"}
#: Further forms in use, beside those that `inflect` gives.
_OTHER_FORMS = {"dove": "dive"}
#: Verbs of several syllables that double their last letter.
_DOUBLED = ("begin", "unplug", "unwrap", "unzip")


def inflect(lemma: str, form: str, plural: bool = False) -> str:
    """A verb in one of its forms; of its first word, if there are several ("pick up", "gerund" -> "picking up").

    Args:
        lemma: in lower case.
        form: "base", "present" (rolls), "past" (rolled), "participle" (rolled) or "gerund" (rolling).
        plural: whether several do it, which matters to "present" only.

    Raises:
        ValueError: for another form.
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


def irregular_lemmas() -> dict[str, str]:
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
