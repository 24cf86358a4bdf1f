"""Kills at random moments, and many generations in one process: is anything lost, does anything grow?"""
