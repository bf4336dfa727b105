"""UniLM (004): four language models that share all weights, each a masked LM that sees another part of its text.

Bidirectional and sequence-to-sequence LMs have pairs, the unidirectional ones single texts. Segments tell which LM it
is, as in the published code (unilm-v1). For the bidirectional LM, half of the second texts come from other documents,
and a head of its own tells which (next sentence, section 2.3).
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective
from ..masking import mask_ngrams
from ..slots import IGNORE, Blocks, Slots, make
from ..text_spans import CorpusLayout, Spans, has_one_line, single_spans, split_spans, with_unrelated
from .masked_texts import FramedPair, MaskingObjective, MaskOptions, labels, whole
from .objective import Example, TextPair, register_pretraining

LANGUAGE_MODELS = ("bidirectional", "seq2seq", "left_to_right", "right_to_left")
"""The four LMs, in the order of the numbers of their examples."""

BIDIRECTIONAL, SEQ2SEQ, LEFT_TO_RIGHT, RIGHT_TO_LEFT = range(4)

SEGMENTS = ((0, 1), (4, 5), (2, 2), (3, 3))
"""Segments of the first and the second text under each LM (published code; 004, section 2.1)."""

CYCLE = (BIDIRECTIONAL, SEQ2SEQ, BIDIRECTIONAL, SEQ2SEQ, LEFT_TO_RIGHT, RIGHT_TO_LEFT)
"""The LMs of evaluated texts, which take turns: the shares of section 2.4."""

SHARE = re.compile(r"(\w+):(\d*\.?\d+)")


@dataclass
class UniLMOptions(MaskOptions):
    lm_shares: str = field(
        default="bidirectional:2,seq2seq:2,left_to_right:1,right_to_left:1",
        metadata={"help": "unilm: how often each of the four language models is trained, as weights; one may be 0"},
    )
    no_nsp: bool = field(
        default=False,
        metadata={"help": "unilm: no next-sentence prediction; all pairs are text that belongs together"},
    )


def parse_shares(text: str) -> List[float]:
    """Parses ``--lm-shares``: the probability of each of :data:`LANGUAGE_MODELS`; one that is not named has 0.

    >>> parse_shares("bidirectional:1,seq2seq:3")
    [0.25, 0.75, 0.0, 0.0]

    Raises:
        UserError: another form, an unknown name, one named twice, or weights of 0 alone.
    """
    matches = [SHARE.fullmatch(part) for part in text.split(",")]
    found: Dict[str, float] = {match[1]: float(match[2]) for match in matches if match}
    total = sum(found.values())
    if len(found) < len(matches) or not {*found} <= {*LANGUAGE_MODELS} or not total:
        raise UserError(
            f"--lm-shares {text}; expected NAME:WEIGHT, several separated by commas, of {', '.join(LANGUAGE_MODELS)}, "
            "and a weight above 0"
        )
    return [found.get(name, 0.0) / total for name in LANGUAGE_MODELS]


@register_pretraining("unilm")
class UniLM(MaskingObjective):
    """Every example belongs to one LM; a token is predicted at its own place, where its replacement stands.

    Raises:
        UserError: what :class:`MaskingObjective` refuses, invalid ``--lm-shares``, or segments of another LM.
    """

    name = "unilm"
    options_class = UniLMOptions
    kind_names = LANGUAGE_MODELS
    model_options: ClassVar[Mapping[str, Any]] = {
        "finetune_method": "masked",
        "type_vocab_size": 6,
        "source_type_id": SEGMENTS[SEQ2SEQ][0],
        "target_type_id": SEGMENTS[SEQ2SEQ][1],
    }

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        super().__init__(method, dictionary, options)
        self.shares = parse_shares(options.lm_shares)
        self.predicts_next = bool(self.output_heads(options))
        if {*self.segments(SEQ2SEQ)} & {0, 1, 2, 3}:
            raise UserError(
                f"--source-type-id {self.layout.segments.source}, --target-type-id {self.layout.segments.target}: the "
                "other language models of UniLM have segments 0 to 3; leave both out (4 and 5)"
            )

    @classmethod
    def loss_names(cls, options: Any) -> Tuple[str, ...]:
        return LANGUAGE_MODELS

    @classmethod
    def output_heads(cls, options: Any) -> Tuple[str, ...]:
        pairs = parse_shares(options.lm_shares)[BIDIRECTIONAL] > 0
        return ("next_sentence",) if pairs and not options.no_nsp else ()

    def check(self, documents: int, *, where: str) -> None:
        if self.predicts_next and documents < 2:
            raise UserError(
                f"{where} has only one document, and next-sentence prediction takes every second sentence from "
                "another one; separate documents by empty lines, or add --no-nsp"
            )

    def spans(self, corpus: CorpusLayout, *, longest: int, training: bool, rng: np.random.Generator) -> Spans:
        rooms = self.rooms(corpus, longest=longest, training=training, rng=rng)
        kind = self.kinds(len(rooms), training=training, rng=rng)
        spans = split_spans(single_spans(corpus, rooms), corpus, rng)._replace(kind=kind)
        if not self.predicts_next:
            return spans
        replaced = (rng.random(len(kind)) < 0.5) | has_one_line(corpus, rooms)
        chosen = (kind == BIDIRECTIONAL) & replaced
        return with_unrelated(spans, corpus, chosen=chosen, rooms=rooms, rng=rng)

    def kinds(self, count: int, *, training: bool, rng: np.random.Generator) -> np.ndarray:
        """The LM of each example, int64 [n]."""
        if training:
            return rng.choice(len(LANGUAGE_MODELS), size=count, p=self.shares)
        used = [kind for kind in CYCLE if self.shares[kind]]
        return np.resize(used, count)

    def example(self, text: TextPair, rng: np.random.Generator, *, noise: Optional[np.random.Generator]) -> Example:
        is_pair = text.kind in (BIDIRECTIONAL, SEQ2SEQ)
        framed = self.framed(text.first, text.second) if is_pair else self.framed(whole(text))
        masked = torch.from_numpy(mask_ngrams(framed.ordinary, self.share, rng))
        token = torch.where(masked, self.replaced(framed.token, noise), framed.token)
        slots = self.slots(framed, text.kind)._replace(
            token=token.unsqueeze(0), label=labels(framed.token, masked).unsqueeze(0)
        )
        unrelated = text.unrelated if text.kind == BIDIRECTIONAL and self.predicts_next else IGNORE
        return Example(blocks(slots, text.kind, framed.first_length), unrelated)

    def slots(self, framed: FramedPair, kind: int) -> Slots:
        """The slots of a framed text [1, n], with positions from left to right in every case."""
        n = len(framed.token)
        place = torch.arange(n)
        in_second = place >= framed.first_length
        first, second = self.segments(kind)
        return make(
            framed.token.unsqueeze(0),
            pad=self.layout.pad,
            position=place,
            step=steps(kind, place, framed.first_length),
            segment=torch.where(in_second, second, first),
        )

    def segments(self, kind: int) -> Tuple[int, int]:
        """Segments of both texts; for the sequence-to-sequence LM, those with which the model generates."""
        if kind == SEQ2SEQ:
            return self.layout.segments.source, self.layout.segments.target
        return SEGMENTS[kind]

    def loss_numbers(self, packed: Slots) -> Tensor:
        """The LM of each labelled slot, by its segment."""
        segment = packed.segment[packed.label.ne(IGNORE)]
        number = torch.full_like(segment, SEQ2SEQ)
        for kind in (BIDIRECTIONAL, LEFT_TO_RIGHT, RIGHT_TO_LEFT):
            for own in SEGMENTS[kind]:
                number = number.masked_fill(segment.eq(own), kind)
        return number

    def slot_counts(self, spans: Spans, *, training: bool) -> Tuple[np.ndarray, np.ndarray]:
        is_pair = spans.kind <= SEQ2SEQ
        total = spans.words + np.where(is_pair, 3, 2)
        source = np.where(spans.kind == BIDIRECTIONAL, total, np.where(is_pair, spans.first_size + 2, 1))
        return source, total - source


def steps(kind: int, place: Tensor, first_length: int) -> Tensor:
    """The step of the tokens at these places [n]: whatever a token sees has no later one (004, figure 1)."""
    if kind == BIDIRECTIONAL:
        return torch.zeros_like(place)
    if kind == SEQ2SEQ:
        return (place - first_length + 1).clamp(min=0)
    return place if kind == LEFT_TO_RIGHT else len(place) - 1 - place


def blocks(slots: Slots, kind: int, first_length: int) -> Blocks:
    """Slots [1, n] in blocks: the source has what is known from the start (step 0), the target the rest."""
    n = slots.token.size(1)
    nothing = slots.columns(0, 0)
    if kind == RIGHT_TO_LEFT:
        return Blocks(slots.columns(n - 1, n), slots.columns(0, n - 1), nothing)
    known = {BIDIRECTIONAL: n, SEQ2SEQ: first_length, LEFT_TO_RIGHT: 1}[kind]
    return Blocks(slots.columns(0, known), slots.columns(known, n), nothing)
