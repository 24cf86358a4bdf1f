"""Train, measure and document the embedded English pipeline on UD English-EWT: `recipes/spacy_pipeline.sh [options]`.

It converts the treebank's CoNLL-U files, runs ``spacy train`` with `spacy_pipeline.cfg`, measures the result on the
test split and writes the pipeline, its figures (``figures.json``) and its card (``README.md``) into
``mov_ai/assets/spacy_ewt``. One CPU core is enough. A second run with the same versions of spaCy, thinc and NumPy on
the same kind of processor gives the same weights.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.data.downloads import data_folder
from mov_ai.errors import UsageError, run_script
from mov_ai.hardware import processor
from mov_ai.parser.spacy_pipeline import EMBEDDED_PIPELINE
from tools.builders.written_captions import written_captions

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

log = logging.getLogger(__name__)

CONFIG = Path(__file__).with_suffix(".cfg")

TREEBANK_TAG = "r2.15"
SPLITS = ("train", "dev", "test")

GROUPED_SHARE = 0.06
"""Share of the training draws that join 2 or 3 sentences: the parser also learns where a sentence ends."""

CAPTION_SHARE = 0.25
"""Share of the training sentences that come once more as a caption is typed: lower case, no final stop."""

WRITTEN_CAPTIONS = 2500
"""Captions with trees that ``CaptionGrammar`` adds to the training set (never to the dev or test split)."""

HEAD_SENTENCES = 400
"""Sentences of the test split that are also measured apart, for a quick check."""

# One thread and a fixed hash seed: sums in the same order, hence the same weights.
REPRODUCIBLE_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}

SAMPLE_CAPTIONS = (
    "a red ball rolls left, then turns blue",
    "man in front of a tree",
    "A small dog jumps over the fence.",
    "two children are playing with a yellow kite on the beach",
    "the blue cube moves to the right of the green sphere",
    "a woman wearing a white hat walks slowly towards the camera",
    "a cat sleeping on the sofa next to a lamp",
    "a ball bounces three times and stops behind the box",
)
"""Captions on which the speed is measured."""


def locate_treebank(data: Path | None = None) -> Path:
    """Find the folder of ``train.conllu``, ``dev.conllu`` and ``test.conllu``.

    Args:
        data: folder given by the user; None for the dataset's own (``mov_ai.data.downloads``), fetched if need be.

    Raises:
        UsageError: ``data`` was given and one of the three files is missing from it.
        MovAIError: the files are not on this machine and cannot be fetched.
    """
    if data is None:
        return data_folder("ud_english_ewt")
    if not all((data / f"{split}.conllu").is_file() for split in SPLITS):
        raise UsageError(f"{data} lacks one of train.conllu, dev.conllu, test.conllu (UD English-EWT)")
    return data


def read_conllu(path: Path) -> list[Doc]:
    """Read a CoNLL-U file with spaCy's converter, one ``Doc`` per sentence.

    A multiword token ("didn't") gives its syntactic words ("did", "n't"), as in the treebank and as spaCy's
    English tokenizer splits it; empty nodes (ids such as 8.1), which carry only enhanced dependencies, are
    left out.
    """
    from spacy.training.converters import conllu_to_docs

    return list(conllu_to_docs(path.read_text(encoding="utf-8"), n_sents=1, no_print=True))


def caption_variant(doc: Doc) -> Doc:
    """Copy one sentence as a caption is typed: lower case, without the final stop or exclamation mark."""
    from spacy.tokens import Doc

    columns: dict[str, Any] = {
        # Not token.lower_: the converter's vocabulary has no lexical attributes, lower_ would be empty.
        "words": [token.text.lower() for token in doc],
        "spaces": [bool(token.whitespace_) for token in doc],
        "tags": [token.tag_ for token in doc],
        "pos": [token.pos_ for token in doc],
        "morphs": [str(token.morph) for token in doc],
        # The lemma goes lower too: otherwise the lemmatizer learns to capitalise lower-case names at random.
        "lemmas": [token.lemma_.lower() for token in doc],
        "heads": [token.head.i for token in doc],
        "deps": [token.dep_ for token in doc],
    }
    last = len(doc) - 1
    nothing_depends_on_it = all(head != last for head in columns["heads"][:-1])
    if last > 1 and doc[last].text in {".", "!"} and nothing_depends_on_it:
        columns = {name: values[:-1] for name, values in columns.items()}
    return Doc(doc.vocab, **columns)


def training_documents(sentences: list[Doc], seed: int) -> list[Doc]:
    """Make the training set: all sentences, a few of them joined, caption-like copies, written captions."""
    from spacy.tokens import Doc

    rng = random.Random(seed)
    documents = []
    start = 0
    while start < len(sentences):
        count = rng.choice((2, 3)) if rng.random() < GROUPED_SHARE else 1
        group = sentences[start : start + count]
        documents.append(group[0] if len(group) == 1 else Doc.from_docs(group))
        start += count
    documents += [caption_variant(sentence) for sentence in sentences if rng.random() < CAPTION_SHARE]
    documents += written_captions(sentences, WRITTEN_CAPTIONS, seed)
    return documents


def write_docbin(documents: Iterable[Doc], path: Path) -> None:
    """Write documents in spaCy's training format."""
    from spacy.tokens import DocBin

    attributes = ["ORTH", "SPACY", "TAG", "POS", "MORPH", "LEMMA", "HEAD", "DEP", "SENT_START"]
    DocBin(docs=documents, attrs=attributes).to_disk(path)


