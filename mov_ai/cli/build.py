"""`mov-ai build`: the shipped files that are computed from other data, apart from what `mov_ai.train` trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

build = typer.Typer(help="Make the shipped files that come from WordNet and from a treebank.", rich_markup_mode=None)


@build.command()
def meanings(
    out: Path | None = typer.Option(None, help="Folder of the file.", show_default="the one that ships"),
) -> None:
    """Write the word meanings that labels are encoded with, from WordNet 3.0."""
    from mov_ai.labels.meanings import EMBEDDED_MEANINGS
    from mov_ai.training.labels import write_meanings

    path = EMBEDDED_MEANINGS if out is None else out / EMBEDDED_MEANINGS.name
    words, synsets = write_meanings(path)
    typer.echo(f"{words} words, {synsets} synsets, {path.stat().st_size / 1e6:.2f} MB: {path}")


@build.command()
def word_vectors(
    out: Path | None = typer.Option(None, help="File of the vectors.", show_default="the one that ships"),
) -> None:
    """Write the parser's word vectors, from WordNet's synonym sets."""
    from mov_ai.data.wordnet import load_wordnet
    from mov_ai.parser.lexicon import EMBEDDED_LEXICON
    from mov_ai.training.lexicon import write_lexicon

    path = EMBEDDED_LEXICON if out is None else out
    count = write_lexicon(load_wordnet().single_words(), path)
    typer.echo(f"{count} words, {path.stat().st_size / 1e6:.1f} MB: {path}")


@build.command()
def spacy_pipeline(
    data: Path | None = typer.Option(
        None,
        help="Folder of {train,dev,test}.conllu.",
        show_default="$MOV_AI_DATA/ud_english_ewt, else a download",
    ),
    out: Path | None = typer.Option(None, help="Folder of the pipeline.", show_default="the one that ships"),
    config: Path | None = typer.Option(None, help="spaCy configuration.", show_default="conf/spacy/ewt.cfg"),
    work: Path | None = typer.Option(None, help="Folder for intermediate files.", show_default="a temporary one"),
    seed: int = typer.Option(0, help="Seed of data, weights and order."),
    max_steps: int | None = typer.Option(None, help="Number of updates.", show_default="the configuration's"),
    skip_training: bool = typer.Option(
        False, "--skip-training", help="Measure what is in --out and write its card again."
    ),
) -> None:
    """Train, measure and document the English pipeline that the parser reads with, on UD English-EWT."""
    from mov_ai.training.spacy_ewt import ASSET, CONFIG, REPRODUCIBLE_ENVIRONMENT, build_pipeline

    if any(os.environ.get(name) != value for name, value in REPRODUCIBLE_ENVIRONMENT.items()):
        # Thread counts and the hash seed are read when the interpreter and NumPy start: start them again.
        paths = {"--data": data, "--out": out, "--config": config, "--work": work}
        options = {**paths, "--seed": seed, "--max-steps": max_steps}
        words = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        command = [sys.executable, "-m", "mov_ai.cli.main", "build", "spacy-pipeline", *words]
        command += ["--skip-training"] if skip_training else []
        environment = {**os.environ, **REPRODUCIBLE_ENVIRONMENT}
        raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)

    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    build_pipeline(out or ASSET, data, config or CONFIG, work, seed, max_steps, skip_training)
