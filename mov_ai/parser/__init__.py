"""Caption parser: from a sentence to a scene graph."""
