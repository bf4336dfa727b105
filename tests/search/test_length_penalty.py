"""GNMT's length penalty, by hand."""

import pytest

from s2sft_fairseq.search.length_penalty import gnmt_penalty


@pytest.mark.parametrize(
    ("length", "alpha", "penalty"), [(1, 0.9, 1.0), (7, 1.0, 2.0), (19, 0.5, 2.0), (19, 0.0, 1.0), (7, 2.0, 4.0)]
)
def test_by_hand(length: int, alpha: float, penalty: float) -> None:
    assert gnmt_penalty(length, alpha) == pytest.approx(penalty)
