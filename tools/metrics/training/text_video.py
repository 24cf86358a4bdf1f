"""Training the embedded text-video network: captions of the world's clips against those of others, and false ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mov_ai.errors import UsageError
from mov_ai.graph.files import write_bytes
from mov_ai.models.component import save_component
from mov_ai.models.metric_networks.recognition import VideoRecognition
from mov_ai.models.metric_networks.text_video import UNKNOWN, TextVideo, TextVideoConfig, split_words
from mov_ai.training.card import model_card
from mov_ai.training.objective import Objective, Progress
from tools.metrics.training.clips import CAPTIONS, HELD_BACK, MetricClips, clip_text, draw_sample, load_clips
from tools.metrics.training.false_captions import EDITS, mirrored_text
from tools.metrics.training.recognition import FRAME_COUNTS

#: Frames of a batch's clips, and how often.
_SHARES = (0.3, 0.2, 0.5)
#: False captions of each clip in a batch.
_FALSE = 3
#: Share of the words that are hidden, so that the network copes with unknown words.
_HIDDEN_WORDS = 0.02
#: Size of the set in which retrieval looks for a caption's own video.
RETRIEVED_FROM = 64
_ABOUT = """
A video tower (up to 16 frames at 64x64) and a small transformer over the words of the world's captions, in one space of
cosines. Trained so that each clip is nearest to its own caption, among those of other clips and false ones of its own:
colours, shapes, motions or the order of events exchanged. Metrics use its cosines (text-video similarity).

Trained on clips of the embedded world, which this repository renders itself, with seeds that belong to no split; its
video tower starts from the embedded recognition network's weights and goes its own way. It shares neither data nor
weights with the generator and the checker. It knows no natural images and few hundred words, and its figures do not
compare with CLIP's. It hardly sees in what order things happen: at `false_order` 0.5 is chance.
"""


class TextVideoObjective(Objective):
    """L = (CE over texts + CE over videos) / 2 + CE over own captions + KL(even || unseen), cosines times a scale.

    Symmetric InfoNCE among the clips of a batch (Radford et al., 2021), and each clip's caption against false ones of
    its own. The last term asks that the mean of the other clips' videos finds a caption as likely as its false ones:
    false captions cannot be told by their words alone.

    Args:
        clips: how many to train on.
        validation_clips: how many to hold back, a multiple of 64.
        damaged: share of the clips that are damaged.
        start: folder of a recognition network whose weights the video tower starts from; from scratch if None.
        cache: folder of the rendered clips.
    """

    def __init__(
        self,
        seed: int = 0,
        batch_size: int = 32,
        clips: int = 3200,
        validation_clips: int = 256,
        damaged: float = 0.3,
        start: str | None = None,
        cache: str = "cache/metrics",
        model: TextVideoConfig | None = None,
    ) -> None:
        if validation_clips % RETRIEVED_FROM:
            raise UsageError(
                f"objective.validation_clips: {validation_clips}; expected a multiple of {RETRIEVED_FROM}, among which "
                "captions look for their videos"
            )
        self.seed, self.batch_size = seed, batch_size
        self.clips, self.validation_clips, self.damaged = clips, validation_clips, damaged
        self.start, self.cache = start, cache
        self._config = model or TextVideoConfig()
        # Checked before hours of rendering: a missing folder is reported at once.
        self._start = None if start is None else VideoRecognition.from_pretrained(start)
        if self._start is not None and self._start.config.backbone != self._config.backbone:
            raise UsageError(
                f"objective.start: {start} is of another size than objective.model.backbone; train one of this size or "
                "use objective.start=null"
            )
        self._clips: MetricClips | None = None
        self._held: MetricClips | None = None
        self._module: TextVideo | None = None

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "clips": self.clips,
            "validation_clips": self.validation_clips,
            "damaged": self.damaged,
            "start": self.start,
        }

    def prepare(self, device: torch.device, progress: Progress) -> None:
        self._clips = load_clips(0, self.clips, self.cache, progress)
        self._held = load_clips(HELD_BACK, self.validation_clips, self.cache, progress)
        config = replace(self._config, words=self._config.words or vocabulary(self._clips))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._module = TextVideo(config)
        if self._start is not None:
            self._module.backbone.load_state_dict(self._start.backbone.state_dict())
            self._start = None
        self._module.to(memory_format=torch.channels_last)

    def module(self) -> TextVideo:
        assert self._module is not None, "prepare comes first"
        return self._module

    def batch(self, step: int) -> dict[str, Tensor]:
        """Clips with their captions.

        Returns:
            video (B, F, 3, 64, 64), words (B + B * 3, words), first the true captions, then each clip's false ones;
            false_known (B, 3), 0 where a clip has not so many false captions and a true one fills the place.
        """
        assert self._clips is not None, "prepare comes first"
        rng = np.random.default_rng([self.seed, step])
        frames = int(rng.choice(FRAME_COUNTS, p=_SHARES))
        # No clip twice in a batch: its second copy would count as a wrong answer.
        picked = rng.choice(len(self._clips), size=self.batch_size, replace=self.batch_size > len(self._clips))
        videos, true, false, is_given = [], [], [], []
        for index in (int(i) for i in picked):
            mirrored = bool(rng.random() < 0.5)
            videos.append(self._video(index, frames, mirrored, rng))
            text, *others = clip_text(self._clips, index, int(rng.integers(CAPTIONS)), mirrored)
            usable = [other for other in others if other]
            chosen = [usable[int(i)] for i in rng.permutation(len(usable))[:_FALSE]]
            true.append(text)
            false += chosen + [text] * (_FALSE - len(chosen))
            is_given.append([1.0] * len(chosen) + [0.0] * (_FALSE - len(chosen)))
        words = self.module().text.encode([*true, *false])
        hidden = torch.from_numpy(rng.random(words.shape) < _HIDDEN_WORDS) & (words > UNKNOWN)
        return {
            "video": torch.stack(videos),
            "words": words.masked_fill(hidden, UNKNOWN),
            "false_known": torch.tensor(is_given),
        }

    def _video(self, index: int, frames: int, mirrored: bool, rng: np.random.Generator) -> Tensor:
        assert self._clips is not None, "prepare comes first"
        # A shuffled clip would make its caption false.
        while True:
            sample = draw_sample(self._clips, index, frames, rng, self.damaged, mirrored)
            if sample.known_in_time > 0:
                return sample.video

    def loss(
        self, module: torch.nn.Module, batch: Any, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        videos, texts = module(batch["video"], batch["words"])
        count, scale = len(videos), self.module().scale
        has_caption = functional.pad(batch["false_known"], (1, 0), value=1.0) > 0
        where = torch.arange(count, device=videos.device)
        logits = scale * videos @ texts[:count].T
        # Each clip's own captions, (B, 4, dim), the true one first.
        own_captions = torch.cat([texts[:count, None], texts[count:].view(count, _FALSE, -1)], 1)
        # Before the eyes of the other clips, on average, a caption must not look truer than its false ones: else the
        # words alone would tell which is which.
        other_videos = (videos.sum(0) - videos) / max(count - 1, 1)
        own_scores, blind_scores = (
            (scale * (own_captions * v[:, None]).sum(-1)).masked_fill(~has_caption, -torch.inf)
            for v in (videos, other_videos)
        )
        even = (
            -(blind_scores.log_softmax(-1).masked_fill(~has_caption, 0).sum(-1) / has_caption.sum(-1))
            - has_caption.sum(-1).log()
        )
        terms = {
            "to_text": functional.cross_entropy(logits, where),
            "to_video": functional.cross_entropy(logits.T, where),
            "false": functional.cross_entropy(own_scores, torch.zeros_like(where)),
            "unseen": even.mean(),
        }
        total = (terms["to_text"] + terms["to_video"]) / 2 + terms["false"] + terms["unseen"]
        return total, {**{name: term.detach() for name, term in terms.items()}, "scale": scale.detach()}

    def validate(self, module: torch.nn.Module) -> dict[str, float]:
        """On clips that are not trained on: see `text_video_figures`."""
        assert self._held is not None, "prepare comes first"
        assert isinstance(module, TextVideo)
        return text_video_figures(module, self._held)

    def export(self, module: torch.nn.Module, directory: Path, card: dict[str, Any]) -> None:
        save_component(module, directory)
        command = "recipes/text_video.sh"
        text = model_card("Embedded text-video network", _ABOUT, command, module, card)
        write_bytes(directory / "README.md", text.encode("utf-8"))


def vocabulary(clips: MetricClips) -> tuple[str, ...]:
    """All words of the clips' captions, the false and the mirrored ones too, sorted."""
    words: set[str] = set()
    for captions in clips.texts:
        for texts in captions:
            for text in texts:
                words |= {*split_words(text), *split_words(mirrored_text(text))}
    return tuple(sorted(words))


