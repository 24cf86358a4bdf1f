"""Nine ways to let a decoder look over time, under one training (FusionFrames, Table 3)."""
