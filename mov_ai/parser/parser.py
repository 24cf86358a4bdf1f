"""`SceneGraphParser`: text in, scene graph out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.parser.confidence import UNCHANGED, Calibration

# PyTorch and spaCy are imported by what needs them: a command that parses nothing must not wait for them.
if TYPE_CHECKING:
    from spacy.language import Language

    from mov_ai.parser.assembly import Parse
    from mov_ai.parser.network import CompositionalSceneParser
    from mov_ai.parser.token_graph import TokenGraph
    from mov_ai.parser.vocabulary import Vocabulary

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

    def __call__(self, text: str, entities: Sequence[str | tuple[int, int]] | None = None) -> SceneGraph:
        """Parse one English text.

        Args:
            entities: the things that the text speaks of, if they are known beforehand: phrases of the text, or their
                character ranges. The graph then has these entities and no others.

        Raises:
            UsageError: if the text is empty, too long, not whole Unicode, or describes more than a graph holds, or if
                an entity is not in the text.
        """
        return self.explain(text, entities).graph

    def explain(self, text: str, entities: Sequence[str | tuple[int, int]] | None = None) -> Parse:
        """As `__call__`, with the words that each edge was read from."""
        return self._parses([text], [entities])[0]

    def parse_batch(
        self, texts: Sequence[str], entities: Sequence[Sequence[str | tuple[int, int]] | None] | None = None
    ) -> list[SceneGraph]:
        """Parse several texts, batched in spaCy and in the network. Warns where a text does not look English.

        `entities`: for each text as `__call__` takes them, or None. Raises UsageError for the first text at fault.
        """
        given = [None] * len(texts) if entities is None else entities
        return [parse.graph for parse in self._parses(texts, given)]

    def _token_graphs(self, texts: Sequence[str]) -> list[TokenGraph]:
        """Check, tokenize, tag and parse texts; warns where one does not look English."""
        from mov_ai.parser.input_text import MAX_TOKENS, check_text, looks_foreign
        from mov_ai.parser.spelling import Corrected
        from mov_ai.parser.token_graph import token_graphs

        for text in texts:
            check_text(text)
        foreign = [looks_foreign(text) for text in texts]
        correct = self.vocabulary.spelling
        corrected = [Corrected(text) if alien else correct(text) for text, alien in zip(texts, foreign, strict=True)]
        graphs = token_graphs(corrected, self.spacy, self.vocabulary.known)
        for text, tokens, alien in zip(texts, graphs, foreign, strict=True):
            if len(tokens) > MAX_TOKENS:
                raise UsageError(
                    f"the prompt has {len(tokens)} words and punctuation marks; the parser reads at most {MAX_TOKENS}: "
                    "shorten it or split it into several prompts"
                )
            if alien:
                warnings.warn(
                    f"the prompt does not look English ({text[:40]!r}); the parser knows English only", stacklevel=2
                )
        return graphs

    def _parses(self, texts: Sequence[str], entities: Sequence[Sequence[str | tuple[int, int]] | None]) -> list[Parse]:
        """Score and decode, a bounded number of tokens at a time, texts of about one length together."""
        from mov_ai.parser.assembly import decode
        from mov_ai.parser.input_text import given_heads
        from mov_ai.parser.scoring import MAX_PAIRS, score

        graphs = self._token_graphs(texts)
        given = [
            None if names is None else given_heads(text, tokens, names)
            for text, tokens, names in zip(texts, graphs, entities, strict=True)
        ]
        parses: dict[int, Parse] = {}
        for part in _alike([len(tokens) for tokens in graphs], MAX_PAIRS):
            scores = score(self.networks, self.vocabulary, [graphs[i] for i in part], [given[i] for i in part])
            for i, one in zip(part, scores, strict=True):
                parse = decode(texts[i], graphs[i], one, self.vocabulary)
                parses[i] = replace(parse, graph=self.calibration.apply(parse.graph))
        return [parses[i] for i in range(len(texts))]


def _alike(lengths: Sequence[int], most_pairs: int) -> Iterator[list[int]]:
    """Numbers of texts in groups of about one length, for padding costs time, and of bounded size in all."""
    part: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        longer = part and lengths[i] > max(lengths[part[0]] + 2, 1.35 * lengths[part[0]])
        if part and (longer or (len(part) + 1) * lengths[i] ** 2 > most_pairs):
            yield part
            part = []
        part.append(i)
    if part:
        yield part