def evaluate(nlp: Language, sentences: list[Doc], *, tokenization: str = "gold") -> dict[str, float]:
    """Measure a pipeline on gold sentences, each given alone to the pipeline.

    All figures are per cent, punctuation included, with full dependency labels (``nmod:poss`` is not
    ``nmod``), and lemmas compared with their case. With ``tokenization="gold"`` the pipeline gets the
    treebank's words and every figure is an accuracy. With ``tokenization="spacy"`` it gets the raw text of
    the sentence; a predicted word is right only when its character span is that of a gold word, and figures
    are F1 over words (as in the CoNLL 2018 shared task). For ``uas`` and ``las`` the head's span must be
    right as well.

    Raises:
        ValueError: ``tokenization`` is neither "gold" nor "spacy".
    """
    from spacy.tokens import Doc

    if tokenization == "gold":
        inputs: list[Any] = [
            Doc(nlp.vocab, words=[t.text for t in gold], spaces=[bool(t.whitespace_) for t in gold])
            for gold in sentences
        ]
    elif tokenization == "spacy":
        inputs = [gold.text for gold in sentences]
    else:
        raise ValueError(f"tokenization is {tokenization!r}, expected 'gold' or 'spacy'")

    names = ("tokens", "upos", "xpos", "feats", "lemma", "uas", "las", "uas_no_punct", "las_no_punct")
    right = dict.fromkeys(names, 0)
    gold_words = predicted_words = gold_non_punct = predicted_non_punct = 0
    for gold, predicted in zip(sentences, nlp.pipe(inputs), strict=True):
        words = [token for token in predicted if not token.is_space]
        gold_words += len(gold)
        predicted_words += len(words)
        gold_non_punct += sum(token.dep_ != "punct" for token in gold)
        by_span = {_span(token): token for token in gold}
        for token in words:
            match = by_span.get(_span(token))
            # Only the gold label of an aligned word says for sure whether it is punctuation.
            predicted_non_punct += (match.dep_ if match is not None else token.dep_) != "punct"
            if match is None:
                continue
            head = (_span(token.head) if token.head.i != token.i else None) == (
                _span(match.head) if match.head.i != match.i else None
            )
            labelled = head and token.dep_ == match.dep_
            right["tokens"] += 1
            right["upos"] += token.pos_ == match.pos_
            right["xpos"] += token.tag_ == match.tag_
            right["feats"] += str(token.morph) == str(match.morph)
            right["lemma"] += token.lemma_ == match.lemma_
            right["uas"] += head
            right["las"] += labelled
            if match.dep_ != "punct":
                right["uas_no_punct"] += head
                right["las_no_punct"] += labelled

    scores = {}
    for name, count in right.items():
        total = gold_words + predicted_words
        if name.endswith("no_punct"):
            total = gold_non_punct + predicted_non_punct
        scores[name] = round(200.0 * count / total, 2)
    return scores


