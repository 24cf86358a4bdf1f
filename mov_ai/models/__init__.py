"""The networks: attention, denoiser, cascade, codec, planner, conditioning."""
