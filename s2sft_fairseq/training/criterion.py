"""Label-smoothed cross entropy over the labelled slots only."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.criterions.label_smoothed_cross_entropy import (
    LabelSmoothedCrossEntropyCriterion,
    label_smoothed_nll_loss,
)
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import FairseqTask
from torch import Tensor, nn

from ..common.errors import check_probability
from ..objectives.packed_batch import PackedBatch
from .loss_parts import log_parts, pair_loss, parts


@dataclass
class LabelSmoothedOptions(FairseqDataclass):
    label_smoothing: Optional[float] = field(
        default=None,
        metadata={"help": "share ε of the probability that goes to the other tokens (default: 0.1, in pre-training 0)"},
    )


@register_criterion("s2s_ft_label_smoothed", dataclass=LabelSmoothedOptions)
class SlotCriterion(FairseqCriterion):
    """Cross entropy with fairseq's label smoothing: (1 − ε − ε/(V−1)) · nll + ε/(V−1) · Σ_v −log p(v).

    It is summed over the labelled slots; the sample size is the number of predicted tokens: of masked tokens in masked
    fine-tuning and in pre-training, of target tokens for the other methods. Slot weights, if any, scale both the loss
    and the sample size. ``nll_loss`` and ``ppl`` are logged without smoothing, and so are the parts of a loss.
    """

    logged = ("loss", "nll_loss", "ppl")
    """What validation logs, for ``--best-checkpoint-metric``; pre-training logs more."""

    def __init__(self, task: FairseqTask, label_smoothing: Optional[float]) -> None:
        super().__init__(task)
        assert label_smoothing is not None, "the task decides it, unless the user does"
        check_probability("--label-smoothing", label_smoothing)
        self.epsilon = label_smoothing

    def forward(
        self, model: nn.Module, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[Tensor, Union[int, float], Dict]:
        """Returns the loss (summed, or one per labelled slot), the sample size, and what is logged."""
        packed = PackedBatch.from_sample(sample)
        logged: Dict[str, Any] = {}
        if reduce:
            loss, nll, pair_logits = model(packed=packed, label_smoothing=self.epsilon)
            if packed.loss_number is not None:
                logged.update(parts(nll, packed, self.task.losses))
            if pair_logits is not None:
                of_pairs, of_each = pair_loss(pair_logits, packed)
                loss, logged = loss + of_pairs, {**logged, **of_each}
            nll = nll.sum()
        else:
            loss, nll = self.loss_of_each(model, packed)
        size = packed.sample_size()
        counts = {"ntokens": size, "nsentences": sample["nsentences"], "sample_size": size}
        return loss, size, {"loss": loss.data, "nll_loss": nll.data, **counts, **logged}

    def loss_of_each(self, model: nn.Module, packed: PackedBatch) -> Tuple[Tensor, Tensor]:
        """The loss and the nll of each labelled slot, [N, 1], as fairseq's own criterion shapes them."""
        logits, _ = model(packed=packed)  # [N, V]
        lprobs = utils.log_softmax(logits, dim=-1)
        loss, nll = label_smoothed_nll_loss(lprobs, packed.labels.unsqueeze(1), self.epsilon, reduce=False)
        if packed.weight is None:
            return loss, nll
        return loss * packed.weight, nll * packed.weight

    @classmethod
    def reduce_metrics(cls, logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs loss, nll_loss (base 2) and perplexity, as fairseq's own criterion does, and the parts."""
        LabelSmoothedCrossEntropyCriterion.reduce_metrics(logging_outputs)
        log_parts(logging_outputs)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