def _span(token: Any) -> tuple[int, int]:
    return token.idx, token.idx + len(token)


def measure_speed(folder: Path) -> dict[str, float]:
    """Time ``spacy.load`` (seconds, spaCy imported before) and one caption (milliseconds); medians."""
    import spacy

    loads = []
    for _ in range(5):
        start = time.perf_counter()
        nlp = spacy.load(folder)
        loads.append(time.perf_counter() - start)
    captions = []
    for _ in range(20):
        for caption in SAMPLE_CAPTIONS:
            start = time.perf_counter()
            nlp(caption)
            captions.append(time.perf_counter() - start)
    return {
        "load_s": round(statistics.median(loads), 3),
        "ms_per_caption": round(1000 * statistics.median(captions), 2),
    }


def run_spacy_train(config: Path, work: Path, seed: int, max_steps: int | None = None) -> None:
    """Run ``spacy train`` on ``train.spacy`` and ``dev.spacy`` of ``work``, into ``work/run/model-best``.

    It is the function behind the command line of that name. Called here rather than through the shell for one
    reason: thinc's default matrix product (BLIS) was measured at a third of NumPy's (OpenBLAS) speed on the
    400 x 384 by 384 x 384 products of this network, so NumPy's is chosen before the network is built.
    """
    from spacy.cli.train import train
    from thinc.api import NumpyOps, set_current_ops

    overrides: dict[str, Any] = {
        "paths.train": str(work / "train.spacy"),
        "paths.dev": str(work / "dev.spacy"),
        "system.seed": seed,
    }
    if max_steps is not None:
        overrides["training.max_steps"] = max_steps
    set_current_ops(NumpyOps(use_blis=False))
    train(config, work / "run", overrides=overrides)


def install(trained: Path, out: Path, seed: int) -> None:
    """Copy a trained pipeline to ``out`` under its published name, without the training machine's paths."""
    import spacy

    nlp = spacy.load(trained)
    nlp.config["paths"]["train"] = None
    nlp.config["paths"]["dev"] = None
    nlp.config["system"]["seed"] = seed
    nlp.meta.update(
        name="ewt",
        version="1.0.0",
        description="English tags, lemmas and dependencies for captions, trained on UD English-EWT 2.15",
        license="CC BY-SA 4.0",
        sources=[
            {
                "name": f"UD English-EWT {TREEBANK_TAG}",
                "url": "https://github.com/UniversalDependencies/UD_English-EWT",
                "license": "CC BY-SA 4.0",
                "author": "Universal Dependencies English-EWT contributors",
            }
        ],
    )
    # Figures live in figures.json, measured on the test split; spaCy's own are those of the dev split.
    nlp.meta["performance"] = {}
    out.mkdir(parents=True, exist_ok=True)
    nlp.to_disk(out)


def size_mb(folder: Path) -> float:
    """Size of the files under a folder, in units of 10^6 bytes."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 2)


def write_card(out: Path, figures: dict[str, Any]) -> None:
    """Write ``README.md`` beside the pipeline from the figures alone, so that the two cannot disagree."""
    rows = [
        ("UPOS", "upos"),
        ("XPOS", "xpos"),
        ("UFeats", "feats"),
        ("Lemmas (case-sensitive)", "lemma"),
        ("UAS", "uas"),
        ("LAS", "las"),
        ("UAS without punctuation", "uas_no_punct"),
        ("LAS without punctuation", "las_no_punct"),
        ("Words", "tokens"),
    ]
    test = figures["test"]
    table = "\n".join(
        f"| {title} | {test['gold'][key]:.2f} | {test['spacy'][key]:.2f} |"
        for title, key in rows
        if key in test["gold"]
    )
    provenance = figures["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    counts = figures["sentences"]
    card = f"""# English pipeline for captions (`spacy_ewt`)

