"""The interface of a pre-training objective (how a text becomes slots), and the register of all objectives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

import numpy as np
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ...common.errors import UserError, check_probability
from ...common.registry import registrar
from ...text.dictionary import PretrainedDictionary
from ..finetuning import FinetuningObjective, Flow
from ..slots import IGNORE, Blocks, PredictionLayout, Slots
from ..text_spans import CorpusLayout, Spans, draw_rooms, single_spans


class TextPair(NamedTuple):
    """The words of an example, without special tokens.

    Attributes:
        first: [A].
        second: [B], the text that follows, or other text; empty if the example is a single text.
        kind: what the objective does with it, as in its ``Spans``.
        unrelated: whether the second text comes from another document (0 or 1).
    """

    first: Tensor
    second: Tensor
    kind: int
    unrelated: int


Order = List[List[int]]
"""Masked places of a text, special tokens counted, in the groups that are predicted at once, in the order of these."""


class Example(NamedTuple):
    """What an objective makes of words: slots with labels, and a label of the whole.

    Attributes:
        blocks: the slots, one sentence.
        unrelated: 0: the second text follows the first, 1: it does not, IGNORE: that is not to be predicted.
    """

    blocks: Blocks
    unrelated: int = IGNORE


@dataclass
class ExampleOptions(FairseqDataclass):
    short_texts: Optional[float] = field(
        default=None,
        metadata={
            "help": "probability that an example gets a random number of words, at least 2, instead of as many as fit, "
            "so that the model meets short texts (default: 0.1 for unilm and pmlm, as BERT does; 0 for ernie_gen)"
        },
    )


class PretrainingObjective(ABC):
    """Lays out texts, which are tokens without special ones among them.

    Args:
        method: the fine-tuning method that the model is pre-trained for.
        dictionary: provides the special tokens.
        options: of the task.

    Attributes:
        options_class: the task's options for this objective.
        kind_names: of its kinds of examples, in the order of their numbers, if there are several.
        short_texts: the default of ``--short-texts``.
        model_options: options of the model that the objective decides unless the user does.
        losses: those of :meth:`loss_names`.
        labels_per_token: number of losses in which a predicted token takes part.
        predicts_next: whether examples are labelled by whether their second text follows the first.
    """

    options_class: ClassVar[Type[FairseqDataclass]] = ExampleOptions
    kind_names: ClassVar[Tuple[str, ...]] = ()
    short_texts: ClassVar[float] = 0.0
    model_options: ClassVar[Mapping[str, Any]] = {}
    labels_per_token: int = 1
    predicts_next: bool = False

    def __init__(self, method: FinetuningObjective, dictionary: PretrainedDictionary, options: Any) -> None:
        self.method, self.dictionary = method, dictionary
        given = options.short_texts
        self.short_share = self.short_texts if given is None else given
        check_probability("--short-texts", self.short_share)
        self.losses = self.loss_names(options)

    @classmethod
    def loss_names(cls, options: Any) -> Tuple[str, ...]:
        """Names of the losses, which are summed but logged apart, with these options; empty: there is only one."""
        return ()

    @classmethod
    def output_heads(cls, options: Any) -> Tuple[str, ...]:
        """The heads that the model needs beside that of the language model, with these options of the task."""
        return ()

    @property
    def special_tokens(self) -> int:
        """Positions of the longest example that are not words."""
        return 3

    @property
    def layout(self) -> PredictionLayout:
        """How the pre-trained model lays out a pair for prediction."""
        return self.method.layout

    def prepare(self) -> None:
        """Reads the files that training needs; called before the first example is made."""
        self.method.prepare()

    def check(self, documents: int, *, where: str) -> None:  # noqa: B027  (most accept any)
        """Raises UserError if a corpus of so many documents cannot be used; ``where`` is its name."""

    def spans(self, corpus: CorpusLayout, *, longest: int, training: bool, rng: np.random.Generator) -> Spans:
        """Which words make up each example of an epoch; here a block each.

        Args:
            corpus: its blocks have at most ``longest`` words.
            longest: the maximum number of words.
            training: whether short texts are wanted.
            rng: source of all randomness.
        """
        return single_spans(corpus, self.rooms(corpus, longest=longest, training=training, rng=rng))

    def rooms(self, corpus: CorpusLayout, *, longest: int, training: bool, rng: np.random.Generator) -> np.ndarray:
        """How many words each example may have, int64 [n]; an evaluation has no texts that are cut short."""
        share = self.short_share if training else 0.0
        return draw_rooms(len(corpus.sizes), longest=longest, short_share=share, rng=rng)

    @abstractmethod
    def train(self, text: TextPair, rng: np.random.Generator) -> Example:
        """The slots of one training example; all randomness comes from ``rng``."""

    @abstractmethod
    def evaluate(self, text: TextPair, rng: np.random.Generator) -> Example:
        """The slots of one noise-free example; ``rng`` is for other random choices, such as what is predicted."""

    def in_order(self, text: TextPair, order: Order, *, last_block: bool) -> Example:
        """The noise-free slots of an example whose blocks are given, for a picture.

        Args:
            text: the words.
            order: what is masked, and when it is predicted.
            last_block: whether the tokens of the last block stand there as well, though nothing sees them.

        Raises:
            UserError: the objective has no blocks, or places are not masked.
        """
        raise UserError("--order names blocks, which only --objective pmlm has; leave it out")

    def flows(self, packed: Slots) -> Dict[str, Flow]:
        """The flows of attention of a training example [1, L], by name, if the paper tells several apart."""
        return {}

    def weights(self, packed: Slots) -> Optional[Tensor]:
        """The weight in the loss of each labelled slot of a training batch [B, L], [N]; None: equal weights."""
        return None

    def loss_numbers(self, packed: Slots) -> Optional[Tensor]:
        """Which of ``losses`` each labelled slot of a batch [B, L] belongs to, [N]; None: there is only one."""
        return None

    @abstractmethod
    def slot_counts(self, spans: Spans, *, training: bool) -> Tuple[np.ndarray, np.ndarray]:
        """Slots of each example in the source block, and in the two others, int64 [n] each; upper bounds if random."""


def refuse_noise(options: Any, *, objective: str) -> None:
    """Raises UserError if the noise of fine-tuning is asked for, which an objective would ignore."""
    for name in ("target_mask_prob", "source_mask_prob"):
        if getattr(options, name, None):
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} is noise of fine-tuning, which --objective {objective} does not have; expected --mask-share, "
                "the share of the tokens that are masked and predicted"
            )


PRETRAINING: Dict[str, Type[PretrainingObjective]] = {}
register_pretraining = registrar(PRETRAINING, "pre-training objective")
"""Decorator that makes an objective a value of ``--objective``."""
