"""`SceneGraphParser`: text in, scene graph out."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.parser.confidence import UNCHANGED, Calibration, check_threshold, confident_part

# PyTorch and spaCy are imported by what needs them: a command that parses nothing must not wait for them.
if TYPE_CHECKING:
    from spacy.language import Language

    from mov_ai.parser.assembly import Parse
    from mov_ai.parser.network import CompositionalSceneParser
    from mov_ai.parser.scores import Scores
    from mov_ai.parser.token_graph import TokenGraph
    from mov_ai.parser.vocabulary import Vocabulary

T = TypeVar("T")
EMBEDDED_PARSER = Path(__file__).resolve().parents[1] / "assets" / "parser"


class SceneGraphParser:
    """The compositional scene parser: spaCy, a twelve-layer graph network, decoding.

    Args:
        networks: trained networks of one vocabulary, whose logits are averaged; they are put into eval mode.
        spacy: the pipeline that gives tokens, tags, lemmas and dependencies.
    """

    def __init__(
        self,
        networks: Sequence[CompositionalSceneParser],
        spacy: Language,
        vocabulary: Vocabulary,
        calibration: Calibration = UNCHANGED,
    ) -> None:
        self.networks = [network.eval() for network in networks]
        self.spacy = spacy
        self.vocabulary = vocabulary
        self.calibration = calibration

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> SceneGraphParser:
        """Load a parser from a folder with config.json and model.safetensors; the embedded one if no path is given.

        Raises UsageError if the folder does not hold a parser.
        """
        from mov_ai.parser.loading import load_networks
        from mov_ai.parser.spacy_pipeline import load_spacy

        folder = Path(path) if path is not None else EMBEDDED_PARSER
        networks, about = load_networks(folder)
        return cls(networks, load_spacy(about.spacy_model), about.vocabulary, about.calibration)

    def save_pretrained(self, path: str | Path) -> None:
        """Write config.json and model.safetensors into a folder, made if need be."""
        from mov_ai.parser.loading import save_parser

        save_parser(self.networks, self.vocabulary, path, self.calibration)

    def __call__(
        self, text: str, entities: Sequence[str | tuple[int, int]] | None = None, threshold: float = 0.0
    ) -> SceneGraph:
        """Parse one English text.

        Args:
            entities: the things that the text speaks of, if they are known beforehand: phrases of the text, or their
                character ranges. The graph then has these entities and no others.
            threshold: nodes and edges of a smaller confidence are left out, 0 to 1; see `confident_part`.

        Raises:
            UsageError: if the text is empty, too long, not whole Unicode, or describes more than a graph holds, or if
                an entity is not in the text, or the threshold not in its range.
        """
        return self.explain(text, entities, threshold).graph

    def explain(
        self, text: str, entities: Sequence[str | tuple[int, int]] | None = None, threshold: float = 0.0
    ) -> Parse:
        """As `__call__`, with the words that each edge was read from, and those that reached nothing."""
        return _answered([text], self.parse_each([text], [entities], threshold))[0]

    def parse_batch(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[str | tuple[int, int]] | None] | None = None,
        threshold: float = 0.0,
    ) -> list[SceneGraph]:
        """Parse several texts, batched in spaCy and in the network. Warns where a text does not look English.

        `entities`: for each text as `__call__` takes them, or None. Raises UsageError for the first text at fault;
        `parse_each` goes on.
        """
        return [parse.graph for parse in _answered(texts, self.parse_each(texts, entities, threshold))]

    def parse_each(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[str | tuple[int, int]] | None] | None = None,
        threshold: float = 0.0,
    ) -> list[Parse | UsageError]:
        """As `parse_batch`, but for each text what `explain` gives, or the error that it raises: none stops the rest.

        Warns of nothing: `Parse.foreign` says whether a text looks English. Raises UsageError for a threshold that is
        out of range only.
        """
        check_threshold(threshold)
        from mov_ai.parser.input_text import given_heads
        from mov_ai.parser.scoring import MAX_PAIRS, score

        given = [None] * len(texts) if entities is None else entities
        graphs: dict[int, TokenGraph] = {}
        heads: dict[int, list[tuple[int, int]] | None] = {}
        answers: dict[int, Parse | UsageError] = {}
        for i, (text, tokens, names) in enumerate(zip(texts, self.token_graphs(texts), given, strict=True)):
            if isinstance(tokens, UsageError):
                answers[i] = tokens
                continue
            with _noted(answers, i):
                heads[i] = None if names is None else given_heads(text, tokens, names)
                graphs[i] = tokens
        # A bounded number of tokens at a time, texts of about one length together.
        for part in _alike({i: len(tokens) for i, tokens in graphs.items()}, MAX_PAIRS):
            scores = score(self.networks, self.vocabulary, [graphs[i] for i in part], [heads[i] for i in part])
            for i, one in zip(part, scores, strict=True):
                with _noted(answers, i):
                    answers[i] = self._parse(texts[i], graphs[i], one, threshold)
        return [answers[i] for i in range(len(texts))]

    def token_graphs(self, texts: Sequence[str]) -> list[TokenGraph | UsageError]:
        """Check, correct, tokenize, tag and parse texts; in place of one at fault, the error that says why."""
        from mov_ai.parser.input_text import check_length, check_text, looks_foreign
        from mov_ai.parser.spelling import Corrected
        from mov_ai.parser.token_graph import token_graphs

        answers: dict[int, TokenGraph | UsageError] = {}
        for i, text in enumerate(texts):
            with _noted(answers, i):
                check_text(text)
        readable = [i for i in range(len(texts)) if i not in answers]
        correct = self.vocabulary.spelling
        corrected: dict[int, Corrected] = {}
        for i in readable:
            spelled = Corrected(texts[i]) if looks_foreign(texts[i]) else correct(texts[i])
            with _noted(answers, i):
                check_length(spelled.text, self.spacy)
                corrected[i] = spelled
        found = token_graphs(list(corrected.values()), self.spacy, self.vocabulary.known)
        answers |= zip(corrected, found, strict=True)
        return [answers[i] for i in range(len(texts))]

    def _parse(self, text: str, tokens: TokenGraph, scores: Scores, threshold: float) -> Parse:
        """Decode one text's scores, leave out what is doubtful, and note what of the text is then unread."""
        from mov_ai.parser.assembly import decode
        from mov_ai.parser.input_text import looks_foreign
        from mov_ai.parser.unread import unread_words

        parse = decode(text, tokens, scores, self.vocabulary)
        graph, kept = confident_part(self.calibration.apply(parse.graph), threshold)
        words = {new: parse.edge_words[old] for new, old in enumerate(kept) if old in parse.edge_words}
        mentions = {node.id: parse.mentions[node.id] for node in graph.nodes if node.id in parse.mentions}
        parse = replace(parse, graph=graph, edge_words=words, mentions=mentions)
        return replace(parse, unread=unread_words(text, tokens, parse), foreign=looks_foreign(text))


