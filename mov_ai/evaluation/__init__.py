"""Judging videos: does a video show what its scene graph says, and how well does it look."""
