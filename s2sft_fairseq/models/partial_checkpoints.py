"""Checkpoints of what was trained alone: the rest comes from the pretrained weights again, and has to be the same."""

import hashlib
from typing import Dict, FrozenSet, Mapping, NamedTuple, Tuple

import torch
from torch import Tensor

from ..common.errors import UserError
from .checkpoints import FINGERPRINT, PREFIX
from .layers.transformer import Transformer


class TrainedPart(NamedTuple):
    """What the checkpoints of a model hold, if not all.

    Attributes:
        names: of the trained tensors.
        fingerprint: of the pretrained ones, [].
    """

    names: FrozenSet[str]
    fingerprint: Tensor

    def of(self, state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """The part of all tensors that a checkpoint holds."""
        return {**{name: state[name] for name in state if name in self.names}, FINGERPRINT: self.fingerprint}

    def completed(self, part: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """The tensors of a checkpoint, and the model's own instead of those that checkpoints leave out.

        Raises:
            UserError: the checkpoint belongs to other pretrained weights.
        """
        check_fingerprint(part[FINGERPRINT], self.fingerprint)
        own = {name: tensor for name, tensor in state.items() if name not in self.names}
        return {**own, **{name: tensor for name, tensor in part.items() if name != FINGERPRINT}}


def trained_part(transformer: Transformer, pretrained_shapes: Mapping[str, Tuple[int, ...]]) -> TrainedPart:
    """The parameters that are trained, and what the others are, which were just read from tensors of these shapes."""
    names = (PREFIX + name for name, parameter in transformer.named_parameters() if parameter.requires_grad)
    return TrainedPart(frozenset(names), fingerprint(transformer, pretrained_shapes))


def fingerprint(transformer: Transformer, shapes: Mapping[str, Tuple[int, ...]]) -> Tensor:
    """Tells pretrained weights by the rows that were read, which no table's growth has changed: int64 []."""
    digest = hashlib.blake2b(digest_size=7)
    for name, tensor in sorted(transformer.state_dict().items()):
        if name in shapes:
            digest.update(name.encode())
            digest.update(tensor[: shapes[name][0]].contiguous().numpy().data)
    return torch.tensor(int.from_bytes(digest.digest(), "big"))


def check_fingerprint(expected: Tensor, found: Tensor) -> None:
    """Raises UserError unless a checkpoint's pretrained weights are those at hand."""
    if not expected.equal(found):
        raise UserError(
            f"the checkpoint's adapters belong to other pretrained weights ({int(expected):014x}) than those at hand "
            f"({int(found):014x}); name the directory that they were trained with"
        )


def check_same_kind(state: Mapping[str, Tensor], *, partial: bool) -> None:
    """Raises UserError unless the tensors of a checkpoint are all, or a part, as the model expects."""
    if partial and FINGERPRINT not in state:
        raise UserError("the checkpoint holds all weights; leave --save-adapter-only out")
    if FINGERPRINT in state and not partial:
        raise UserError("the checkpoint holds adapters only; add --save-adapter-only and the same flags as before")
