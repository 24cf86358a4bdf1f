"""Tests of the study of what looks over time around a frozen image model."""
