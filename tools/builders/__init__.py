"""Builders of shipped files that no training makes: word meanings, word vectors, the spaCy pipeline."""
