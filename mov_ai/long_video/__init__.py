"""Videos of any length: windows of as many frames as the networks were trained for, each made to go on from the last."""
