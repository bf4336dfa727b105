"""Label-smoothed cross entropy over the labelled slots only."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple, Union

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


@dataclass
class LabelSmoothedOptions(FairseqDataclass):
    label_smoothing: float = field(
        default=0.1,
        metadata={"help": "share ε of the probability that goes to the other tokens (paper 000: 0.1)"},
    )


@register_criterion("s2s_ft_label_smoothed", dataclass=LabelSmoothedOptions)
class SlotCriterion(FairseqCriterion):
    """Cross entropy with fairseq's label smoothing: (1 − ε − ε/(V−1)) · nll + ε/(V−1) · Σ_v −log p(v).

    It is summed over the labelled slots, whose number is the sample size: the loss of masked fine-tuning is divided by
    the number of masked tokens, that of the other methods by the number of target tokens. Slot weights, if any, scale
    both the loss and the sample size. ``nll_loss`` and ``ppl`` are logged without smoothing.
    """

    logged = ("loss", "nll_loss", "ppl")
    """What validation logs, for ``--best-checkpoint-metric``."""

    def __init__(self, task: FairseqTask, label_smoothing: float) -> None:
        super().__init__(task)
        check_probability("--label-smoothing", label_smoothing)
        self.epsilon = label_smoothing

    def forward(
        self, model: nn.Module, sample: Dict[str, Any], reduce: bool = True
    ) -> Tuple[Tensor, Union[int, float], Dict]:
        """Returns the loss (summed, or one per labelled slot), the sample size, and what is logged."""
        packed = PackedBatch.from_sample(sample)
        label, weight = packed.labels, packed.weight  # each [N]
        if reduce:
            loss, nll_loss = model(packed=packed, label_smoothing=self.epsilon)
        else:
            logits, _ = model(packed=packed)  # [N, V]
            lprobs = utils.log_softmax(logits, dim=-1)
            each = label_smoothed_nll_loss(lprobs, label.unsqueeze(1), self.epsilon, reduce=False)
            loss, nll_loss = each if weight is None else (part * weight for part in each)
        size = len(label) if weight is None else float(weight.float().sum())
        logging_output = {
            "loss": loss.data,
            "nll_loss": nll_loss.data,
            "ntokens": size,
            "nsentences": sample["nsentences"],
            "sample_size": size,
        }
        return loss, size, logging_output

    @classmethod
    def reduce_metrics(cls, logging_outputs: List[Dict[str, Any]]) -> None:
        """Logs loss, nll_loss (base 2) and perplexity, as fairseq's own label-smoothed criterion does."""
        LabelSmoothedCrossEntropyCriterion.reduce_metrics(logging_outputs)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
