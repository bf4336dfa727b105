"""Training fewer weights, and in less memory: frozen embeddings and layers, and activation checkpointing."""

from dataclasses import dataclass, field
from functools import partial

from fairseq.dataclass import FairseqDataclass
from torch.utils.checkpoint import checkpoint

from ..common.errors import UserError
from .layers.transformer import Transformer


@dataclass
class FreezingOptions(FairseqDataclass):
    freeze_embeddings: bool = field(
        default=False, metadata={"help": "do not train the embeddings (the head's output layer is their token table)"}
    )
    freeze_layers: int = field(default=0, metadata={"help": "number of lowest layers that are not trained"})
    checkpoint_activations: bool = field(
        default=False,
        metadata={"help": "keep only the input of each layer for the backward pass, and recompute the rest there"},
    )


def check_freezing(options: FreezingOptions, layers: int) -> None:
    """Raises UserError unless the number of layers to freeze is between 0 and ``layers``."""
    if not 0 <= options.freeze_layers <= layers:
        raise UserError(f"--freeze-layers is {options.freeze_layers}; expected 0 to {layers}, the layers of the model")


def apply_freezing(transformer: Transformer, options: FreezingOptions) -> None:
    """Freezes what the options say, and enables activation checkpointing if they say so."""
    if options.freeze_embeddings:
        transformer.embeddings.requires_grad_(False)
    transformer.layers[: options.freeze_layers].requires_grad_(False)
    if options.checkpoint_activations:
        recompute_layers(transformer)


def recompute_layers(transformer: Transformer) -> None:
    """Makes the backward pass recompute the activations inside every layer, with the same dropout (Chen et al. 2016).

    This uses torch's checkpointing, because fairseq's loses the gradients above frozen embeddings.
    """
    for layer in transformer.layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