def text_video_figures(module: TextVideo, clips: MetricClips, batch_size: int = 16) -> dict[str, float]:
    """How well texts and videos are matched, each in [0, 1]: clips as rendered, their first captions.

    `video_r1`, `text_r1`: share of captions that find their own video first among 64, and of videos that find their
    caption; `false_EDIT`: share of videos nearer to their caption than to the one with that edit; `false`: the mean;
    `unseen`: the same mean with the videos of other clips, 0.5 if false captions cannot be told by their words alone.
    """
    device = next(module.parameters()).device
    rng = np.random.default_rng(0)
    vectors = []
    for start in range(0, len(clips), batch_size):
        indices = range(start, min(start + batch_size, len(clips)))
        video = torch.stack([draw_sample(clips, i, FRAME_COUNTS[-1], rng, 0.0, False).video for i in indices])
        vectors.append(module.video_vectors(video.to(device)).float().cpu())
    videos = torch.cat(vectors)
    captions = [clip_text(clips, i, 0, False) for i in range(len(clips))]
    texts = torch.from_numpy(module.embed_text([texts[0] for texts in captions]))
    figures = {}
    groups = [
        (videos[i : i + RETRIEVED_FROM] @ texts[i : i + RETRIEVED_FROM].T).float()
        for i in range(0, len(clips), RETRIEVED_FROM)
    ]
    for name, axis in (("video_r1", 0), ("text_r1", 1)):
        right = [group.argmax(axis) == torch.arange(len(group)) for group in groups]
        figures[name] = torch.cat(right).float().mean().item()
    blind_shares = []
    for number, edit in enumerate(EDITS, 1):
        edited_clips = [i for i, texts_of in enumerate(captions) if texts_of[number]]
        if edited_clips:
            false = torch.from_numpy(module.embed_text([captions[i][number] for i in edited_clips]))
            difference = texts[edited_clips] - false
            figures[f"false_{edit}"] = ((videos[edited_clips] * difference).sum(-1) > 0).float().mean().item()
            # Every other clip's video, not its own.
            prefers_true = (difference @ videos.T > 0).float()
            own_video = prefers_true[range(len(edited_clips)), edited_clips]
            blind_shares.append(
                ((prefers_true.sum() - own_video.sum()) / max(prefers_true.numel() - len(edited_clips), 1)).item()
            )
    figures["false"] = float(np.mean([value for name, value in figures.items() if name.startswith("false_")]))
    figures["unseen"] = float(np.mean(blind_shares))
    return figures
