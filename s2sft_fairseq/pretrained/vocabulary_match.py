"""Compares the vocabulary of the data with that of a pretrained checkpoint: whether they fit, and what each adds."""

from pathlib import Path
from typing import List, Optional, Sequence

from ..common.errors import UserError
from ..text import vocabulary
from ..text.dictionary import PretrainedDictionary
from ..text.special_tokens import is_ordinary
from .checkpoint import Pretrained


def added_tokens(
    pretrained: Pretrained, dictionary: PretrainedDictionary, *, add: Optional[str], extra: Sequence[str]
) -> List[str]:
    """The tokens that a model has beyond the vocabulary of its pretrained weights, or of the data.

    Args:
        pretrained: the checkpoint.
        dictionary: of the data.
        add: a file of tokens that the data have beyond the checkpoint's vocabulary.
        extra: tokens that the fine-tuning method needs.

    Raises:
        UserError: the vocabularies do not belong together.
    """
    kept = tokens_beyond(pretrained, dictionary)
    return [*kept, *check_vocabulary(pretrained, dictionary.grown(kept), add, extra)]


def check_vocabulary(
    pretrained: Pretrained, dictionary: PretrainedDictionary, add: Optional[str], extra: Sequence[str] = ()
) -> List[str]:
    """Compares the vocabulary of the data with that of the checkpoint plus the tokens in the file ``add``.

    A checkpoint may have rows beyond its vocabulary, which belong to no token. The data may have been binarized before
    or after the vocabulary grew by ``extra``, the tokens that a method needs.

    Returns:
        the tokens that the model has beyond the checkpoint's vocabulary: those of the file, then new ones of ``extra``.

    Raises:
        UserError: they do not belong together.
    """
    directory, rows = pretrained.directory, pretrained.rows()
    own = pretrained.vocabulary or dictionary.symbols[:rows]
    added = [] if add is None else vocabulary.read_additions(Path(add), own)
    expected = [*own, *added]
    missing = [token for token in extra if token not in expected]
    if len(own) > rows:
        raise UserError(
            f"{directory} has a vocabulary of {len(own):,} tokens but {rows:,} rows of weights; "
            "use files that belong together"
        )
    if dictionary.symbols not in (expected, [*expected, *missing]):
        raise UserError(
            f"the data were binarized with another vocabulary than that of {directory}: "
            f"{difference(dictionary.symbols, expected)}; binarize them with --srcdict {directory} "
            "--joined-dictionary, or give the file of added tokens with --vocab-add"
        )
    return [*added, *missing]


def tokens_beyond(pretrained: Pretrained, dictionary: PretrainedDictionary) -> List[str]:
    """The tokens that follow the data's vocabulary in the checkpoint's, if none of them can occur in text; else none.

    These are tokens of fine-tuning methods (``[ATTN]``), in the vocabulary of a model that was pre-trained for one.
    """
    own = pretrained.vocabulary
    beyond = own[len(dictionary) :]
    if own[: len(dictionary)] != dictionary.symbols or any(map(is_ordinary, beyond)):
        return []
    return beyond


def difference(found: Sequence[str], expected: Sequence[str]) -> str:
    """Describes the first difference between two vocabularies.

    >>> difference(["[PAD]", "a"], ["[PAD]", "b"])
    "row 1 is 'a', not 'b'"
    """
    for row, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            return f"row {row} is {one!r}, not {other!r}"
    return f"{len(found):,} tokens, not {len(expected):,}"
