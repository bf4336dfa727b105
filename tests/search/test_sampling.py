"""Sampling draws from the distribution that the flags define: chi-square tests over all texts of a tiny vocabulary."""

import itertools
from collections import Counter
from typing import Any, Callable, Dict, List, Tuple

import pytest
import torch
from builders import METHODS, PAD, SEP, VOCABULARY, ids
from fairseq.search import Sampling
from search_models import WORDS, decided_model, generate, some_sources
from search_oracle import Rules, Words, next_scores
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel

LONGEST = 2
DRAWS = 4000
SUPPRESSED = tuple(i for i, token in enumerate(VOCABULARY.symbols) if token not in (*WORDS, "[SEP]"))
"""Left are three words and the end: 13 texts of up to two words."""


def untouched(probability: Tensor) -> Tensor:
    """All tokens, as likely as the model says."""
    return probability


def top_k(k: int) -> Callable[[Tensor], Tensor]:
    """The k likeliest tokens."""
    return lambda probability: probability * probability.ge(probability.sort(descending=True).values[k - 1])


def top_p(p: float) -> Callable[[Tensor], Tensor]:
    """The smallest set of likeliest tokens that together exceed p (Holtzman et al., 2019)."""

    def cut(probability: Tensor) -> Tensor:
        values, order = probability.sort(descending=True)
        before = values.cumsum(0) - values
        return torch.zeros_like(probability).scatter(0, order, values * before.lt(p))

    return cut


CASES: Dict[str, Tuple[Dict[str, Any], float, Callable[[Tensor], Tensor]]] = {
    "plain": ({}, 1.0, untouched),
    "hot": ({}, 3.0, untouched),
    "cold": ({}, 0.5, untouched),
    "top 2": (dict(sampling_topk=2), 1.0, top_k(2)),
    "top 3, hot": (dict(sampling_topk=3), 2.0, top_k(3)),
    "top 0.6, hot": (dict(sampling_topp=0.6), 3.0, top_p(0.6)),
    "top 0.8": (dict(sampling_topp=0.8), 1.0, top_p(0.8)),
    "top 1": (dict(sampling_topp=1.0), 1.0, untouched),
}


def model_of_few_words(method: str) -> S2SFTModel:
    """A random model that hardly ever means another token than the end and WORDS."""
    model = decided_model(method, seed=8)
    with torch.no_grad():
        model.transformer.lm_head.bias[[SEP, *ids(" ".join(WORDS)).tolist()]] += 16.0
    return model


def distribution(
    model: S2SFTModel, source: Tensor, temperature: float, cut: Callable[[Tensor], Tensor]
) -> Dict[Words, float]:
    """The probability of every text, its end included."""
    found: Dict[Words, float] = {}
    rules = Rules(beam=1, longest=LONGEST, shortest=0, temperature=temperature, suppressed=SUPPRESSED)
    for length in range(LONGEST + 1):
        for words in itertools.product(ids(" ".join(WORDS)).tolist(), repeat=length):
            text, probability = (*words, SEP), 1.0
            for number, token in enumerate(text):
                kept = cut(next_scores([model], source, text[:number], rules).exp())
                probability *= float(kept[token] / kept.sum())
            found[text] = probability
    assert sum(found.values()) == pytest.approx(1.0)
    return found


def chi_square(drawn: Counter, expected: Dict[Words, float]) -> float:
    """The z-score of the chi-square statistic (Wilson and Hilferty); texts expected less than 5 times are one class."""
    total = sum(drawn.values())
    often = [text for text, share in expected.items() if share * total >= 5]
    pairs = [(drawn[text], expected[text] * total) for text in often]
    rest = (total - sum(seen for seen, _ in pairs), total - sum(wanted for _, wanted in pairs))
    pairs += [rest] if rest[1] >= 5 else []
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in pairs)
    freedom = len(pairs) - 1
    assert freedom >= 2, "the distribution has hardly more than one text, so this tells nothing"
    return ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / (2 / (9 * freedom)) ** 0.5


def draw(model: S2SFTModel, source: Tensor, options: Dict[str, Any], temperature: float, *, beam: int) -> List[Any]:
    """Samples of one source: in many rows of a batch, several a row."""
    torch.manual_seed(7)
    rows = source[None].repeat(DRAWS // beam, 1)
    found = generate(
        model,
        rows,
        beam_size=beam,
        min_len=0,
        max_len_b=LONGEST,
        temperature=temperature,
        normalize_scores=False,
        search_strategy=Sampling(VOCABULARY, **options),
    )
    return [hypothesis for hypotheses in found for hypothesis in hypotheses]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("beam", [1, 4])
def test_draws_from_the_distribution(method: str, name: str, beam: int) -> None:
    """Within 4 standard deviations; never a text that is cut off; and the plain distribution would be another."""
    options, temperature, cut = CASES[name]
    model = model_of_few_words(method)
    source = some_sources(model, count=1)[0]
    source = source[source.ne(PAD)]
    expected = distribution(model, source, temperature, cut)
    drawn = Counter(hypothesis.tokens for hypothesis in draw(model, source, options, temperature, beam=beam))
    assert sum(drawn.values()) == DRAWS
    assert all(expected[text] > 0 for text in drawn)
    assert chi_square(drawn, expected) < 4
    if name not in ("plain", "top 1"):
        plain = distribution(model, source, 1.0, untouched)
        assert chi_square(drawn, plain) > 8, "the flags change too little to be told from none"


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_is_scored_by_the_model(method: str) -> None:
    """Its score is the log-probability at that temperature, whatever was cut off."""
    model = model_of_few_words(method)
    source = some_sources(model, count=1)[0]
    expected = distribution(model, source, 1.0, untouched)
    rules = Rules(beam=1, longest=LONGEST, shortest=0, suppressed=SUPPRESSED)
    for tokens, score in draw(model, source, dict(sampling_topk=2), 1.0, beam=4)[:40]:
        parts = [float(next_scores([model], source, tokens[:i], rules)[t]) for i, t in enumerate(tokens)]
        assert tokens in expected and score == pytest.approx(sum(parts), abs=1e-3)
