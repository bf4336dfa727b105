"""The search options that the task adds to fairseq's."""

from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Hashable, Iterable, Optional, Set

from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from ..common.errors import UserError

PENALTIES = ChoiceEnum(["fairseq", "gnmt"])
PRECISIONS = ChoiceEnum(["bfloat16", "float32", "int8"])
"""The precisions to which models can round their weights; a test compares this with the models' own table."""

WORD_STARTS = ("Ġ", "▁")
"""What marks a token at the start of a word: in byte-level BPE, in SentencePiece."""


@dataclass
class SearchOptions(FairseqDataclass):
    length_penalty_type: PENALTIES = field(  # type: ignore[valid-type]
        default="fairseq",
        metadata={"help": "divide scores by len^lenpen (fairseq) or ((5+len)/6)^lenpen (gnmt, as in the papers)"},
    )
    no_repeat_ngram_ignore: Optional[str] = field(
        default=None,
        metadata={
            "help": "tokens of the vocabulary, separated by spaces, that may repeat: --no-repeat-ngram-size does not "
            "block n-grams that contain one of them, also at the start of a word (Ġ. and ▁. are . too)"
        },
    )
    suppress_tokens: Optional[str] = field(
        default=None,
        metadata={
            "help": "tokens of the vocabulary, separated by spaces, never to generate, such as '[UNK] [unused1]'"
        },
    )
    inference_precision: PRECISIONS = field(  # type: ignore[valid-type]
        default="float32",
        metadata={"help": "precision of the weights in generation; int8: only on a CPU"},
    )


def generator_arguments(options: SearchOptions, args: Any, dictionary: Dictionary) -> Dict[str, Any]:
    """The arguments of our generator beyond fairseq's search flags.

    Raises:
        UserError: a token is not in the vocabulary, the end token would be suppressed, or no n-grams are blocked.
    """
    repeatable = token_ids("--no-repeat-ngram-ignore", options.no_repeat_ngram_ignore, dictionary)
    repeatable |= forms_at_word_start(repeatable, dictionary)
    if repeatable and not getattr(args, "no_repeat_ngram_size", 0):
        raise UserError("--no-repeat-ngram-ignore needs --no-repeat-ngram-size N; without it all n-grams may repeat")
    suppressed = token_ids("--suppress-tokens", options.suppress_tokens, dictionary)
    if dictionary.eos() in suppressed:
        raise UserError(
            f"--suppress-tokens {dictionary[dictionary.eos()]}: no hypothesis can end without this token; leave it out"
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
            near = [near for near in (*(f"{mark}{token}" for mark in WORD_STARTS), token.lower()) if near in dictionary]
            hint = f"did you mean {near[0]}?" if near else "expected tokens as the vocabulary spells them"
            raise UserError(f"{flag}: no token {token!r} in the vocabulary; {hint}")
    return {dictionary.index(token) for token in tokens}


def forms_at_word_start(tokens: Iterable[int], dictionary: Dictionary) -> Set[int]:
    """The ids of the same characters at the start of a word, which byte-level BPE and SentencePiece mark."""
    marked = [f"{mark}{dictionary[token]}" for token in tokens for mark in WORD_STARTS]
    return {dictionary.index(token) for token in marked if token in dictionary}


def check_same_layout(layouts: Collection[Hashable], methods: Iterable[str]) -> None:
    """Refuses an ensemble whose members have different layouts.

    Args:
        layouts: the members' layouts.
        methods: the members' fine-tuning methods.

    Raises:
        UserError: the layouts differ.
    """
    if len(set(layouts)) > 1:
        raise UserError(
            f"--path: the models of the ensemble have different layouts (--finetune-method {', '.join(methods)}); "
            "expected models that were fine-tuned with one method and the same --source-type-id, --target-type-id"
        )
