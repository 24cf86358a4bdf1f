"""Other designs of the denoiser, for studies: the same inputs, the same latents, the same sampler, another network."""
