"""The model as fairseq's generators see it: an encoder that reads sources, and an incremental decoder.

Both are views of one Transformer, whose weights only the model registers.
"""

from typing import Any, Dict, Optional, Tuple

from fairseq.models import FairseqEncoder, FairseqIncrementalDecoder
from torch import Tensor

from ..objectives.slots import PredictionLayout, next_slots, source_slots
from .layers.decoding_cache import SourceCache, SourcePass, StepPass, TargetCache
from .layers.transformer import Transformer
from .precision import check_precision


class SourceEncoder(FairseqEncoder):
    """Turns sources into the cache that decoding reads.

    Args:
        transformer: computes their keys and values.
        layout: of their slots.
        max_positions: maximum length of a source, special tokens included.
    """

    def __init__(self, transformer: Transformer, layout: PredictionLayout, *, max_positions: int) -> None:
        super().__init__(dictionary=None)
        self.transformer, self.layout, self.longest = transformer, layout, max_positions

    def forward(self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, **unused: Any) -> SourceCache:
        """``src_tokens`` [B, S] → the keys and values of every layer, once per sentence."""
        check_precision(self.transformer)
        slots = source_slots(src_tokens, self.layout)
        source_pass = SourcePass(slots, self.transformer.bias)
        self.transformer(source_pass)
        return SourceCache(slots, source_pass.kept, beam=1)

    def reorder_encoder_out(self, encoder_out: SourceCache, new_order: Tensor) -> SourceCache:
        return encoder_out.reorder(new_order)

    def max_positions(self) -> int:
        return self.longest


class TargetDecoder(FairseqIncrementalDecoder):
    """Predicts one token per step, from the slots ``[last token, query]``.

    Args:
        transformer: computes the step and its logits.
        layout: of the slots.
        max_positions: maximum length of a target, its end token included.
    """

    CACHE = "s2s_ft_target"
    """The key of the target's cache in the incremental state."""

    def __init__(self, transformer: Transformer, layout: PredictionLayout, *, max_positions: int) -> None:
        super().__init__(dictionary=None)
        self.transformer, self.layout, self.longest = transformer, layout, max_positions

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: SourceCache,
        incremental_state: Optional[Dict[str, Any]] = None,
        **unused: Any,
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Predicts the token after ``prev_output_tokens`` [R, 1 + t]: logits [R, 1, V]."""
        state: Dict[str, Any] = {} if incremental_state is None else incremental_state
        cache = state.setdefault(self.CACHE, TargetCache())
        slots = next_slots(prev_output_tokens, self.layout, source_length=encoder_out.lengths(), known=len(cache))
        hidden = self.transformer(StepPass(slots, encoder_out, cache, self.transformer.bias))
        return self.transformer.logits(hidden).unsqueeze(1), {"attn": None}

    def reorder_incremental_state(self, incremental_state: Dict[str, Any], new_order: Tensor) -> None:
        if self.CACHE in incremental_state:
            incremental_state[self.CACHE].reorder(new_order)

    def max_positions(self) -> int:
        return self.longest
