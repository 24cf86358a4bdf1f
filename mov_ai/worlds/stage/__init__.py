"""Staged scenes: things with real sizes, places and motions over time, with captions, graphs and boxes; no pixels."""
