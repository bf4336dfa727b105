"""Beam search: fairseq's, with working n-gram blocking and the papers' length penalty."""

import sys
from typing import Any, Dict, Iterable, List, Optional, Sequence

import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from fairseq.search import LengthConstrainedBeamSearch
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor

from ..common.errors import UserError
from .length_penalty import gnmt_penalty
from .ngram_blocking import NGramBlocker
from .option_checks import check_constraints, check_lengths

Hypotheses = List[List[Dict[str, Tensor]]]
"""The hypotheses of each sentence, best first."""


class MatchSourceLength(LengthConstrainedBeamSearch):
    """Hypotheses as long as their sources (``--match-source-len``), or as long as the model lets them be.

    Args:
        tgt_dict: provides the end token.
        longest: the maximum number of tokens in a hypothesis, without the end token.
    """

    def __init__(self, tgt_dict: Dictionary, longest: int) -> None:
        super().__init__(tgt_dict, min_len_a=1, min_len_b=0, max_len_a=1, max_len_b=0)
        self.longest = longest

    def set_src_lengths(self, src_lengths: Tensor) -> None:
        """Sets the lengths [B] of the sources, in which fairseq counts [CLS] as well."""
        super().set_src_lengths((src_lengths - 1).clamp(max=self.longest))

    def step(self, step: int, lprobs: Tensor, scores: Tensor, *rest: Any) -> Any:
        """The best candidates; unlike in fairseq, the end token keeps the probability that the model gives it."""
        end, ends = lprobs[:, :, self.eos].clone(), self.src_lengths.le(step)
        lprobs[ends] = -torch.inf
        lprobs[:, :, self.eos] = end.masked_fill(~ends.unsqueeze(1), -torch.inf)
        return self.beam.step(step, lprobs, scores)


class S2SFTGenerator(SequenceGenerator):
    """fairseq's generator, with this plugin's search options.

    Args:
        *args, **kwargs: those of ``SequenceGenerator``.
        length_penalty_type: ``fairseq`` divides a hypothesis's score by len ** lenpen, ``gnmt`` by
            ((5 + len) / 6) ** lenpen, like all five papers; len includes the end token.
        repeatable: ids of tokens that exempt an n-gram from n-gram blocking.
        suppressed: ids of tokens that are never generated.
    """

    repeat_ngram_blocker: Any
    search: Any
    normalize_scores: bool

    def __init__(
        self,
        *args: Any,
        length_penalty_type: str = "fairseq",
        repeatable: Iterable[int] = (),
        suppressed: Iterable[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.repeat_ngram_blocker is not None:
            self.repeat_ngram_blocker = NGramBlocker(self.repeat_ngram_blocker.no_repeat_ngram_size, repeatable)
        if suppressed:
            self.token_indices_to_suppress = torch.tensor(list(suppressed))
        if isinstance(self.search, LengthConstrainedBeamSearch):
            self.search, self.min_len = MatchSourceLength(self.tgt_dict, min(self.max_len_b, self.max_len - 1)), 0
        self.search.stop_on_max_len = True  # so that a search with too few hypotheses ends, too
        check_lengths(self.min_len, self.longest(sys.maxsize))
        self.gnmt = self.normalize_scores and length_penalty_type == "gnmt"
        if self.gnmt:
            self.normalize_scores = False

    def generate(
        self,
        models: Sequence[BaseFairseqModel],
        sample: Dict[str, Dict[str, Tensor]],
        *,
        constraints: Optional[Tensor] = None,
        **given: Any,
    ) -> Hypotheses:
        """Searches like fairseq, but raises UserError if there is no result.

        Args:
            models: ignored, because the generator has its own; all of fairseq's generators are called this way.
            sample: a batch.
            constraints: tokens that each hypothesis must contain, in fairseq's packed format.
            **given: fairseq's ``prefix_tokens`` and ``bos_token``.

        Raises:
            UserError: the minimum length is above the maximum, constraints cannot be generated or do not fit into a
                hypothesis, or the search flags allow no hypothesis for a sentence.
        """
        longest = self.longest(sample["net_input"]["src_tokens"].size(1))
        check_lengths(self.min_len, longest)
        if self.search.supports_constraints:
            check_constraints(constraints, self.tgt_dict, longest)
        found: Hypotheses = super().generate(models, sample, constraints=constraints, **given)
        if not all(found):
            raise UserError(
                f"no hypothesis of up to {longest} tokens satisfies all search flags; loosen --constraints, "
                "--no-repeat-ngram-size, --suppress-tokens, --min-len or --max-len-b"
            )
        return found

    def longest(self, slots: int) -> int:
        """The maximum number of tokens in a hypothesis for sources [B, slots], without the end token."""
        if self.match_source_len:
            return int(self.search.longest)
        return min(int(self.max_len_a * slots + self.max_len_b), self.max_len - 1)

    def is_finished(self, step: int, unfin_idx: int, *rest: Any) -> bool:
        """Whether a sentence has all its hypotheses; with ``--match-source-len``, all of them end at the same step."""
        matched = self.match_source_len and step >= self.search.src_lengths[unfin_idx]
        return bool(matched or super().is_finished(step, unfin_idx, *rest))

    def finalize_hypos(
        self,
        step: int,
        bbsz_idx: Tensor,
        eos_scores: Tensor,
        tokens: Tensor,
        scores: Tensor,
        finalized: Hypotheses,
        *rest: Any,
    ) -> List[int]:
        """Collects the hypotheses that end at this step, like fairseq, and applies the length penalty."""
        earlier = [len(hypotheses) for hypotheses in finalized]
        newly_finished = super().finalize_hypos(step, bbsz_idx, eos_scores, tokens, scores, finalized, *rest)
        if self.gnmt:
            penalty = gnmt_penalty(step + 1, self.len_penalty)
            for hypotheses, known in zip(finalized, earlier):
                for hypothesis in hypotheses[known:]:
                    hypothesis["score"] = hypothesis["score"] / penalty
        return newly_finished
