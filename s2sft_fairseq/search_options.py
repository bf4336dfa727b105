"""What the task adds to fairseq's search flags, and one line for combinations that cannot work."""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List

from fairseq.data import LanguagePairDataset
from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from .errors import UserError
from .model import S2SFTModel
from .precision import PRECISIONS

PENALTIES = ChoiceEnum(["fairseq", "gnmt"])


@dataclass
class SearchOptions(FairseqDataclass):
    length_penalty_type: PENALTIES = field(  # type: ignore[valid-type]
        default="fairseq",
        metadata={"help": "divide scores by len^lenpen (fairseq) or ((5+len)/6)^lenpen (gnmt, as in the papers)"},
    )
    inference_precision: ChoiceEnum(sorted(PRECISIONS)) = field(  # type: ignore[valid-type]
        default="float32",
        metadata={"help": "of the weights when generating; int8: only on a CPU"},
    )


def generator_arguments(options: SearchOptions) -> Dict[str, Any]:
    """What our generator wants to know beyond fairseq's search flags."""
    return {"length_penalty_type": str(options.length_penalty_type)}


def check_models(models: List[S2SFTModel]) -> None:
    """Refuses an ensemble whose members lay out their slots differently."""
    if len({model.convention for model in models}) > 1:
        methods = ", ".join(str(model.cfg.finetune_method) for model in models)
        raise UserError(
            f"--path: an ensemble of different layouts (--finetune-method {methods}); "
            "expected models that were fine-tuned with one method and the same --source-type-id, --target-type-id"
        )


def check_search(args: Any, datasets: Iterable[LanguagePairDataset]) -> None:
    """Refuses search flags that need cross-attention, and flags that need targets where there are none."""
    if getattr(args, "print_alignment", None):
        raise UserError("--print-alignment: this model has no cross-attention to align by; leave it out")
    if getattr(args, "print_step", False):
        raise UserError("--print-step: this model is not iterative and counts no steps; leave it out")
    for flag in ("score_reference", "prefix_size"):
        if getattr(args, flag, None) and any(pairs.tgt is None for pairs in datasets):
            raise UserError(
                f"--{flag.replace('_', '-')} needs targets and the data have none; binarize them with both sides"
            )
