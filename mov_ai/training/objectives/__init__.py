"""What each trainable network learns from: one file a network."""
