"""GLUE's figures against the plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.metrics import extras
from s2sft_fairseq.metrics.glue import Glue

pytest.importorskip("sklearn", reason="glue's figures are scikit-learn's")
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)


def examples(predicted, expected, **options):
    return Glue(**options).examples([str(x) for x in predicted], [[str(x)] for x in expected])


def plain_matthews(predicted, expected):
    """Matthews' correlation from the four cells of a binary table."""
    tp, tn, fp, fn = (
        sum(p == a and e == b for p, e in zip(predicted, expected)) for a, b in ((1, 1), (0, 0), (1, 0), (0, 1))
    )
    scale = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    return (tp * tn - fp * fn) / scale if scale else 0.0


def plain_ranks(values):
    """Ranks from one on, of equal values their mean."""
    return [np.mean([1 + i for i, v in enumerate(sorted(values)) if v == value]) for value in values]


@given(PAIRS)
def test_labels(pairs):
    predicted, expected = zip(*((p % 2, e % 2) for p, e in pairs))
    figures = examples(predicted, expected).figures()
    both = sum(p == e == 1 for p, e in zip(predicted, expected))
    assert figures["accuracy"] == pytest.approx(100 * np.mean(np.equal(predicted, expected)))
    assert figures["matthews"] == pytest.approx(100 * plain_matthews(predicted, expected))
    positives = sum(predicted) + sum(expected)
    if positives:
        assert figures["f1"] == pytest.approx(100 * 2 * both / positives)


@given(PAIRS)
def test_numbers(pairs):
    predicted, expected = ([0.25 + x**2 for x in column] for column in zip(*pairs))
    figures = examples(predicted, expected).figures()
    assert set(figures) == {"pearson", "spearman"}
    if len({*predicted}) > 1 and len({*expected}) > 1:
        assert figures["pearson"] == pytest.approx(100 * np.corrcoef(predicted, expected)[0, 1])
        ranks = np.corrcoef(plain_ranks(predicted), plain_ranks(expected))[0, 1]
        assert figures["spearman"] == pytest.approx(100 * ranks)
    else:
        assert np.isnan([*figures.values()]).all()


def test_the_positive_label_is_a_choice():
    predicted, expected = ["same", "other", "same"], ["same", "same", "other"]
    assert examples(predicted, expected, positive_label="same").figures()["f1"] == 50
    assert examples(predicted, expected, positive_label="other").figures()["f1"] == 0
    assert "f1" not in examples(predicted, expected).figures()


def test_three_labels_have_no_f1():
    assert set(examples(["a", "b", "b"], ["a", "b", "c"], positive_label="a").figures()) == {"accuracy", "matthews"}


def test_any_sample_of_the_examples():
    chosen = np.array([0, 0, 3])
    whole = examples([0, 1, 1, 0], [0, 1, 0, 1])
    assert whole.figures(chosen) == pytest.approx(examples([0, 0, 0], [0, 0, 1]).figures(), nan_ok=True)
    assert list(whole.each()["accuracy"]) == [100, 100, 0, 0] and len(whole) == 4
    assert whole.figures(np.array([0, 3]))["f1"] == 0 and whole.figures(np.array([0, 0]))["f1"] == 0


def test_one_line():
    assert examples([1], [1]).figures()["accuracy"] == 100


def test_text_is_no_label():
    lines = [f"a line of text number {number}" for number in range(2000)]
    with pytest.raises(UserError, match="one label or number per line"):
        examples(lines, lines)


def test_several_references_are_a_mistake():
    with pytest.raises(UserError, match="expected one label each"):
        Glue().examples(["a", "a"], [["a"], ["a", "b"]])


def test_a_library_that_is_not_there():
    with pytest.raises(UserError, match="pip install no-such-package"):
        extras.load("no_such_module", package="no-such-package", purpose="--metric glue")
