"""Worlds that render clips, word them, and complete graphs: one package each."""