A spaCy pipeline (`tok2vec`, `tagger`, `morphologizer`, `trainable_lemmatizer`, `parser`) that gives XPOS,
UPOS and features, lemmas and Universal Dependencies. It loads with `spacy.load` on this folder, without
network or further packages, and holds no pickled code. This card is written by the training command from
`figures.json`.

## Data and licence

UD English-EWT, tag {TREEBANK_TAG}, <https://github.com/UniversalDependencies/UD_English-EWT>, CC BY-SA 4.0:
weblogs, newsgroups, emails, reviews and answers; {counts["train"]} / {counts["dev"]} / {counts["test"]}
sentences for training, choice of the checkpoint and test. The weights are derived from it and are offered
under the same licence. Reference: N. Silveira et al., "A Gold Standard Dependency Corpus for English", LREC
2014.

Empty nodes are left out; a multiword token gives its syntactic words. Three things are done for captions, to
the training split only:

- {100 * GROUPED_SHARE:.0f} % of the draws join 2 or 3 sentences, so that sentence ends are learnt too;
- {100 * CAPTION_SHARE:.0f} % of the sentences come once more in lower case without their final stop;
- {figures["written_captions"]} captions with their trees ("the cube slides left, then turns blue"), written
  by the small grammar in `tools/builders/written_captions.py`, are added. They are random: no caption of a
  published data set was used.

## Training

    {provenance["command"]}

| | |
|---|---|
| configuration | `tools/builders/spacy_pipeline.cfg` |
| seed | {provenance["seed"]} |
| `spacy train` | {provenance["train_s"]} s, of which {provenance["train_cpu_s"]} s of processor time |
| machine | {provenance["machine"]} |
| versions | {versions} |
| size on disk | {figures["size_mb"]:.1f} MB (10^6 bytes) |
| `spacy.load` | {figures["speed"]["load_s"]:.2f} s (median; spaCy already imported) |
| one caption | {figures["speed"]["ms_per_caption"]:.1f} ms (median over {len(SAMPLE_CAPTIONS)} captions) |

## Figures on the test split

Per cent. Sentences are given one by one. "Gold words": the treebank's own tokenization is given, figures are
accuracies. "Raw text": spaCy's English tokenizer cuts the sentence, figures are F1 over words that must also
be cut as in the treebank. Punctuation counts unless a row says otherwise; labels are compared in full,
subtypes included.

| | gold words | raw text |
|---|---|---|
{table}

## Limits

