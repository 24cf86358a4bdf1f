"""How good the networks are that ship, each measured by a few dozen questions."""
