"""What English asks for: pronouns, articles, auxiliaries in their tenses, negation."""

from __future__ import annotations

#: Class -> subject, object and possessive.
PRONOUNS: dict[str, tuple[str, str, str]] = {
    "male": ("he", "him", "his"),
    "female": ("she", "her", "her"),
    "plural": ("they", "them", "their"),
    "thing": ("it", "it", "its"),
}
#: Tense -> form of the verb after its auxiliaries, where that is not the tense's own name.
_FORMS = {"progressive": "gerund", "caption": "gerund", "future": "base", "perfect": "participle"}


def article(word: str) -> str:
    """ "a" or "an"."""
    return "an" if word[0] in "aeiou" and not word.startswith(("uni", "use")) else "a"


def be(plural: bool, past: bool = False) -> str:
    """is, are, was or were."""
    return ("were" if past else "are") if plural else ("was" if past else "is")


def verb_chain(tense: str, passive: bool, plural: bool) -> tuple[tuple[str, ...], str]:
    """Auxiliaries, and the form (`inflection.VERB_FORMS`) of the verb after them.

    Args:
        tense: present, progressive, past, future, perfect; "caption" (a ball rolling left); or a bare form: gerund,
            base, participle.
    """
    has = "have" if plural else "has"
    before = {"progressive": (be(plural),), "future": ("will",), "perfect": (has,)}.get(tense, ())
    form = _FORMS.get(tense, tense)
    if not passive or tense == "participle":
        return before, form
    # The passive is "be" in that tense, and a participle.
    forms = {"gerund": "being", "base": "be", "participle": "been"}
    return (*before, forms.get(form) or be(plural, past=form == "past")), "participle"


def negated(
    word: str, before: tuple[str, ...], form: str, plural: bool, contracted: bool
) -> tuple[tuple[str, ...], str]:
    """The chain of `verb_chain` with "not", "never" or "no longer"; contracted: "isn't", "doesn't"."""
    if word == "not" and not before and form in ("present", "past"):
        before, form = ("did" if form == "past" else "do" if plural else "does",), "base"
    if not before or before[0] == "being":
        return (word, *before), form
    first, *rest = before
    return ((f"{first}n't", *rest) if contracted and word == "not" else (first, word, *rest)), form
