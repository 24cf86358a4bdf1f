"""Data: the embedded world, real-video datasets, video reading and writing."""
