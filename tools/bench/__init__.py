"""How fast it is here, in one run, beside transformers of diffusers: `make bench`"""
