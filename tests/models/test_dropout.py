"""Dropout keeps as many numbers as it should, scales them, and passes their gradients only."""

import pytest
import torch

from s2sft_fairseq.models.layers.dropout import Dropout, dropout

COUNT = 200_000


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_share_and_scale(probability: float, dtype: torch.dtype) -> None:
    """Within five standard deviations of a fair draw; what is kept is divided by its probability."""
    torch.manual_seed(0)
    x = torch.full((COUNT,), 2.0, dtype=dtype)
    y = dropout(x, probability)
    assert y.dtype is dtype
    kept = y.ne(0)
    deviation = (probability * (1 - probability) / COUNT) ** 0.5
    assert abs(float(kept.float().mean()) - (1 - probability)) < 5 * deviation
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 2 / (1 - probability)))


def test_draws_are_independent() -> None:
    """Of neighbours, of every fourth (which share a word of random bits), and of two calls."""
    torch.manual_seed(1)
    kept = dropout(torch.ones(COUNT), 0.5).ne(0).float() - 0.5
    again = dropout(torch.ones(COUNT), 0.5).ne(0).float() - 0.5
    pairs = [(kept[:-lag], kept[lag:]) for lag in (1, 2, 3, 4, 8)] + [(kept, again)]
    for one, other in pairs:
        assert abs(float((one * other).mean())) < 5 * 0.25 / COUNT**0.5


def test_the_gradient_is_that_of_what_was_kept() -> None:
    x = torch.randn(7, 11, 3, requires_grad=True)
    y = dropout(x, 0.4)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, y.detach().ne(0).float() / 0.6)
    torch.testing.assert_close(y, x * gradient)


def test_seeds() -> None:
    """The same seed draws the same: a run that resumes repeats itself."""
    torch.manual_seed(3)
    one = dropout(torch.ones(1001), 0.2)
    torch.manual_seed(3)
    assert dropout(torch.ones(1001), 0.2).equal(one)
    assert not dropout(torch.ones(1001), 0.2).equal(one)


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_none_and_all(probability: float, expected: float) -> None:
    assert dropout(torch.ones(5), probability).eq(expected).all()


def test_only_while_training() -> None:
    module = Dropout(0.5)
    assert module.eval()(torch.ones(100)).eq(1).all()
    assert module.train()(torch.ones(100)).ne(1).all()
