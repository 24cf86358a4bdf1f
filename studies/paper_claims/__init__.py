"""Claims of the paper put to the test: the loss's weights, modules apart and joined, 256 against 512."""
