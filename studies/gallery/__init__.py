"""Sentences that no training has seen, with what is made of them: graph, boxes, video."""
