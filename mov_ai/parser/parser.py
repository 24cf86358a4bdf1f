"""`SceneGraphParser`: text in, scene graph out."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mov_ai.errors import UsageError
from mov_ai.graph import SceneGraph
from mov_ai.parser.confidence import Calibration

if TYPE_CHECKING:
    import numpy as np
    from spacy.language import Language
    from torch import Tensor

    from mov_ai.parser.assembly import Parse
    from mov_ai.parser.network import CompositionalSceneParser
    from mov_ai.parser.scores import Scores
    from mov_ai.parser.timeline import SpanTimes
    from mov_ai.parser.token_graph import TokenGraph
    from mov_ai.parser.vocabulary import Vocabulary

EMBEDDED_PARSER = Path(__file__).resolve().parents[1] / "assets" / "parser"
MAX_TOKENS = 400
UNCHANGED = Calibration()
#: Version of the folder that `SceneGraphParser.save_pretrained` writes.
SCHEMA = 3
#: Mentions of entities in a text: all pairs of them are looked at.
MAX_MENTIONS = 120
#: Pairs of tokens that one pass of the network takes at most: memory grows with them.
_MAX_PAIRS = 400_000
#: Characters that are looked at before any work: no text of `MAX_TOKENS` words comes near.
_MAX_CHARACTERS = 20_000
#: spaCy's tokenizer takes minutes for thousands of symbols in a row.
_MAX_WORD = 1000


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
        networks: trained networks of one vocabulary, whose logits are averaged; they are put into eval mode.
        spacy: the pipeline that gives tokens, tags, lemmas and dependencies.
        vocabulary: the words that the network chooses among.
        calibration: what makes the confidences of nodes and edges mean what they say.
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

        Raises:
            UsageError: if the folder does not hold a parser.
        """
        from mov_ai.parser.spacy_pipeline import load_spacy

        folder = Path(path) if path is not None else EMBEDDED_PARSER
        networks, vocabulary, config = load_networks(folder)
        scaling = {name: tuple(pair) for name, pair in config.get("calibration", {}).items()}
        return cls(networks, load_spacy(config.get("spacy_model")), vocabulary, Calibration(**scaling))

    def save_pretrained(self, path: str | Path) -> None:
        """Write config.json and model.safetensors into a folder, made if need be."""
        save_parser(self.networks, self.vocabulary, path, self.calibration)

    def __call__(self, text: str, entities: Sequence[str | tuple[int, int]] | None = None) -> SceneGraph:
        """Parse one text.

        Args:
            text: English.
            entities: the things that the text speaks of, if they are known beforehand: phrases of the text, or their
                character ranges. The graph then has these entities and no others.

        Raises:
            UsageError: if the text is empty, too long, not whole Unicode, or describes more than a graph holds, or if
                an entity is not in the text.
        """
        return self.explain(text, entities).graph

    def explain(self, text: str, entities: Sequence[str | tuple[int, int]] | None = None) -> Parse:
        """As `__call__`, with the words that speak for each edge."""
        return self._parses([text], [entities])[0]

    def parse_batch(
        self, texts: Sequence[str], entities: Sequence[Sequence[str | tuple[int, int]] | None] | None = None
    ) -> list[SceneGraph]:
        """Parse several texts, batched in spaCy and in the network. Warns where a text does not look English.

        Args:
            texts: any number.
            entities: for each text as `__call__` takes them, or None.

        Raises:
            UsageError: as `__call__`, for the first text at fault.
        """
        given = [None] * len(texts) if entities is None else entities
        return [parse.graph for parse in self._parses(texts, given)]

    def _token_graphs(self, texts: Sequence[str]) -> list[TokenGraph]:
        """Check, tokenize, tag and parse texts; warns where one does not look English."""
        from mov_ai.parser.spelling import Corrected
        from mov_ai.parser.token_graph import token_graphs

        for text in texts:
            check_text(text)
        foreign = [looks_foreign(text) for text in texts]
        correct = self.vocabulary.spelling
        meant = [Corrected(text) if alien else correct(text) for text, alien in zip(texts, foreign, strict=True)]
        graphs = token_graphs(meant, self.spacy, self.vocabulary.known)
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

    def timeline(self, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> list[SpanTimes]:
        """Times of given pieces of texts, straight from the network's heads.

        Args:
            texts: any that the parser reads; they need no graph of at most 64 nodes.
            spans: per text, S character ranges: words (an event's verb), clauses or sentences. A range that touches no
                token takes the nearest one.

        Raises:
            UsageError: as `__call__`, for the first text at fault.
        """
        import numpy as np
        import torch

        from mov_ai.parser.network import TokenBatch
        from mov_ai.parser.timeline import SpanTimes, tokens_of
        from mov_ai.parser.token_graph import pad

        result = []
        for graph, ranges in zip(self._token_graphs(texts), spans, strict=True):
            found = [tokens_of(graph.spans, start, end) for start, end in ranges]
            piece = np.repeat(np.arange(len(found)), [len(part) for part in found])
            pairs = np.array(list(itertools.product(range(len(found)), repeat=2)), dtype=np.int64).reshape(-1, 2).T
            token = np.concatenate([np.zeros(0, dtype=np.int64), *found])
            places = [torch.from_numpy(array.copy()) for array in (token, piece)]
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                batch = TokenBatch(*map(torch.from_numpy, pad([graph])))
                logits = [
                    network.timeline(network.encode(batch)[0], *places, len(found), torch.from_numpy(pairs.copy()))
                    for network in self.networks
                ]
            result.append(
                SpanTimes(
                    _mean(one.log_duration for one in logits).numpy(),
                    _mean(one.duration for one in logits).softmax(-1).numpy(),
                    _mean(one.relation for one in logits).softmax(-1).numpy().reshape(len(found), len(found), -1),
                )
            )
        return result

    def _parses(self, texts: Sequence[str], entities: Sequence[Sequence[str | tuple[int, int]] | None]) -> list[Parse]:
        """Score and decode, a bounded number of tokens at a time, texts of about one length together."""
        from mov_ai.parser.assembly import decode

        graphs = self._token_graphs(texts)
        given = [
            None if names is None else given_heads(text, tokens, names)
            for text, tokens, names in zip(texts, graphs, entities, strict=True)
        ]
        parses: dict[int, Parse] = {}
        for part in _alike([len(tokens) for tokens in graphs]):
            scores = score(self.networks, self.vocabulary, [graphs[i] for i in part], [given[i] for i in part])
            for i, one in zip(part, scores, strict=True):
                parse = decode(texts[i], graphs[i], one, self.vocabulary)
                parses[i] = replace(parse, graph=self.calibration.apply(parse.graph))
        return [parses[i] for i in range(len(texts))]


def load_networks(folder: Path) -> tuple[list[CompositionalSceneParser], Vocabulary, dict[str, Any]]:
    """A parser's networks, their vocabulary and all that its config.json says, from its folder.

    Raises:
        UsageError: if the folder does not hold a parser.
    """
    import safetensors.torch

    from mov_ai.graph.files import read_json
    from mov_ai.parser.network import CompositionalSceneParser, ParserConfig
    from mov_ai.parser.vocabulary import Vocabulary

    config = read_json(folder / "config.json")
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UsageError(f"{folder}: no model.safetensors there; give the folder of a trained parser")
    if not isinstance(config, dict) or config.get("schema") != SCHEMA:
        found = config.get("schema") if isinstance(config, dict) else config
        raise UsageError(
            f"{folder}: config.json: expected a parser of schema {SCHEMA}, found {found!r}; it comes from another "
            "version of mov_ai: train it again with `python -m mov_ai.train experiment=parser/factual`"
        )
    try:
        vocabulary = Vocabulary.from_dict(config["vocabulary"])
        tensors = _unpacked(safetensors.torch.load_file(weights))
        networks = []
        for number in range(config["networks"]):
            network = CompositionalSceneParser(ParserConfig(**config["network"]))
            start = f"{number}."
            own = {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}
            network.load_state_dict(own)
            networks.append(network)
    except (KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        # PyTorch says in the second line which tensor does not fit.
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{folder}: config.json and model.safetensors are not a parser's ({reason}); train or fetch it again"
        ) from None
    return networks, vocabulary, config


def save_parser(
    networks: Sequence[CompositionalSceneParser],
    vocabulary: Vocabulary,
    path: str | Path,
    calibration: Calibration = UNCHANGED,
) -> None:
    """Write config.json and model.safetensors into a folder, made if need be; each file at once.

    The networks, at least one, are of one size and vocabulary, and what they say together is their mean. Matrices are
    kept in 8 bits with a scale for each row, all else in half precision: a quarter of the size of single
    precision, and the same graphs for all but a few captions in a thousand.
    """
    from dataclasses import asdict

    import safetensors.torch

    from mov_ai.graph.files import write_bytes, write_json

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{i}.{name}": part for i, network in enumerate(networks) for name, part in network.state_dict().items()}
    write_bytes(folder / "model.safetensors", safetensors.torch.save(_packed(tensors)))
    config = {
        "schema": SCHEMA,
        "networks": len(networks),
        "network": asdict(networks[0].config),
        "spacy_model": None,
        "calibration": asdict(calibration),
        "vocabulary": vocabulary.to_dict(),
    }
    write_json(folder / "config.json", config)


def _packed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored: `name` in half precision, or `name` in 8 bits and `name.scale` (rows,)."""
    import torch

    packed = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().float()
        if tensor.dim() == 2 and min(tensor.shape) > 8:
            scale = (tensor.abs().amax(1) / 127).clamp(min=1e-8)
            packed[name] = (tensor / scale[:, None]).round().to(torch.int8)
            packed[f"{name}.scale"] = scale
        else:
            packed[name] = tensor.half().contiguous()
    return packed


def _unpacked(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `_packed` packed, in single precision."""
    scales = {name: tensor for name, tensor in packed.items() if name.endswith(".scale")}
    return {
        name: tensor.float() * scales[f"{name}.scale"][:, None] if f"{name}.scale" in scales else tensor.float()
        for name, tensor in packed.items()
        if name not in scales
    }


def given_heads(text: str, tokens: TokenGraph, entities: Sequence[str | tuple[int, int]]) -> list[tuple[int, int]]:
    """Where entities that are known beforehand stand in a text.

    Args:
        text, tokens: the text.
        entities: phrases or character ranges; the same phrase again is its next occurrence.

    Returns:
        For each the last token and the number of tokens before it.

    Raises:
        UsageError: if one is not in the text.
    """
    import numpy as np

    if isinstance(entities, str):
        raise UsageError(f"entities: expected a list of phrases; found the text {entities!r}")
    heads: list[tuple[int, int]] = []
    for entity in entities:
        if isinstance(entity, str):
            pattern = r"(?<!\w)" + r"\s+".join(re.escape(word) for word in entity.split()) + r"(?!\w)"
            ranges = [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)] if entity.strip() else []
        else:
            ranges = [entity] if 0 <= entity[0] < entity[1] <= len(text) else []
        places = [np.flatnonzero((tokens.spans[:, 0] < end) & (tokens.spans[:, 1] > start)) for start, end in ranges]
        free = [found for found in places if len(found) and all(head != found[-1] for head, _ in heads)]
        if not free:
            raise UsageError(
                f"entity {entity!r} is not in the text {text[:60]!r}; give phrases as they stand there, or character "
                "ranges"
            )
        # "the dog" is a dog.
        words = [int(token) for token in free[0]]
        while len(words) > 1 and tokens.tags[words[0]] in ("DT", "PDT", "PRP$"):
            del words[0]
        heads.append((words[-1], len(words) - 1))
    return heads


