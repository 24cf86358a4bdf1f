"""Where a parser's triples differ from gold: a first guess at the kind of error, and examples for a person to check."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mov_ai.data.factual import FactualCaption
from mov_ai.graph.convert import Triple, triples_to_text

#: Kinds that the program tells apart, in the order in which it tries them. A person who checks may also find
#: "annotation noise", which no program sees.
KINDS = (
    "count",
    "wording of a node",
    "missed object",
    "extra object",
    "predicate wording",
    "wrong attachment",
    "missed attribute",
    "extra attribute",
    "missed relation",
    "extra relation",
    "other",
)
_NUMBERS = frozenset(
    (
        *(str(number) for number in range(1, 101)),
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        *("many", "several", "few", "some", "multiple", "various", "all", "pair of", "group of", "bunch of"),
    )
)


@dataclass(frozen=True)
class ParserError:
    """A caption whose triples are not the gold ones.

    Attributes:
        caption: the text.
        predicted, gold: triples.
        kinds: of `KINDS`, each once, in their order; at least one.
    """

    caption: str
    predicted: tuple[Triple, ...]
    gold: tuple[Triple, ...]
    kinds: tuple[str, ...]


def find_errors(captions: Sequence[FactualCaption], predicted: Sequence[Sequence[Triple]]) -> list[ParserError]:
    """The captions whose set of triples is not the gold one, in their order, each with its kinds of error."""
    return [
        ParserError(caption.caption, tuple(triples), caption.triples, kinds)
        for caption, triples in zip(captions, predicted, strict=True)
        if (kinds := error_kinds(triples, caption.triples))
    ]


def error_kinds(predicted: Sequence[Triple], gold: Sequence[Triple]) -> tuple[str, ...]:
    """What is wrong with a graph, as a first guess; () if both are the same set.

    A missing and an extra triple that belong together are one error, taken away before the next kind is tried:

    - count: `( dog , is , 2 )` and the like is missing or extra;
    - wording of a node: a name stands in one graph only and one much like it (a common stem, or one within the other)
      in the other graph only; what else differs is judged as if the gold name stood there;
    - missed, extra object: a name of one graph that the other lacks; triples about it are explained by it;
    - predicate wording: same objects, another predicate;
    - wrong attachment: an attribute on another object, or a relation with one other end;
    - what is left: missed or extra attributes and relations; "other" where only lone objects differ.
    """
    missing, extra = set(gold) - set(predicted), set(predicted) - set(gold)
    if not missing and not extra:
        return ()
    kinds: set[str] = set()

    def explain(kind: str, triples: set[Triple]) -> None:
        if triples:
            kinds.add(kind)
            missing.difference_update(triples)
            extra.difference_update(triples)

    explain("count", {t for t in missing | extra if t[1] == "is" and t[2] in _NUMBERS})
    renamed = _renamed(_names(gold), _names(predicted))
    if renamed:
        kinds.add("wording of a node")
        # Other mistakes of a renamed node are counted under its gold name.
        extra = {_translate(triple, renamed) for triple in extra}
        missing, extra = missing - extra, extra - set(gold)
    objects, predicted_objects = _objects(gold), {renamed.get(name, name) for name in _objects(predicted)}
    explain("missed object", {t for t in missing if (_objects([t]) - predicted_objects)})
    explain("extra object", {t for t in extra if (_objects([t]) - objects)})
    for kind, same_kind in (("predicate wording", _other_predicate), ("wrong attachment", _other_end)):
        for triple in sorted(missing):
            partner = next((other for other in sorted(extra) if same_kind(triple, other)), None)
            if partner is not None:
                explain(kind, {triple, partner})
    explain("missed attribute", {t for t in missing if t[1] == "is"})
    explain("extra attribute", {t for t in extra if t[1] == "is"})
    explain("missed relation", {t for t in missing if t[1]})
    explain("extra relation", {t for t in extra if t[1]})
    if (missing or extra) and not kinds:
        kinds.add("other")
    return tuple(kind for kind in KINDS if kind in kinds)


def count_kinds(errors: Sequence[ParserError]) -> dict[str, int]:
    """Kind -> number of captions that have it; a caption may have several. All of `KINDS`, also those with none."""
    counts = Counter(kind for error in errors for kind in error.kinds)
    return {kind: counts[kind] for kind in KINDS}


def sample_errors(errors: Sequence[ParserError], number: int, seed: int) -> list[ParserError]:
    """That many errors drawn at random, in the order of the captions; all if there are fewer."""
    picks = sorted(random.Random(seed).sample(range(len(errors)), min(number, len(errors))))
    return [errors[pick] for pick in picks]


def errors_csv(errors: Sequence[ParserError]) -> str:
    """A table for a person to fill in: the column `checked` is empty and takes the kind that the person sees."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", "guess", "checked", "caption", "predicted", "gold"))
    for number, error in enumerate(errors, 1):
        graphs = (triples_to_text(sorted(triples)) for triples in (error.predicted, error.gold))
        writer.writerow((number, "; ".join(error.kinds), "", error.caption, *graphs))
    return text.getvalue()


def errors_markdown(errors: Sequence[ParserError]) -> str:
    """The same for reading: only the triples that differ."""
    lines = []
    for number, error in enumerate(errors, 1):
        missing = [t for t in dict.fromkeys(error.gold) if t not in error.predicted]
        extra = [t for t in dict.fromkeys(error.predicted) if t not in error.gold]
        lines += [f"{number}. *{error.caption}* — {', '.join(error.kinds)}"]
        lines += [f"   - {title}: `{triples_to_text(t)}`" for title, t in (("missing", missing), ("extra", extra)) if t]
    return "\n".join(lines) + "\n"


def _objects(triples: Sequence[Triple]) -> set[str]:
    return {head for head, _, _ in triples} | {tail for _, predicate, tail in triples if predicate not in ("", "is")}


def _names(triples: Sequence[Triple]) -> set[str]:
    return _objects(triples) | {tail for _, predicate, tail in triples if predicate == "is"}


def _renamed(gold: set[str], predicted: set[str]) -> dict[str, str]:
    """Predicted name -> the gold name that it is a wording of."""
    missing = sorted(gold - predicted)
    result = {}
    for name in sorted(predicted - gold):
        match = next((other for other in missing if _alike(name, other)), None)
        if match is not None:
            missing.remove(match)
            result[name] = match
    return result


def _alike(a: str, b: str) -> bool:
    if a.replace(" ", "").replace("-", "") == b.replace(" ", "").replace("-", ""):
        return True
    if set(a.split()) & set(b.split()):
        return True
    common = 0
    while common < min(len(a), len(b)) and a[common] == b[common]:
        common += 1
    return common >= 3 and common >= max(len(a), len(b)) - 4


def _translate(triple: Triple, names: dict[str, str]) -> Triple:
    return names.get(triple[0], triple[0]), triple[1], names.get(triple[2], triple[2])


def _other_predicate(a: Triple, b: Triple) -> bool:
    return a[0] == b[0] and a[2] == b[2] and a[1] not in ("", "is") and b[1] not in ("", "is")


def _other_end(a: Triple, b: Triple) -> bool:
    return a[1] == b[1] != "" and (a[2] == b[2] or (a[1] != "is" and a[0] == b[0]))
