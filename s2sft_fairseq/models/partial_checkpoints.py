"""Checkpoints that hold only what was trained: the rest is read from the same pretrained weights again."""

import hashlib
from typing import Dict, FrozenSet, Mapping, NamedTuple, Tuple

import torch
from torch import Tensor

from ..common.errors import UserError
from .checkpoints import FINGERPRINT, PREFIX
from .layers.transformer import Transformer


class TrainedPart(NamedTuple):
    """What the checkpoints of a model hold, if they do not hold everything.

    Attributes:
        names: of the trained tensors.
        fingerprint: of the pretrained tensors, int64 [].
    """

    names: FrozenSet[str]
    fingerprint: Tensor

    def of(self, state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """The part of a model's tensors that its checkpoint holds, and the fingerprint of the pretrained ones."""
        return {**{name: state[name] for name in state if name in self.names}, FINGERPRINT: self.fingerprint}

    def completed(self, part: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """The tensors of a checkpoint, completed by the model's own for those that checkpoints leave out.

        Raises:
            UserError: the checkpoint belongs to other pretrained weights.
        """
        check_fingerprint(part[FINGERPRINT], self.fingerprint)
        own = {name: tensor for name, tensor in state.items() if name not in self.names}
        return {**own, **{name: tensor for name, tensor in part.items() if name != FINGERPRINT}}


def trained_part(transformer: Transformer, pretrained_shapes: Mapping[str, Tuple[int, ...]]) -> TrainedPart:
    """The trained parameters, and a fingerprint of the pretrained weights, just read from tensors of these shapes."""
    names = (PREFIX + name for name, parameter in transformer.named_parameters() if parameter.requires_grad)
    return TrainedPart(frozenset(names), fingerprint(transformer, pretrained_shapes))


def fingerprint(transformer: Transformer, shapes: Mapping[str, Tuple[int, ...]]) -> Tensor:
    """A hash of the pretrained weights, int64 []: of the rows that were read, so growing a table does not change it."""
    digest = hashlib.blake2b(digest_size=7)
    for name, tensor in sorted(transformer.state_dict().items()):
        if name in shapes:
            digest.update(name.encode())
            digest.update(tensor[: shapes[name][0]].contiguous().numpy().data)
    return torch.tensor(int.from_bytes(digest.digest(), "big"))


def check_fingerprint(expected: Tensor, found: Tensor) -> None:
    """Raises UserError unless the pretrained weights found are those that a checkpoint expects."""
    if not expected.equal(found):
        raise UserError(
            f"the checkpoint's adapters belong to other pretrained weights ({int(expected):014x}) than those found "
            f"({int(found):014x}); name the directory that they were trained with"
        )


def check_same_kind(state: Mapping[str, Tensor], *, partial: bool) -> None:
    """Raises UserError unless a checkpoint holds all tensors, or only adapters, as the model expects."""
    if partial and FINGERPRINT not in state:
        raise UserError(
            "the checkpoint holds all weights; leave --save-adapter-only out, or give adapters these weights as "
            "--pretrained: python -m s2sft_fairseq.export_pretrained"
        )
    if FINGERPRINT in state and not partial:
        raise UserError(
            "the checkpoint holds adapters only; add --save-adapter-only and the same flags as before, or merge them "
            "first: python -m s2sft_fairseq.merge_adapters"
        )
