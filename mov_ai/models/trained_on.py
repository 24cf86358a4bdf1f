"""What clips a denoiser was trained on, beside its weights: their shape, and the world that they show if it is one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from mov_ai.errors import UsageError
from mov_ai.graph.files import read_json, write_json
from mov_ai.graph.video_shape import VideoShape
from mov_ai.models.component import config_from_dict

TRAINED_ON_FILE = "clips.json"


@dataclass(frozen=True)
class TrainedOn:
    """The clips of a training.

    Attributes:
        shape: of their videos at the last stage.
        world: the installed world that they show, whose completion of graphs belongs to them; None for real videos.
    """

    shape: VideoShape
    world: str | None = None

    def save(self, folder: Path) -> None:
        """Write it beside the weights."""
        write_json(folder / TRAINED_ON_FILE, {"shape": asdict(self.shape), "world": self.world})

    @classmethod
    def load(cls, folder: Path) -> TrainedOn | None:
        """What stands beside the weights in a folder; None if nothing does.

        Raises:
            UsageError: if the file is not such a one.
        """
        path = folder / TRAINED_ON_FILE
        if not path.is_file():
            return None
        about = read_json(path)
        world = about.get("world") if isinstance(about, dict) else None
        if not isinstance(about, dict) or not (world is None or isinstance(world, str)):
            raise UsageError(f"{path}: expected a shape, and the name of a world or null")
        return cls(config_from_dict(VideoShape, about.get("shape"), str(path)), world)
