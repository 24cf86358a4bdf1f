"""Captioned videos in the formats in which people have them, and layouts written for other programs."""

from mov_ai.data.formats.exports import EXPORTS, export_layout
from mov_ai.data.formats.registry import FORMATS, ClipSource, Format, find_format, read_clips

__all__ = ["EXPORTS", "FORMATS", "ClipSource", "Format", "export_layout", "find_format", "read_clips"]
