"""A search in single cached steps, beside the teacher-forced scores that they must equal."""

from typing import Any, Dict, Tuple

import torch
from builders import SEP, padded, random_pairs
from torch import Tensor

from s2sft_fairseq.models.encoder_decoder import TargetDecoder
from s2sft_fairseq.models.layers.decoding_cache import SourceCache, TargetCache
from s2sft_fairseq.models.seq2seq_model import S2SFTModel

BEAM = 3


class Search:
    """The rows of a beam search that chooses at random, moved about through the calls that fairseq makes."""

    def __init__(self, model: S2SFTModel, *, sentences: int, seed: int) -> None:
        self.model, self.generator = model, torch.Generator().manual_seed(seed)
        self.source = self.sources(sentences=sentences, seed=seed)
        encoded = model.encoder.forward_torchscript({"src_tokens": self.source, "prev_output_tokens": None})
        self.sentence = torch.arange(sentences).repeat_interleave(BEAM)  # of each row
        self.encoded: SourceCache = model.encoder.reorder_encoder_out(encoded, self.sentence)
        self.tokens = torch.full((sentences * BEAM, 1), SEP)
        self.state: Dict[str, Any] = {}

    def sources(self, *, sentences: int, seed: int) -> Tensor:
        """What is read, [B, S]."""
        return padded(random_pairs(self.model.layout, count=sentences, seed=seed))[0]

    def step(self) -> Tensor:
        """Log-probabilities [R, V] of the next token."""
        logits, _ = self.model.decoder(self.tokens, encoder_out=self.encoded, incremental_state=self.state)
        assert logits.size(1) == 1
        return logits[:, -1].log_softmax(dim=-1)

    def teacher_forced(self) -> Tensor:
        """The same in one pass, without a cache."""
        logits, _ = self.model(self.source[self.sentence], None, self.tokens)
        return logits[:, -1].log_softmax(dim=-1)

    def reorder(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        self.model.decoder.reorder_incremental_state_scripting(self.state, rows)
        self.encoded = self.model.encoder.reorder_encoder_out(self.encoded, rows)
        self.tokens, self.sentence = self.tokens[rows], self.sentence[rows]

    def choose_beams(self, finished: Tuple[int, ...] = ()) -> None:
        """Each sentence goes on with some of its rows, repetitions included; finished sentences leave."""
        left = torch.arange(len(self.tokens) // BEAM)
        left = left[~torch.isin(left, torch.tensor(finished, dtype=torch.int64))]
        drawn = torch.randint(BEAM, (len(left), BEAM), generator=self.generator)
        self.reorder((left.unsqueeze(1) * BEAM + drawn).flatten())

    def append(self) -> None:
        """A token to each row."""
        words = torch.randint(7, 40, (len(self.tokens), 1), generator=self.generator)
        self.tokens = torch.cat([self.tokens, words], dim=1)

    def target_cache(self) -> TargetCache:
        return self.state[TargetDecoder.CACHE]
