"""Studies: what was measured or compared, with what only that needs; nothing in `mov_ai` imports them."""