def score(
    networks: Sequence[CompositionalSceneParser],
    vocabulary: Vocabulary,
    graphs: Sequence[TokenGraph],
    given: Sequence[Sequence[tuple[int, int]] | None] | None = None,
) -> list[Scores]:
    """The networks' probabilities for each token graph, from the mean of their logits, in one batch.

    Args:
        networks: in eval mode.
        vocabulary: the words that they choose among.
        graphs: none without tokens.
        given: for each graph, the entities that are known beforehand as `given_heads` gives them, or None.

    Raises:
        UsageError: if a text speaks of things more than `MAX_MENTIONS` times.
    """
    import numpy as np
    import torch

    from mov_ai.parser.network import ROLES, TokenBatch, Wording
    from mov_ai.parser.scores import Scores
    from mov_ai.parser.token_graph import pad

    device = networks[0].enter.weight.device

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    if any(len(graph) == 0 for graph in graphs):
        raise ValueError("a text without tokens cannot be scored")
    # Validation in the midst of training must say what the exported parser will say.
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        batch = TokenBatch(*(tensor(array) for array in pad(graphs)))
        states = [network.encode(batch) for network in networks]
        each = list(zip(networks, states, strict=True))
        logits = [network.tokens(state) for network, state in each]
        role, left, direction, form = (
            _mean(getattr(one, name) for one in logits).softmax(-1).cpu().numpy()
            for name in ("role", "left", "direction", "form")
        )
        for i, heads in enumerate(given or ()):
            if heads:
                # Phrases that are given may be longer than what the network knows.
                longest = max(before for _, before in heads)
                left = np.pad(left, ((0, 0), (0, 0), (0, 0), (0, max(0, longest + 1 - left.shape[-1]))))
                _impose(role[i], left[i], heads)
            elif heads is not None:
                _impose(role[i], left[i], ())
        attribute = _mean(network.attributes(state) for network, state in each).sigmoid().cpu().numpy()
        unpaired = [ROLES.index(name) for name in ("none", "setting", "light")]
        kinds = role.argmax(-1)
        chosen = [np.flatnonzero(~np.isin(kinds[i, : len(graph)], unpaired)) for i, graph in enumerate(graphs)]
        wordings = [vocabulary.wording(graph) for graph in graphs]
        rows = np.zeros((len(graphs), max(1, *map(len, chosen))), dtype=np.int64)
        verbs = np.full((len(graphs), max(len(wording.verbs) for wording in wordings)), -1, dtype=np.int64)
        labels = np.zeros((len(graphs), len(vocabulary.labels)), dtype=bool)
        endings = np.zeros((len(graphs), len(vocabulary.endings)), dtype=bool)
        pairs = []
        for i, (tokens, wording) in enumerate(zip(chosen, wordings, strict=True)):
            rows[i, : len(tokens)], verbs[i, : len(wording.verbs)] = tokens, wording.verbs
            labels[i, wording.labels] = endings[i, wording.endings] = True
            entities = tokens[role[i, tokens].argmax(-1) == ROLES.index("entity")]
            if len(entities) > MAX_MENTIONS:
                raise UsageError(
                    f"the text speaks of things {len(entities)} times; the parser follows {MAX_MENTIONS} at most: "
                    "shorten it or split it into several prompts"
                )
            pairs.append([(i, a, b) for a in entities for b in entities])
        told = [network.pairs(state, tensor(rows)) for network, state in each]
        link, order = (_mean(one[i] for one in told).softmax(-1).cpu().numpy().astype(np.float64) for i in range(2))
        label_verb = np.stack([wording.label_verb for wording in wordings])
        arrays = (label_verb, verbs, vocabulary.label_endings, labels, endings)
        flat = np.array([pair for found in pairs for pair in found], dtype=np.int64).reshape(-1, 3)
        # Each pair looks at all tokens of its text, so many are taken in parts.
        parts = tensor(flat).split(max(1, _MAX_PAIRS // states[0].shape[1]))
        allowed = Wording(*map(tensor, arrays))
        said_by = []
        for network, state in each:
            logs = [network.predicates(state, batch, part, allowed) for part in parts]
            said_by.append([torch.cat(part) for part in zip(*logs, strict=True)])
        predicate, said = (_mean(one[i] for one in said_by).softmax(-1).cpu().numpy() for i in range(2))
        negated = _mean(one.negated for one in logits).sigmoid().cpu().numpy()
        token, piece, counts = _sentences(graphs, states[0].shape[1])
        durations = (network.log_durations(state, tensor(token), tensor(piece), sum(counts)) for network, state in each)
        times = _mean(durations).cpu().numpy()
    sentences = np.split(times, np.cumsum(counts)[:-1])
    result = []
    start = 0
    for i, graph in enumerate(graphs):
        n, m, end = len(graph), len(chosen[i]), start + len(pairs[i])
        result.append(
            Scores(
                role[i, :n],
                direction[i, :n],
                left[i, :n],
                form[i, :n],
                negated[i, :n],
                attribute[i, :n, :n],
                chosen[i],
                link[i, :m, :m],
                order[i, :m, :m],
                flat[start:end, 1:],
                predicate[start:end],
                said[start:end, :n],
                wordings[i].label_verb,
                wordings[i].verbs,
                sentences[i],
            )
        )
        start = end
    return result


def _mean(logits: Iterable[Tensor]) -> Tensor:
    """The mean of several networks' logits: the product of their probabilities, each to the same power."""
    import torch

    parts = list(logits)
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean(0)


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of texts in groups of about one length, for padding costs time, and of bounded size in all."""
    part: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        longer = part and lengths[i] > max(lengths[part[0]] + 2, 1.35 * lengths[part[0]])
        if part and (longer or (len(part) + 1) * lengths[i] ** 2 > _MAX_PAIRS):
            yield part
            part = []
        part.append(i)
    if part:
        yield part


def _impose(role: np.ndarray, left: np.ndarray, heads: Sequence[tuple[int, int]]) -> None:
    """Make these tokens entities, and no others, in place; role (N, roles), left (N, 2, more than any `before`)."""
    from mov_ai.parser.network import ROLES

    entity, nothing = ROLES.index("entity"), ROLES.index("none")
    role[:, entity] = 0
    # What was only an entity is nothing now.
    role[:, nothing] += 1e-6
    role /= role.sum(-1, keepdims=True)
    for head, before in heads:
        role[head - before : head + 1] = 0
        role[head - before : head, nothing] = 1
    # Afterwards, for a given phrase may hold another one.
    for head, before in heads:
        role[head] = 0
        role[head, entity] = 1
        left[head, 0] = 0
        left[head, 0, before] = 1


def _sentences(graphs: Sequence[TokenGraph], width: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The tokens of all sentences, numbered through graphs of `width` tokens; their sentences; how many each has."""
    import numpy as np

    token, piece = [], []
    counts: list[int] = []
    for i, graph in enumerate(graphs):
        token.append(np.arange(len(graph)) + i * width)
        piece.append(np.searchsorted(graph.sentences, np.arange(len(graph)), side="right") - 1 + sum(counts))
        counts.append(len(graph.sentences))
    return np.concatenate(token), np.concatenate(piece), counts


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
    longest = max(len(piece) for piece in text.split())
    if longest > _MAX_WORD:
        raise UsageError(
            f"the prompt has {longest} characters without a blank; the parser reads words of at most {_MAX_WORD}: "
            "shorten it"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("the prompt holds half of a surrogate pair, which is not a character: remove it")


def looks_foreign(text: str) -> bool:
    """Whether a text is likely not English: other letters, or the small words of other languages."""
    letters = [c for c in text if c.isalpha()]
    other = sum(not c.isascii() for c in letters)
    if len(letters) >= 4 and other > 0.3 * len(letters):
        return True
    words = re.findall(r"\w+", text.lower())
    foreign, english = (sum(word in known for word in words) for known in (_FOREIGN, _ENGLISH))
    return foreign >= 2 and foreign > english
