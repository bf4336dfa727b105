"""Checks lists of texts that a Python program passes: what comes out of a table may be NaN, None or a number."""

from typing import Any, Iterable, List, Optional, Union

from torch import Tensor

from ..common.errors import UserError

Text = Union[str, Tensor]
"""A text, or its tokens [T] including the end token, as ``S2SModel.encode`` returns them."""

UNORDERED = (dict, set, frozenset)


def text_items(values: Iterable[Any], name: str) -> List[Text]:
    """The items of a list of texts or tokens: of anything that has them in order, such as a column of a table.

    Args:
        values: a list, tuple, generator, array or pandas Series.
        name: what the caller calls it, for the error message.

    Raises:
        UserError: this is a single text, or has no order, or an item is neither text nor tokens.
    """
    if isinstance(values, (str, bytes)) or (isinstance(values, Tensor) and values.dim() < 2):
        raise UserError(f"{name} is a single {type(values).__name__}, expected a list; write [{name}] for one text")
    dimensions = 1 if isinstance(values, Tensor) else getattr(values, "ndim", 1)
    if isinstance(values, UNORDERED) or dimensions != 1 or not isinstance(values, Iterable):
        raise UserError(f"{name} is {described(values)}, expected a list of texts (of a table, one column)")
    items = list(values)
    check_items(items, name)
    return [str(item) if isinstance(item, str) else item for item in items]  # numpy's strings have a type of their own


def check_items(items: List[Any], name: str) -> None:
    """Raises UserError unless each item is text or tokens; it names the first that is not, and counts the others."""
    wrong = [(place, mistake) for place, mistake in enumerate(map(mistake_in, items)) if mistake is not None]
    if wrong:
        place, mistake = wrong[0]
        more = f" ({len(wrong):,} of {len(items):,} items are no texts)" if len(wrong) > 1 else ""
        raise UserError(f"{name}: item {place} is {mistake}, expected text{more}")


def check_text(value: Any, name: str) -> None:
    """Raises UserError unless this is a single text."""
    mistake = described(value) if isinstance(value, Tensor) else mistake_in(value)
    if mistake is not None:
        raise UserError(f"{name} is {mistake}, expected text")


def mistake_in(item: Any) -> Optional[str]:
    """Describes an item that is neither text nor tokens; None for all others."""
    if isinstance(item, str):
        return "not Unicode (it has half of a surrogate pair)" if has_surrogates(item) else None
    if isinstance(item, Tensor) and item.dim() == 1 and not item.is_floating_point():
        return None
    return described(item)


def has_surrogates(text: str) -> bool:
    """Whether a text has half of a surrogate pair, which no encoding can express."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def described(value: Any) -> str:
    """A value in a few words: itself if it is a number or a marker of something missing, otherwise its type."""
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)} of {value.dtype}"
    if isinstance(value, Iterable):
        return f"of type {type(value).__name__}"
    return f"{value!s:.40}"