English only. The treebank is web text, where present-tense descriptions such as captions are rare; the
written captions teach these, within the vocabulary and constructions of their grammar. A present-tense verb
that the treebank and the grammar lack is still mostly taken for a noun ("the zeppelin hovers", "a knight
gallops"; 7 of 8 such captions read by eye for version 1.0.0). No treebank of
captions was at hand: there is no figure on captions, only the examples of
`tests/parser/test_spacy_pipeline.py`. Sentence boundaries come from the parser; a few joined sentences were
seen in training, long texts were not.
"""
    (out / "README.md").write_text(card, encoding="utf-8")


def build_pipeline(
    out: Path = EMBEDDED_PIPELINE,
    data: Path | None = None,
    config: Path = CONFIG,
    work: Path | None = None,
    seed: int = 0,
    max_steps: int | None = None,
    skip_training: bool = False,
) -> None:
    """Train the pipeline, measure it, and write it with its figures and card.

    Weights are the same every time only in a process that was started in `REPRODUCIBLE_ENVIRONMENT`.

    Args:
        out: folder of the pipeline.
        data: folder of {train,dev,test}.conllu; None as in `locate_treebank`.
        config: spaCy configuration.
        work: folder for intermediate files; None for a temporary one.
        seed: of data, weights and order.
        max_steps: number of updates; None for the configuration's.
        skip_training: measure what is in `out` and write its card again.

    Raises:
        UsageError: if a file is missing.
        MovAIError: if the treebank cannot be fetched.
    """
    import spacy

    treebank = locate_treebank(data)
    sentences = {split: read_conllu(treebank / f"{split}.conllu") for split in SPLITS}
    counts = {split: len(docs) for split, docs in sentences.items()}
    log.info("treebank in %s: %s sentences", treebank, counts)

    figures_path = out / "figures.json"
    if not skip_training:
        if not config.is_file():
            raise UsageError(f"{config} is missing; give tools/builders/spacy_pipeline.cfg with --config")
        with contextlib.ExitStack() as stack:
            if work is None:
                work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mov_ai_ewt_")))
            work.mkdir(parents=True, exist_ok=True)
            provenance = _train(sentences, out, config, work, seed, max_steps)
    elif figures_path.is_file():
        provenance = json.loads(figures_path.read_text(encoding="utf-8"))["provenance"]
    else:
        raise UsageError(f"--skip-training: {figures_path} is missing, so nothing was trained there yet")

    nlp = spacy.load(out)
    figures: dict[str, Any] = {
        "data": f"UD English-EWT {TREEBANK_TAG}, CC BY-SA 4.0",
        "provenance": provenance,
        "sentences": counts,
        "written_captions": WRITTEN_CAPTIONS,
        "size_mb": size_mb(out),
        "speed": measure_speed(out),
    }
    measured = {
        "dev": sentences["dev"],
        "test": sentences["test"],
        # A part that takes two seconds: the tests measure it again.
        f"test_first_{HEAD_SENTENCES}": sentences["test"][:HEAD_SENTENCES],
    }
    for split, documents in measured.items():
        figures[split] = {
            "gold": evaluate(nlp, documents, tokenization="gold"),
            "spacy": evaluate(nlp, documents, tokenization="spacy"),
        }
        log.info("%s: %s", split, figures[split])
    figures_path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    write_card(out, figures)
    log.info("pipeline, figures and card are in %s", out)


def _train(
    sentences: dict[str, list[Doc]], out: Path, config: Path, work: Path, seed: int, max_steps: int | None
) -> dict[str, Any]:
    """Train into `work` and copy the best pipeline to `out`; returns how it was made."""
    write_docbin(training_documents(sentences["train"], seed), work / "train.spacy")
    write_docbin(sentences["dev"], work / "dev.spacy")
    command = "recipes/spacy_pipeline.sh"
    if seed:
        command += f" --seed {seed}"
    if max_steps is not None:
        command += f" --max-steps {max_steps}"
    start, cpu_start = time.perf_counter(), time.process_time()
    run_spacy_train(config, work, seed, max_steps)
    provenance = {
        "command": command,
        "seed": seed,
        "train_s": round(time.perf_counter() - start),
        # Apart from the wall clock: on a machine that does other work too, this one says what was needed.
        "train_cpu_s": round(time.process_time() - cpu_start),
        "machine": f"{processor()} ({platform.machine()}), {os.cpu_count()} cores, one used, no GPU",
        "versions": {name: importlib.metadata.version(name) for name in ("spacy", "thinc", "numpy")},
    }
    install(work / "run" / "model-best", out, seed)
    return provenance


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="tools.builders.spacy_pipeline", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of {train,dev,test}.conllu; default: the data set's own")
    parser.add_argument("--out", type=Path, default=EMBEDDED_PIPELINE, help="folder of the pipeline")
    parser.add_argument("--config", type=Path, default=CONFIG, help="spaCy configuration")
    parser.add_argument("--work", type=Path, help="folder for intermediate files; default: a temporary one")
    parser.add_argument("--seed", type=int, default=0, help="seed of data, weights and order")
    parser.add_argument("--max-steps", type=int, help="number of updates; default: the configuration's")
    parser.add_argument("--skip-training", action="store_true", help="measure --out and write its card again")
    options = vars(parser.parse_args(arguments))
    if any(os.environ.get(name) != value for name, value in REPRODUCIBLE_ENVIRONMENT.items()):
        # Thread counts and the hash seed are read when the interpreter and NumPy start: start them again.
        command = [sys.executable, "-m", "tools.builders.spacy_pipeline", *arguments]
        return subprocess.run(command, env={**os.environ, **REPRODUCIBLE_ENVIRONMENT}, check=False).returncode
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    return run_script(parser.prog, lambda: build_pipeline(**options))


if __name__ == "__main__":
    sys.exit(main())