@contextlib.contextmanager
def _noted(answers: dict[int, T | UsageError], number: int) -> Iterator[None]:
    """An error about one text becomes its answer."""
    try:
        yield
    except UsageError as error:
        answers[number] = error


def _answered(texts: Sequence[str], answers: Sequence[Parse | UsageError]) -> list[Parse]:
    """All parses. Raises the first error; warns where a text does not look English."""
    parses = []
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(answer, UsageError):
            raise answer
        if answer.foreign:
            warnings.warn(foreign_warning(text), stacklevel=3)
        parses.append(answer)
    return parses


def foreign_warning(text: str) -> str:
    """What is said of a text that does not look English."""
    return f"the prompt does not look English ({text[:40]!r}); the parser knows English only"


def _alike(lengths: Mapping[int, int], most_pairs: int) -> Iterator[list[int]]:
    """Numbers of texts in groups of about one length, for padding costs time, and of bounded size in all."""
    part: list[int] = []
    for i in sorted(lengths, key=lambda i: lengths[i]):
        longer = part and lengths[i] > max(lengths[part[0]] + 2, 1.35 * lengths[part[0]])
        if part and (longer or (len(part) + 1) * lengths[i] ** 2 > most_pairs):
            yield part
            part = []
        part.append(i)
    if part:
        yield part
