"""What a word means to a network."""
