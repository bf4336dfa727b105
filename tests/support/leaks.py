"""Which slots a perturbed slot may reach, and what reaches them."""

from typing import Iterator, Tuple

import torch
from builders import (
    ids,
)
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.objectives.slots import Slots
from s2sft_fairseq.objectives.visibility import visible


def reached(slots: Slots, layers: int) -> Tensor:
    """Whether a slot may depend on another, bool [B, L, L]: what it sees, what that sees, layer by layer."""
    sight = (visible(slots, slots) | torch.eye(slots.token.size(1), dtype=torch.bool)).double()
    return torch.linalg.matrix_power(sight, layers).gt(0)


def perturbations(slots: Slots) -> Iterator[Tuple[int, Slots]]:
    """The same slots, with another token in one column of every sentence, padding not spared."""
    for column in range(slots.token.size(1)):
        token = slots.token.clone()
        token[:, column] = torch.where(token[:, column].eq(ids("w1")), ids("w2"), ids("w1"))
        yield column, slots._replace(token=token)


@torch.no_grad()
def hidden_states(model: S2SFTModel, packed: Tuple[Slots, int]) -> Tensor:
    """[B, L, H]."""
    return model.hidden(*packed)
