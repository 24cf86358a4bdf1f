"""`SceneGraphParser`: text in, scene graph out."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph

if TYPE_CHECKING:
    import numpy as np
    from spacy.language import Language

    from mov_ai.parser.decode import Scores
    from mov_ai.parser.network import CompositionalSceneParser
    from mov_ai.parser.token_graph import TokenGraph

EMBEDDED_PARSER = Path(__file__).resolve().parents[1] / "assets" / "parser"
MAX_TOKENS = 400
#: Characters that are looked at before any work: no text of `MAX_TOKENS` words comes near.
_MAX_CHARACTERS = 20_000


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ENGLISH = frozenset(
    _words(
        """
    a an the and then while as after before until once when it its is are was to on in of by with from at that there i
    you we he she they this these have has do does not for
    """
    )
)
_FOREIGN = frozenset(
    _words(
        """
    der die das und ein eine einen ist im mit auf nach dann während le la les un une et est dans sur puis avec des du
    el los las una y es en con hacia luego il lo gli che di sul um uma o os não para het een van naar rolt
    """
    )
)


class SceneGraphParser:
    """The compositional scene parser: spaCy, a twelve-layer graph network, decoding.

    Args:
        network: the trained network; it is put into eval mode.
        spacy: the pipeline that gives tokens, tags, lemmas and dependencies.
    """

    def __init__(self, network: CompositionalSceneParser, spacy: Language) -> None:
        self.network = network.eval()
        self.spacy = spacy

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> SceneGraphParser:
        """Load a parser from a folder with config.json and model.safetensors; the embedded one if no path is given.

        Raises:
            UsageError: if the folder does not hold a parser.
        """
        import safetensors.torch

        from mov_ai.graph.files import read_json
        from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
        from mov_ai.parser.spacy_pipeline import load_spacy

        folder = Path(path) if path is not None else EMBEDDED_PARSER
        config = read_json(folder / "config.json")
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise UsageError(f"{folder}: no model.safetensors there; give the folder of a trained parser")
        try:
            network = CompositionalSceneParser(ParserConfig(**config["network"]))
            tensors = {name: tensor.float() for name, tensor in safetensors.torch.load_file(weights).items()}
            network.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
            # PyTorch says in the second line which tensor does not fit.
            reason = " ".join(str(error).split())[:200]
            raise UsageError(
                f"{folder}: config.json and model.safetensors are not a parser's ({reason}); train or fetch it again"
            ) from None
        return cls(network, load_spacy(config.get("spacy_model")))

    def save_pretrained(self, path: str | Path) -> None:
        """Write config.json and model.safetensors into a folder, made if need be."""
        save_network(self.network, path)

    def __call__(self, text: str) -> SceneGraph:
        """Parse one text.

        Raises:
            UsageError: if the text is empty, too long, not whole Unicode, or describes more than a graph holds.
        """
        return self.parse_batch([text])[0]

    def parse_batch(self, texts: Sequence[str]) -> list[SceneGraph]:
        """Parse several texts, in one pass of the network. Warns where a text does not look English.

        Raises:
            UsageError: as `__call__`, for the first text at fault.
        """
        from mov_ai.parser.decode import decode
        from mov_ai.parser.token_graph import token_graph

        if not texts:
            return []
        for text in texts:
            check_text(text)
        graphs = [token_graph(doc) for doc in self.spacy.pipe(texts)]
        for text, tokens in zip(texts, graphs, strict=True):
            if len(tokens) > MAX_TOKENS:
                raise UsageError(
                    f"the prompt has {len(tokens)} words and punctuation marks; the parser reads at most {MAX_TOKENS}: "
                    "shorten it or split it into several prompts"
                )
            if looks_foreign(text, tokens.words):
                warnings.warn(
                    f"the prompt does not look English ({text[:40]!r}); the parser knows English only", stacklevel=2
                )
        scores = score(self.network, graphs)
        return [decode(text, tokens, s) for text, tokens, s in zip(texts, graphs, scores, strict=True)]


def save_network(network: CompositionalSceneParser, path: str | Path) -> None:
    """Write a network's config.json and model.safetensors (half precision) into a folder, made if need be."""
    from dataclasses import asdict

    import safetensors.torch

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"network": asdict(network.config), "spacy_model": None}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {name: tensor.detach().cpu().half() for name, tensor in network.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    # safetensors makes files that only their owner may read.
    (folder / "model.safetensors").chmod(0o644)


def score(network: CompositionalSceneParser, graphs: Sequence[TokenGraph]) -> list[Scores]:
    """The network's probabilities for each token graph.

    Raises:
        UsageError: if a text has far more nodes than a graph may hold.
    """
    import numpy as np
    import torch

    from mov_ai.parser.decode import Scores, choose
    from mov_ai.parser.token_graph import join

    features, edges, relation, starts = join(graphs)
    with torch.no_grad():
        device = network.enter.weight.device
        arrays = (torch.from_numpy(array).to(device) for array in (features, edges, relation))
        state = network.encode(*arrays)
        logits = network.tokens(state)
        role = logits.role.softmax(-1).cpu().numpy()
        direction, left = (part.softmax(-1).cpu().numpy() for part in (logits.direction, logits.left))
        negated = logits.negated.sigmoid().cpu().numpy()
        result = []
        for start, end in itertools.pairwise(starts):
            chosen = choose(role[start:end])
            pairs = network.pairs(state[start:end], torch.from_numpy(chosen)[None].to(device))
            link, order = (part[0].softmax(-1).cpu().numpy().astype(np.float64) for part in pairs)
            one: list[np.ndarray] = [part[start:end] for part in (role, direction, left, negated)]
            result.append(Scores(one[0], one[1], one[2], one[3], chosen, link, order))
    return result


def check_text(text: str) -> None:
    """Refuse what no parser could read, before any work. Raises UsageError."""
    if not isinstance(text, str):
        raise UsageError(f"expected a text; found {type(text).__name__}")
    if not text.strip():
        raise UsageError("empty prompt: say what the video should show, such as 'a red ball rolls left'")
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(
            f"the prompt has {len(text)} characters; the parser reads at most {MAX_TOKENS} words: shorten it"
        )
    if (count := len(text.split())) > MAX_TOKENS:
        # A lower bound on the tokens, and quick: spaCy would take seconds to say the same.
        raise UsageError(
            f"the prompt has {count} words; the parser reads at most {MAX_TOKENS} words and punctuation marks: "
            "shorten it or split it into several prompts"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("the prompt holds half of a surrogate pair, which is not a character: remove it")


def looks_foreign(text: str, words: Sequence[str]) -> bool:
    """Whether a text is likely not English: other letters, or the small (lower-case) words of other languages."""
    letters = [c for c in text if c.isalpha()]
    other = sum(not c.isascii() for c in letters)
    if len(letters) >= 4 and other > 0.3 * len(letters):
        return True
    foreign, english = (sum(word in known for word in words) for known in (_FOREIGN, _ENGLISH))
    return foreign >= 2 and foreign > english
