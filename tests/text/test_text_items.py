"""Lists of texts from Python: what is no text is named with its place; whatever has texts in order is taken."""

from typing import Any, Callable, Iterable

import numpy as np
import pytest
import torch

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.text_items import check_text, text_items

NAN = float("nan")
TEXTS = ["one text", "and another"]


class Missing:
    """Like pandas' NA: neither number nor None."""

    def __repr__(self) -> str:
        return "<NA>"


class Table:
    """Like a DataFrame, whose iterator yields the names of its columns."""

    ndim = 2

    def __iter__(self) -> Any:
        return iter(["column"])


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (NAN, "is nan"),
        (np.float64("nan"), "is nan"),
        (None, "is None"),
        (Missing(), "is <NA>"),
        (3, "is 3"),
        (True, "is True"),
        (b"bytes", "is of type bytes"),
        (np.bytes_(b"x"), "is of type bytes_"),
        (["a", "b"], "is of type list"),
        ([7, 8], "is of type list"),
        (torch.ones(2), r"is a tensor \[2\] of torch.float32"),
        (torch.ones(1, 2, dtype=torch.long), r"is a tensor \[1, 2\] of torch.int64"),
        ("half a \ud83d", "is not Unicode"),
    ],
    ids=repr,
)
def test_what_is_no_text_is_named(item: Any, said: str) -> None:
    with pytest.raises(UserError, match=rf"^sources: item 1 {said}.*, expected text$"):
        text_items(["text", item], "sources")


def test_others_are_counted() -> None:
    with pytest.raises(UserError, match=r"item 0 is None, expected text \(2 of 3 items are no texts\)"):
        text_items([None, "text", NAN], "sources")


@pytest.mark.parametrize(
    "wrap",
    [
        tuple,
        iter,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: dict.fromkeys(texts).keys(),
    ],
)
def test_whatever_has_texts_in_order(wrap: Callable[[Iterable[str]], Any]) -> None:
    items = text_items(wrap(TEXTS), "sources")
    assert items == TEXTS and all(type(item) is str for item in items)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("one text", r"sources is a single str, expected a list; write \[sources\]"),
        (b"bytes", "sources is a single bytes"),
        (torch.tensor([7, 4]), "sources is a single Tensor"),
        ({"a": "b"}, "sources is of type dict, expected a list"),
        ({"a", "b"}, "sources is of type set"),
        (np.array([["a"]]), "sources is of type ndarray"),
        (np.array("a"), "sources is of type ndarray"),
        (Table(), r"sources is of type Table, expected a list of texts \(of a table, one column\)"),
        (None, "sources is None"),
        (3, "sources is 3"),
    ],
)
def test_what_is_no_list_of_texts(values: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        text_items(values, "sources")


def test_tokens_are_items_but_no_text() -> None:
    tokens = torch.tensor([7, 4])
    assert text_items(["text", tokens], "sources")[1] is tokens
    with pytest.raises(UserError, match=r"^sentence is a tensor \[2\] of torch.int64, expected text$"):
        check_text(tokens, "sentence")
    check_text(np.str_("text"), "sentence")
