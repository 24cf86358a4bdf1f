"""Tests of the claims of the paper."""
