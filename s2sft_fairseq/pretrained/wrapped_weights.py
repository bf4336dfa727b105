"""Undoes what training programs put before the names of a model's tensors.

``model.module.bert.encoder…`` becomes ``bert.encoder…``: what comes before the encoder in the name of its token table
is left out of all names. Other tensors of the file, such as a classifier beside the encoder, keep theirs.
"""

import re
from typing import Dict, Mapping, Optional

from torch import Tensor

from ..common.errors import UserError
from .weight_formats import Weights

WRAPPERS = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch's data parallelism, compilation and checkpointing of activations insert, anywhere in a name."""

TOKEN_TABLES = (
    re.compile(r"(.*?)(?:(?:bert|roberta|electra|ernie)\.)?embeddings\.word_embeddings\.weight"),
    re.compile(r"(.*?)(?:(?:encoder|decoder)\.)?sentence_encoder\.embed_tokens\.weight"),
)
"""The names of token tables, after a prefix that belongs to no family."""


class Unwrapped(Weights):
    """Weights under other names.

    Args:
        weights: as they are in the file.
        names: the new names, and those in the file.
    """

    def __init__(self, weights: Weights, names: Mapping[str, str]) -> None:
        super().__init__(weights.path, {new: weights.shape(old) for new, old in names.items()}, weights.config)
        self.weights, self.names_in_file = weights, names

    def take(self, name: str) -> Tensor:
        return self.weights.take(self.names_in_file[name])


def unwrapped(weights: Weights) -> Weights:
    """The weights without the prefixes of training programs; the same object if there are none.

    Raises:
        UserError: there are several encoders, each with a prefix of its own.
    """
    plain = {name: WRAPPERS.sub("", name) for name in weights.names}
    prefixes = sorted({prefix for prefix in map(encoder_prefix, plain.values()) if prefix is not None})
    if len(prefixes) > 1 and "" not in prefixes:
        raise UserError(f"{weights.path} holds {len(prefixes)} encoders ({', '.join(prefixes)}); keep only one of them")
    prefix = prefixes[0] if prefixes else ""
    names: Dict[str, str] = {}
    for old, new in sorted(plain.items(), key=lambda pair: pair[1].startswith(prefix)):  # the encoder's names count
        names[new[len(prefix) :] if new.startswith(prefix) else new] = old
    return weights if all(new == old for new, old in names.items()) else Unwrapped(weights, names)


def encoder_prefix(name: str) -> Optional[str]:
    """What comes before an encoder's own part of the name of its token table; None for all other tensors."""
    return next((found[1] for found in (table.fullmatch(name) for table in TOKEN_TABLES) if found), None)
