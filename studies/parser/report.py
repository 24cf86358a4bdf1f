"""What the measurements of a parser look like: the table for the terminal, and report.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from studies.parser.calibration import BINS
from studies.parser.extractive_oracle import LABEL_OCCURRENCES


def rows(result: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Lines of the main table: name, captions, n, Set Match, SPICE F; figures in per cent with 95 % intervals."""
    titles = {
        "random": ("this parser", "random/test"),
        "random_lemmatized": ("this parser, noun lemmas", "random/test"),
        "length": ("length parser", "length/test"),
        "length_unseen": ("this parser", "length/test, unseen"),
    }
    for name, (title, part) in titles.items():
        if name in result["accuracy"]:
            yield (title, part, *_figures(result["accuracy"][name]))
    for name, pair in result["published"].items():
        yield name, "random/test", "", f"{100 * pair['set_match']:.2f}", f"{100 * pair['spice']:.2f}"
    for split, oracles in result["oracle"].items():
        for name, oracle in oracles.items():
            title = f"oracle: {name}" + (f" ({oracle['labels']})" if oracle["labels"] else "")
            yield (title, f"{split}/test", *_figures(oracle))


def table(result: dict[str, Any]) -> Table:
    """The main table for the terminal."""
    made = Table(title="Scene graphs on FACTUAL, per cent [95 % interval]")
    for name in ("", "captions"):
        made.add_column(name, overflow="fold")
    for name in ("n", "Set Match", "SPICE F"):
        made.add_column(name, justify="right", no_wrap=True)
    for row in rows(result):
        made.add_row(*row)
    return made


def remarks(result: dict[str, Any]) -> list[str]:
    """What the table does not say, one line each."""
    timing, size, where = result["speed"], result["size_mb"], result["environment"]
    lines = [
        f"{timing['captions_per_second']:.0f} captions/s in batches of {timing['batch_size']} (median of"
        f" {timing['runs']} runs over {timing['captions']} captions of {timing['words_per_caption']:.1f} words); one"
        f" caption, warm: {timing['ms_one_caption']:.1f} ms (median)",
        f"size: {size['total']:.1f} MB (parser {size['parser']:.1f}, word vectors {size['words']:.1f}, spaCy pipeline"
        f" {size['spacy']:.1f})",
    ]
    if "gap" in result:
        gap = result["gap"]
        lines.append(
            f"random/test less length/test: Set Match {100 * gap['set_match']:.1f}, SPICE {100 * gap['spice']:.1f}"
            " points"
        )
    if "calibration" in result:
        parts = (f"{name} {100 * v['ece']:.1f} % (n = {v['n']})" for name, v in result["calibration"].items())
        lines.append(f"expected calibration error on random/test, {BINS} bins: {', '.join(parts)}")
    if "errors" in result:
        kinds = ", ".join(f"{kind} {n}" for kind, n in result["errors"]["kinds"].items() if n)
        lines.append(
            f"{result['errors']['wrong']} of {result['errors']['captions']} captions differ from gold; first guess at"
            f" the kinds, several to a caption: {kinds or 'none'}"
        )
    refused = {name: a["refused"] for name, a in result["accuracy"].items() if a["refused"]}
    lines += [f"refused by the parser and counted as empty graphs, {name}: {n}" for name, n in refused.items()]
    for part, title in (("sentences", "time"), ("prompts", "prompts for videos")):
        for name, figure in result.get("time", {}).get(part, {}).get("figures", {}).items():
            if figure["value"] is not None:
                lines.append(f"{title}, {name}: {100 * figure['value']:.1f} % of {figure['total']}")
    for source, figures in result.get("time", {}).get("timelines", {}).items():
        parts = (f"{name} {value:.3f}" for name, value in figures.items() if isinstance(value, (int, float)))
        lines.append(f"{source}: {', '.join(parts)}")
    lines += result["remarks"]
    lines.append(
        f"{where['machine']}; OMP_NUM_THREADS {where['omp_num_threads'] or 'not set'}, load {where['load_average']};"
        f" {', '.join(f'{n} {v}' for n, v in where['versions'].items())}; {where['time']};"
        f" seed {result['settings']['seed']}"
    )
    return lines


def report(result: dict[str, Any]) -> str:
    """`report.md`: the table, the remarks and what the words in them mean."""
    lines = ["# The parser on FACTUAL", "", "Per cent, with 95 % bootstrap intervals over captions.", ""]
    lines += ["| | captions | n | Set Match | SPICE F |", "|---|---|---:|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(result)]
    lines += ["", *(f"- {line}" for line in remarks(result)), ""]
    lines += [
        "Flan-T5 and SPICE / Stanford: published figures, from FACTUAL's README. Length parser: trained on"
        " length/train. Unseen: captions of length/test that are not in random/train. Noun lemmas: words of both graphs"
        " cut to noun lemmas first, much as FACTUAL's evaluator can; its README does not say which way its figures are"
        " made.",
        "",
        "Set Match: both graphs are the same set of triples as strings. SPICE F: objects, attributes and relations as"
        " tuples, WordNet synonyms being equal. Both as in FACTUAL's evaluator"
        " (`studies/parser/scene_graph_metrics.py`).",
        "",
        "Oracle: a parser that makes no mistake but can only say words of the caption and their base forms"
        " (`studies/parser/extractive_oracle.py`); predicates either likewise, or also the labels seen"
        f" {LABEL_OCCURRENCES} times or more in training. Its Set Match is a ceiling for such parsers, its SPICE is"
        " not: a parser could also guess synonyms.",
    ]
    if "rare_words" in result:
        lines += ["", "## Set Match on random/test, by how many training captions hold a caption's rarest word", ""]
        lines += ["| training captions | n | Set Match |", "|---|---:|---:|"]
        lines += [f"| {row['seen']} | {row['n']} | {100 * row['right']:.1f} |" for row in result["rare_words"]]
    if "calibration" in result:
        lines += ["", "## Calibration on random/test"]
        for name, figures in result["calibration"].items():
            lines += ["", f"{name}: expected calibration error {100 * figures['ece']:.2f} %", ""]
            lines += ["| confidence | n | mean confidence | right |", "|---|---:|---:|---:|"]
            lines += [
                f"| {row['low']:.2f}-{row['high']:.2f} | {row['n']} | {100 * row['confidence']:.1f} %"
                f" | {100 * row['accuracy']:.1f} % |"
                for row in figures["reliability"]
            ]
    return "\n".join(lines) + "\n"


def _figures(accuracy: dict[str, Any]) -> tuple[str, str, str]:
    matches, scores = (
        f"{100 * mean['value']:.2f} [{100 * mean['low']:.1f}, {100 * mean['high']:.1f}]"
        for mean in (accuracy["set_match"], accuracy["spice"])
    )
    return str(accuracy["n"]), matches, scores
