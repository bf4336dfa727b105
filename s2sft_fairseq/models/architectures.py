"""The values of ``--arch`` besides ``s2s_ft``: sizes for a model where neither the user nor a checkpoint sets them."""

from argparse import Namespace
from typing import Dict, NamedTuple

from fairseq.models import register_model_architecture

from .seq2seq_model import MODEL_NAME


class Size(NamedTuple):
    """What distinguishes one architecture from another, named as the model's options."""

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int


ARCHITECTURES: Dict[str, Size] = {
    "s2s_ft_large": Size(24, 1024, 4096, 16),
    "s2s_ft_minilm": Size(12, 384, 1536, 12),
    "s2s_ft_tiny": Size(2, 128, 512, 2),
}


def register_size(name: str, size: Size) -> None:
    """Makes a size a value of ``--arch``: it sets the options that the user did not set."""

    @register_model_architecture(MODEL_NAME, name)
    def architecture(args: Namespace) -> None:
        for option, value in size._asdict().items():
            setattr(args, option, getattr(args, option, value))


for architecture_name, architecture_size in ARCHITECTURES.items():
    register_size(architecture_name, architecture_size)
