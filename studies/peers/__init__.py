"""Other designs of the denoiser: the same inputs, the same latents, the same sampler, another network.

Importing this makes them known to whatever builds or loads a denoiser.
"""

from mov_ai.models.registry import register
from studies.peers.factorised import FactorisedConfig, FactorisedDenoiser
from studies.peers.unet3d import UNet3DConfig, UNet3DDenoiser

register(FactorisedConfig, FactorisedDenoiser)
register(UNet3DConfig, UNet3DDenoiser)
