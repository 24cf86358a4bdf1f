"""The compositional benchmark: its prompts are drawn here, and its checker is checked."""
