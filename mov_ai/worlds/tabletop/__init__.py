"""`tabletop`, the embedded world: everything about every clip is known."""
