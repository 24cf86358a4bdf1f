"""Embedded networks that metrics look through: video recognition and text-video similarity, trained on the world."""
