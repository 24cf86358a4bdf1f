"""One sample of a shard, and the tar members that hold it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mov_ai.errors import MovAIError, UsageError
from mov_ai.graph import Layout, SceneGraph, VideoShape
from mov_ai.graph.files import parse_json

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 512
_LOW = ".low"


@dataclass(frozen=True)
class ShardSample:
    """A window of a clip, ready for training.

    Attributes:
        key: unique in its shards; ASCII without dots, as WebDataset's readers split names at the first dot.
        captions: of the clip, at least one.
        graphs: one for each caption.
        layout: boxes of `graphs[0]`, of as many frames as `shape`; None without boxes.
        shape: of the window as it was encoded at the last stage.
        latents: by the longer side of the stage's video in pixels, float16 (latent frames, channels, h, w).
        low: what a later stage starts from, the stage before enlarged and encoded again, of the later stage's shape.
        text: features of each caption, float16 (tokens, width); empty without a text encoder.
        source: where it comes from: clip, start and end in seconds, bucket.
    """

    key: str
    captions: tuple[str, ...]
    graphs: tuple[SceneGraph, ...]
    shape: VideoShape
    latents: dict[int, Tensor]
    low: dict[int, Tensor] = field(default_factory=dict)
    layout: Layout | None = None
    text: tuple[Tensor, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def graph(self) -> SceneGraph:
        """Of the first caption."""
        return self.graphs[0]


@dataclass(frozen=True)
class PackedSample:
    """A sample as it stands in a shard.

    Attributes:
        key: as `ShardSample.key`.
        bucket: see `bucket_name`.
        members: of a tar file.
    """

    key: str
    bucket: str
    members: bytes


def bucket_name(shape: VideoShape) -> str:
    """Frames, height and width: samples of one bucket make a batch."""
    return f"{shape.frames}x{shape.height}x{shape.width}"


def pack(sample: ShardSample) -> PackedSample:
    """The sample as members of a tar file; the same sample gives the same bytes.

    Raises:
        ValueError: for a key that WebDataset's readers would split, or numbers of captions that do not fit.
    """
    from safetensors.torch import save

    if not sample.key.isascii() or not sample.key or any(c in sample.key for c in "./ ") or len(sample.key) > 72:
        raise ValueError(f"shards: expected an ASCII key of up to 72 characters without dots, got {sample.key!r}")
    if not sample.captions or len(sample.graphs) != len(sample.captions):
        raise ValueError(f"shards: {sample.key}: expected a graph for each of {len(sample.captions)} captions")
    shape = sample.shape
    about = {
        "captions": list(sample.captions),
        "shape": {"frames": shape.frames, "fps": shape.fps, "height": shape.height, "width": shape.width},
        "source": sample.source,
    }
    content = {"json": _json(about)}
    for number, graph in enumerate(sample.graphs):
        content[f"graph.{number}.json" if number else "graph.json"] = _json(graph.to_dict())
    if sample.layout is not None:
        content["layout.json"] = _json(sample.layout.to_dict())
    stages = {str(size): latents for size, latents in sample.latents.items()}
    stages |= {f"{size}{_LOW}": latents for size, latents in sample.low.items()}
    content["latents.safetensors"] = save({name: tensor.half().contiguous() for name, tensor in stages.items()})
    if sample.text:
        content["text.safetensors"] = save(
            {str(number): features.half().contiguous() for number, features in enumerate(sample.text)}
        )
    members = b"".join(_member(f"{sample.key}.{name}", data) for name, data in content.items())
    return PackedSample(sample.key, bucket_name(shape), members)


def unpack(members: bytes, where: str) -> ShardSample:
    """The sample that `pack` packed.

    Raises:
        MovAIError: if the bytes are not whole; `where` names the shard and the sample.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        files: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(members), mode="r:") as tar:
            for member in tar:
                key, _, name = member.name.partition(".")
                stored = tar.extractfile(member)
                files[name] = stored.read() if stored is not None else b""
        about = parse_json(files["json"].decode(), where)
        graphs = [SceneGraph.from_json(files["graph.json"].decode(), where)]
        while f"graph.{len(graphs)}.json" in files:
            graphs.append(SceneGraph.from_json(files[f"graph.{len(graphs)}.json"].decode(), where))
        layout = Layout.from_json(files["layout.json"].decode(), where) if "layout.json" in files else None
        stages = load(files["latents.safetensors"])
        texts = load(files["text.safetensors"]) if "text.safetensors" in files else {}
        return ShardSample(
            key,
            tuple(about["captions"]),
            tuple(graphs),
            VideoShape(**about["shape"]),
            {int(name): tensor for name, tensor in stages.items() if not name.endswith(_LOW)},
            {int(name.removesuffix(_LOW)): tensor for name, tensor in stages.items() if name.endswith(_LOW)},
            layout,
            tuple(texts[str(number)] for number in range(len(texts))),
            about["source"],
        )
    except (tarfile.TarError, SafetensorError, UsageError, KeyError, ValueError, TypeError) as error:
        raise MovAIError(f"{where}: the sample is damaged ({error}); prepare or copy the shards again") from None


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _member(name: str, data: bytes) -> bytes:
    # No time, owner or machine: the same content must give the same file.
    header = tarfile.TarInfo(name)
    header.size = len(data)
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % _BLOCK)
