"""UniLMv2 (001): autoencoding and partially autoregressive modelling of the same masked tokens, in one pass.

Every masked token stands in the text three times: as a mask, which predicts it from the rest of the text (AE); as a
pseudo mask, which also sees the blocks before its own (PAR, or token by token AR); and as itself, for later blocks to
see. All three share its position. Blocks are drawn by Algorithm 1, and predicted in the order in which they are drawn.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, List, Mapping, Optional, Tuple

import numpy as np
import torch
from fairseq.dataclass import ChoiceEnum
from torch import Tensor

from ...common.errors import UserError
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective
from ..masking import BLOCKS, mask_blocks
from ..slots import IGNORE, Blocks, Slots, make
from ..text_spans import CorpusLayout, Spans, single_spans, split_spans
from .masked_texts import FramedPair, MaskingObjective, MaskOptions, labels
from .objective import Example, Order, TextPair, register_pretraining


@dataclass
class PMLMOptions(MaskOptions):
    pmlm_objective: ChoiceEnum(["ae_par", "ae_ar", "ae", "par", "ar"]) = field(  # type: ignore[valid-type]
        default="ae_par",
        metadata={
            "help": "pmlm: ae: masks predict from the rest of the text; par: pseudo masks predict block by block, ar: "
            "token by token in a random order; all of them mask the same tokens (001, Table 6)"
        },
    )
    no_blocks: bool = field(default=False, metadata={"help": "pmlm: mask single tokens only"})
    pmlm_mask_context: ChoiceEnum(["yes", "no"]) = field(  # type: ignore[valid-type]
        default="yes",
        metadata={"help": "pmlm, par and ar: whether the masks are seen, though nothing is predicted at them"},
    )
    pseudo_mask_token: ChoiceEnum(["replacement", "mask"]) = field(  # type: ignore[valid-type]
        default="replacement",
        metadata={
            "help": "pmlm: what stands at a pseudo mask: the token's replacement, as at its mask (80 %% a mask, 10 %% "
            "random, 10 %% itself), or always a mask"
        },
    )


@register_pretraining("pmlm")
class PMLM(MaskingObjective):
    """The pseudo-masked language model; its slots, under the one rule of visibility, are Figure 5 of 001."""

    name = "pmlm"
    options_class = PMLMOptions
    model_options: ClassVar[Mapping[str, Any]] = {"finetune_method": "pseudo_masked"}

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        super().__init__(method, dictionary, options)
        self.labels_per_token = len(self.losses)
        self.only_single = bool(options.no_blocks)
        self.has_queries = self.losses != ("ae",)
        self.has_masks = "ae" in self.losses or str(options.pmlm_mask_context) == "yes"
        self.same_token = str(options.pseudo_mask_token) == "replacement"
        self.check_used(options)

    def check_used(self, options: Any) -> None:
        """Raises UserError for options that the chosen losses leave without effect."""
        chosen = f"--pmlm-objective {options.pmlm_objective}"
        if "ae" in self.losses and str(options.pmlm_mask_context) == "no":
            raise UserError(f"--pmlm-mask-context no: {chosen} predicts at the masks; leave it out, or take par or ar")
        if not self.has_queries and not self.same_token:
            raise UserError(f"--pseudo-mask-token mask: {chosen} has no pseudo masks; leave it out")

    @classmethod
    def loss_names(cls, options: Any) -> Tuple[str, ...]:
        return tuple(str(options.pmlm_objective).split("_"))

    def spans(self, corpus: CorpusLayout, *, longest: int, training: bool, rng: np.random.Generator) -> Spans:
        rooms = self.rooms(corpus, longest=longest, training=training, rng=rng)
        return split_spans(single_spans(corpus, rooms), corpus, rng)

    def example(self, text: TextPair, rng: np.random.Generator, *, noise: Optional[np.random.Generator]) -> Example:
        framed = self.framed(text.first, text.second)
        drawn = mask_blocks(framed.ordinary, self.share, rng, only_single=self.only_single)
        order = [list(range(*block)) for block in drawn]
        if "ar" in self.losses:
            order = [[place] for place in rng.permutation(flat(order)).tolist()]
        return Example(self.lay_out(framed, order, self.replaced(framed.token, noise)))

    def in_order(self, text: TextPair, order: Order, *, last_block: bool) -> Example:
        framed = self.framed(text.first, text.second)
        check_order(order, framed, [self.dictionary[row] for row in framed.token.tolist()])
        if "ar" in self.losses:
            order = [[place] for place in flat(order)]
        return Example(self.lay_out(framed, order, self.replaced(framed.token, None), last_block=last_block))

    def lay_out(self, framed: FramedPair, order: Order, replacement: Tensor, *, last_block: bool = False) -> Blocks:
        """The slots of a text whose masked places are predicted in an order.

        Args:
            framed: of n tokens.
            order: the places, block by block.
            replacement: what stands at a mask, [n].
            last_block: whether the last block's originals are there, which nothing sees (001, Figure 5, has them).
        """
        place = torch.tensor(flat(order), dtype=torch.int64)
        step = torch.tensor([1 + number for number, block in enumerate(order) for _ in block], dtype=torch.int64)
        masked = torch.zeros(len(framed.token), dtype=torch.bool)
        masked[place] = True
        source = self.context(framed, masked, replacement)
        if not self.has_queries:
            return Blocks(source, source.columns(0, 0), source.columns(0, 0))
        seen = step < len(order) + int(last_block)
        target = self.at(framed, place[seen], step[seen], framed.token)
        pseudo = replacement if self.same_token else torch.full_like(replacement, self.dictionary.mask())
        query = self.at(framed, place, step, pseudo)._replace(
            group=step.unsqueeze(0), label=framed.token[place].unsqueeze(0)
        )
        return Blocks(source, target, query)

    def context(self, framed: FramedPair, masked: Tensor, replacement: Tensor) -> Slots:
        """The text with its masks (or without), which all slots see; in AE, masks predict their tokens."""
        kept = torch.arange(len(masked)) if self.has_masks else (~masked).nonzero().flatten()
        token = torch.where(masked, replacement, framed.token)
        slots = self.at(framed, kept, torch.zeros_like(kept), token)
        if "ae" not in self.losses:
            return slots
        return slots._replace(label=labels(framed.token, masked)[kept].unsqueeze(0))

    def at(self, framed: FramedPair, place: Tensor, step: Tensor, token: Tensor) -> Slots:
        """Slots at these places [k] and steps [k] of a text of n tokens, filled from ``token`` [n]: [1, k]."""
        segments = self.layout.segments
        slots = make(
            framed.token[place].unsqueeze(0),
            pad=self.layout.pad,
            position=place,
            step=step,
            segment=torch.where(place >= framed.first_length, segments.target, segments.source),
        )
        return slots._replace(token=token[place].unsqueeze(0))

    def loss_numbers(self, packed: Slots) -> Tensor:
        """0 for what is predicted at a mask, 1 at a pseudo mask, if both are."""
        labelled = packed.label.ne(IGNORE)
        return packed.group[labelled].gt(0).long() * (len(self.losses) - 1)

    def slot_counts(self, spans: Spans, *, training: bool) -> Tuple[np.ndarray, np.ndarray]:
        total = spans.words + 3
        most = np.minimum(spans.words, np.ceil(self.share * total).astype(np.int64) + BLOCKS[1] - 1)
        queries = 2 * most if self.has_queries else np.zeros_like(most)
        return total, queries


def flat(order: Order) -> List[int]:
    """All places of an order, one after the other."""
    return [place for block in order for place in block]


def check_order(order: Order, framed: FramedPair, tokens: List[str]) -> None:
    """Raises UserError unless each place is that of a word; the message counts from 1, as the paper does."""
    n = len(tokens)
    words = ", ".join(f"{place + 1} ({tokens[place]})" for place in range(n) if framed.ordinary[place])
    for place in flat(order):
        if not 0 <= place < n:
            raise UserError(
                f"--order: there is no token {place + 1} among the {n} of the example; its words are {words}"
            )
        if not framed.ordinary[place]:
            raise UserError(
                f"--order: token {place + 1} is {tokens[place]}, and special tokens are never masked; words are {words}"
            )
