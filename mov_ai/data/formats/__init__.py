"""Readers of captioned videos in the formats in which people have them."""

from mov_ai.data.formats.registry import FORMATS, ClipSource, Format, find_format, read_clips

__all__ = ["FORMATS", "ClipSource", "Format", "find_format", "read_clips"]
