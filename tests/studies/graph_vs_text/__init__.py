"""Tests of the study of graph against text."""
