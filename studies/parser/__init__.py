"""The scene-graph parser measured: accuracy, calibration, words seldom seen, mistakes, and time in text."""
