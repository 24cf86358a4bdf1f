"""Layouts judged by hand-written facts: what boxes must show of a prompt."""
