"""Texts with their gold scene graphs, for training: wordings, plots and lexicons."""
