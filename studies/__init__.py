"""Studies: comparisons that were run once, with what only they need; nothing in `mov_ai` imports them."""
