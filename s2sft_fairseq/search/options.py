"""What the task adds to fairseq's search flags."""

from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Hashable, Iterable, Optional, Set

from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from ..common.errors import UserError

PENALTIES = ChoiceEnum(["fairseq", "gnmt"])
PRECISIONS = ChoiceEnum(["bfloat16", "float32", "int8"])
"""What models can round their weights to; a test holds this against the models' own table."""


@dataclass
class SearchOptions(FairseqDataclass):
    length_penalty_type: PENALTIES = field(  # type: ignore[valid-type]
        default="fairseq",
        metadata={"help": "divide scores by len^lenpen (fairseq) or ((5+len)/6)^lenpen (gnmt, as in the papers)"},
    )
    no_repeat_ngram_ignore: Optional[str] = field(
        default=None,
        metadata={
            "help": "tokens of the vocabulary, separated by spaces, that --no-repeat-ngram-size lets repeat: an n-gram "
            "is not blocked when one of them is in it"
        },
    )
    suppress_tokens: Optional[str] = field(
        default=None,
        metadata={"help": "tokens of the vocabulary, separated by spaces, that are never generated: '[UNK] [unused1]'"},
    )
    inference_precision: PRECISIONS = field(  # type: ignore[valid-type]
        default="float32",
        metadata={"help": "of the weights when generating; int8: only on a CPU"},
    )


def generator_arguments(options: SearchOptions, args: Any, dictionary: Dictionary) -> Dict[str, Any]:
    """What our generator wants to know beyond fairseq's search flags.

    Raises:
        UserError: a token is not in the vocabulary, none would be left, or there is no n-gram to ignore.
    """
    repeatable = token_ids("--no-repeat-ngram-ignore", options.no_repeat_ngram_ignore, dictionary)
    if repeatable and not getattr(args, "no_repeat_ngram_size", 0):
        raise UserError("--no-repeat-ngram-ignore needs --no-repeat-ngram-size N; without it every n-gram may repeat")
    suppressed = token_ids("--suppress-tokens", options.suppress_tokens, dictionary)
    if dictionary.eos() in suppressed:
        raise UserError(
            f"--suppress-tokens {dictionary[dictionary.eos()]}: without it no hypothesis ends; leave it out"
        )
    return {
        "length_penalty_type": str(options.length_penalty_type),
        "repeatable": repeatable,
        "suppressed": suppressed,
    }


def token_ids(flag: str, text: Optional[str], dictionary: Dictionary) -> Set[int]:
    """The ids of the tokens in a text.

    Raises:
        UserError: one of them is not in the vocabulary.
    """
    tokens = (text or "").split()
    for token in tokens:
        if token not in dictionary:
            near = [near for near in (f"Ġ{token}", f"▁{token}", token.lower()) if near in dictionary]
            hint = f"did you mean {near[0]}?" if near else "expected tokens as the vocabulary spells them"
            raise UserError(f"{flag}: no token {token!r} in the vocabulary; {hint}")
    return {dictionary.index(token) for token in tokens}


def check_same_layout(layouts: Collection[Hashable], methods: Iterable[str]) -> None:
    """Refuses an ensemble whose members lay out their slots differently.

    Args:
        layouts: of the members.
        methods: their fine-tuning methods.

    Raises:
        UserError: there are several layouts.
    """
    if len(set(layouts)) > 1:
        raise UserError(
            f"--path: an ensemble of different layouts (--finetune-method {', '.join(methods)}); "
            "expected models that were fine-tuned with one method and the same --source-type-id, --target-type-id"
        )
