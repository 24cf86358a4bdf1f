"""How well the frames between keyframes are found: the network against blending and optical flow."""
