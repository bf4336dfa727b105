"""Beam search: fairseq's, with n-gram blocking that works and the length penalty of the papers."""

from typing import Any, Dict, List

import torch
from fairseq.data import Dictionary
from fairseq.search import LengthConstrainedBeamSearch
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor, nn


class NGramBlocker(nn.Module):
    """Forbids tokens that would repeat an n-gram of their own hypothesis (paper 004, section 3.1).

    fairseq's own blocker compares with the padded tail of the token buffer and so blocks nothing
    (issue facebookresearch/fairseq#5206).

    Args:
        size: n; 1 forbids every token that was used before.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, tokens: Tensor, lprobs: Tensor, bsz: int, beam_size: int, step: int) -> Tensor:
        """Sets the log-probabilities [R, V] of forbidden tokens to −∞; the first of ``tokens`` [R, …] is no word."""
        words = tokens[:, 1 : step + 1]
        if words.size(1) < self.size:
            return lprobs
        windows = words.unfold(1, self.size, 1)  # [R, step − n + 1, n]
        tail = words[:, words.size(1) - self.size + 1 :].unsqueeze(1)
        repeats = windows[:, :, :-1].eq(tail).all(dim=2)
        forbidden = torch.zeros_like(lprobs).scatter_add_(1, windows[:, :, -1], repeats.to(lprobs))
        return lprobs.masked_fill_(forbidden > 0, -torch.inf)


class MatchSourceLength(LengthConstrainedBeamSearch):
    """Hypotheses as long as their sources (``--match-source-len``), or as long as the model lets them be.

    Args:
        tgt_dict: tells the end token.
        longest: the most words that a hypothesis can have.
    """

    def __init__(self, tgt_dict: Dictionary, longest: int) -> None:
        super().__init__(tgt_dict, min_len_a=1, min_len_b=0, max_len_a=1, max_len_b=0)
        self.longest = longest

    def set_src_lengths(self, src_lengths: Tensor) -> None:
        """Takes the lengths [B] of the sources, among whose words fairseq counts [CLS]."""
        super().set_src_lengths((src_lengths - 1).clamp(max=self.longest))


class S2SFTGenerator(SequenceGenerator):
    """fairseq's generator over the model's cached steps.

    Args:
        *args, **kwargs: those of ``SequenceGenerator``.
        length_penalty_type: ``fairseq`` divides a hypothesis' score by len ** lenpen, ``gnmt`` by
            ((5 + len) / 6) ** lenpen, as all five papers do; len counts the end token.
    """

    repeat_ngram_blocker: Any
    search: Any
    normalize_scores: bool

    def __init__(self, *args: Any, length_penalty_type: str = "fairseq", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.repeat_ngram_blocker is not None:
            self.repeat_ngram_blocker = NGramBlocker(self.repeat_ngram_blocker.no_repeat_ngram_size)
        if isinstance(self.search, LengthConstrainedBeamSearch):
            self.search = MatchSourceLength(self.tgt_dict, min(self.max_len_b, self.max_len - 1))
        self.gnmt = self.normalize_scores and length_penalty_type == "gnmt"
        if self.gnmt:
            self.normalize_scores = False

    def finalize_hypos(
        self,
        step: int,
        bbsz_idx: Tensor,
        eos_scores: Tensor,
        tokens: Tensor,
        scores: Tensor,
        finalized: List[List[Dict[str, Tensor]]],
        *rest: Any,
    ) -> List[int]:
        """Collects the hypotheses that end at this step, as fairseq does, and divides their scores."""
        earlier = [len(hypotheses) for hypotheses in finalized]
        newly_finished = super().finalize_hypos(step, bbsz_idx, eos_scores, tokens, scores, finalized, *rest)
        if self.gnmt:
            penalty = ((5 + step + 1) / 6) ** self.len_penalty
            for hypotheses, known in zip(finalized, earlier):
                for hypothesis in hypotheses[known:]:
                    hypothesis["score"] = hypothesis["score"] / penalty
        return newly_finished
