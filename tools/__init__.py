"""What the repository was made and checked with; nothing in `mov_ai` imports it."""
