"""Random weights of which every one matters."""

import torch
from torch import nn


def randomize(module: nn.Module, *, seed: int = 0, spread: float = 0.2) -> None:
    """Draws all weights, biases and LayerNorms too, far enough apart for every connection to show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * spread
            is_scale = "norm" in name.lower() and name.endswith("weight")
            parameter.copy_(noise + 1 if is_scale else noise)
