"""Training: one loop, one checkpoint format, one objective per trainable network."""
