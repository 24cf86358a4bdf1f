"""Training of the networks that videos are measured with; their experiments are in `tools/metrics/conf`."""
