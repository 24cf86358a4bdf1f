"""Videos of any length: windows of the length that the networks were trained for, each going on from the last."""
