"""Metrics of generated videos: every figure with its interval, its network and what it was measured on."""
