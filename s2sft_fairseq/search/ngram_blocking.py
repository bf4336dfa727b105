"""Prevents repeated n-grams in a hypothesis (004, section 3.1), except for those with tokens that may repeat."""

from typing import Iterable

import torch
from torch import Tensor, nn


class NGramBlocker(nn.Module):
    """Forbids tokens that would repeat an n-gram of the same hypothesis.

    fairseq's own blocker compares with the padded tail of the token buffer and therefore blocks nothing
    (issue facebookresearch/fairseq#5206). As in s2s-ft, a token is not blocked if it or one of the last n − 1 tokens
    may repeat. Nothing is blocked in a hypothesis that could not continue otherwise, as a prefix or a minimum length
    may require.

    Args:
        size: n; 1 forbids every token that has been used before.
        ignored: ids of tokens that may repeat.
    """

    def __init__(self, size: int, ignored: Iterable[int] = ()) -> None:
        super().__init__()
        self.size = size
        self.ignored = torch.tensor(sorted(ignored), dtype=torch.int64)

    def forward(self, tokens: Tensor, lprobs: Tensor, bsz: int, beam_size: int, step: int) -> Tensor:
        """Sets log-probabilities [R, V] of forbidden tokens to −∞; the first of ``tokens`` [R, …] does not count."""
        words = tokens[:, 1 : step + 1]
        if words.size(1) < self.size:
            return lprobs
        windows = words.unfold(1, self.size, 1)  # [R, step − n + 1, n]
        last, tail_start = windows[:, :, -1], words.size(1) - self.size + 1
        repeats = windows[:, :, :-1].eq(words[:, None, tail_start:]).all(dim=2)
        if len(self.ignored):
            self.ignored = self.ignored.to(words.device)
            may_repeat = torch.isin(words, self.ignored)
            repeats &= ~(may_repeat[:, self.size - 1 :] | may_repeat[:, tail_start:].any(dim=1, keepdim=True))
        allowed = lprobs.gather(1, last)
        lprobs.scatter_reduce_(1, last, torch.where(repeats, -torch.inf, torch.inf).to(lprobs), "amin")
        stuck = lprobs.amax(dim=1, keepdim=True).eq(-torch.inf)
        return lprobs.scatter_reduce_(1, last, allowed.masked_fill(~stuck, -torch.inf), "amax")
