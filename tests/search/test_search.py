"""Beam search: exhaustive where that is possible, its penalties and its blocking against plain Python."""

from typing import Any, Callable, Dict, List, Tuple

import pytest
import torch
from builders import METHODS, PAD, SEP, VOCABULARY
from fairseq.sequence_generator import SequenceGenerator
from search_models import (
    Hypothesis,
    decided_model,
    exhaustive,
    forbidden,
    generate,
    leaning_to_the_end,
    log_probability,
    ngrams,
    some_sources,
)

from s2sft_fairseq.search.generator import S2SFTGenerator
from s2sft_fairseq.search.ngram_blocking import NGramBlocker

PENALTIES: Dict[str, Tuple[Dict[str, Any], Callable[[int, float], float]]] = {
    "fairseq": ({"length_penalty_type": "fairseq"}, lambda length, alpha: length**alpha),
    "gnmt": ({"length_penalty_type": "gnmt"}, lambda length, alpha: ((5 + length) / 6) ** alpha),
    "unnormalized": ({"normalize_scores": False}, lambda length, alpha: 1.0),
    "unnormalized gnmt": (
        {"normalize_scores": False, "length_penalty_type": "gnmt"},
        lambda length, alpha: 1.0,
    ),
}


def assert_same(found: List[Hypothesis], expected: List[Hypothesis]) -> None:
    """The same hypotheses with the same scores, whatever the order among all but equal ones."""
    assert {h.tokens for h in found} == {h.tokens for h in expected}
    scores = dict(expected)
    assert [h.score for h in found] == pytest.approx([scores[h.tokens] for h in found], abs=1e-4)
    assert [h.score for h in found] == pytest.approx([h.score for h in expected], abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("alpha", [0.6, 1.3])
def test_a_wide_beam_is_exhaustive_search(method: str, name: str, alpha: float) -> None:
    """Beam 40 holds all 39 hypotheses of one to three words."""
    options, penalty = PENALTIES[name]
    model = decided_model(method, seed=3)
    sources = some_sources(model)
    found = generate(model, sources, beam_size=40, min_len=1, max_len_b=3, len_penalty=alpha, **options)
    for source, hypotheses in zip(sources, found):
        expected = exhaustive(model, source, shortest=1, longest=3, penalty=lambda length: penalty(length, alpha))
        assert len(expected) == 3 + 9 + 27
        assert_same(hypotheses, expected)


def test_penalties_choose_different_hypotheses() -> None:
    """Or the test above would not tell one from another."""
    chosen = []
    for seed in range(12):
        model = decided_model("pseudo_masked", seed=seed)
        sources = some_sources(model, count=8)
        found = [generate(model, sources, beam_size=40, max_len_b=3, **o) for o, _ in PENALTIES.values()]
        chosen.append([[hypotheses[0].tokens for hypotheses in sentences] for sentences in found])
    by_fairseq, by_gnmt, unnormalized, also_unnormalized = zip(*chosen)
    assert by_fairseq != by_gnmt != unnormalized != by_fairseq
    assert unnormalized == also_unnormalized


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_score_is_that_of_teacher_forcing(method: str, beam: int) -> None:
    model = decided_model(method, seed=2)
    sources = some_sources(model)
    for source, hypotheses in zip(sources, generate(model, sources, beam_size=beam, max_len_b=8, len_penalty=0.7)):
        assert len(hypotheses) == beam
        for tokens, score in hypotheses:
            expected = log_probability(model, source, tokens) / len(tokens) ** 0.7
            assert score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"no_repeat_ngram_size": 2}, {"length_penalty_type": "gnmt"}])
def test_alone_or_in_any_batch(method: str, options: Dict[str, Any]) -> None:
    """Sentences finish at different steps and leave, and none notices."""
    last_steps = []
    for seed in range(8):
        model = decided_model(method, seed=seed)
        sources = some_sources(model, count=5, seed=seed)
        together = generate(model, sources, beam_size=3, max_len_b=10, **options)
        for source, hypotheses in zip(sources, together):
            (alone,) = generate(model, source[source.ne(PAD)][None], beam_size=3, max_len_b=10, **options)
            assert [h.tokens for h in alone] == [h.tokens for h in hypotheses]
            assert [h.score for h in alone] == pytest.approx([h.score for h in hypotheses], abs=1e-5)
        last_steps.append({max(len(h.tokens) for h in hypotheses) for hypotheses in together})
    assert any(len(steps) > 1 for steps in last_steps), "no sentence left a batch, so this tells little"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alpha", [0.0, 1.0, 1.7])
def test_equals_the_stock_generator(method: str, alpha: float) -> None:
    """What is not asked for changes nothing."""
    model = decided_model(method, seed=4)
    sources = some_sources(model, count=4)
    options = dict(beam_size=4, max_len_b=9, len_penalty=alpha)
    stock = generate(model, sources, kind=SequenceGenerator, **options)
    assert generate(model, sources, **options) == stock


GNMT_FACTORS = [
    (0.6, {1: 1.0, 5: 1.3587, 10: 1.7329, 50: 3.7786}),
    (0.7, {1: 1.0, 5: 1.4299, 10: 1.8991, 50: 4.7157}),
    (0.9, {1: 1.0, 5: 1.5837, 10: 2.2811, 50: 7.3450}),
    (1.3, {1: 1.0, 5: 1.9427, 10: 3.2910, 50: 17.8187}),
]
"""((5 + length) / 6) ^ alpha by hand, to four places; the length counts the end token."""


@pytest.mark.parametrize(("alpha", "factors"), GNMT_FACTORS)
def test_gnmt_factors(alpha: float, factors: Dict[int, float]) -> None:
    model = decided_model("causal", seed=5)
    source = some_sources(model, count=1)
    for length, factor in factors.items():
        exactly = dict(beam_size=1, min_len=length - 1, max_len_b=length - 1)
        ((raw,),) = generate(model, source, normalize_scores=False, **exactly)
        ((divided,),) = generate(model, source, length_penalty_type="gnmt", len_penalty=alpha, **exactly)
        assert len(raw.tokens) == length and raw.tokens == divided.tokens
        assert raw.score / divided.score == pytest.approx(factor, abs=1e-3)


class TestLengths:
    """Words, the end token not counted: ``--min-len`` to ``--max-len-b``."""

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("shortest", [0, 1, 2, 5])
    def test_shortest(self, method: str, shortest: int) -> None:
        model = leaning_to_the_end(decided_model(method), 50.0)
        for hypotheses in generate(model, some_sources(model), beam_size=1, min_len=shortest, max_len_b=9):
            assert [len(h.tokens) - 1 for h in hypotheses] == [shortest]

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("longest", [1, 2, 5])
    def test_longest(self, method: str, longest: int) -> None:
        model = leaning_to_the_end(decided_model(method), -50.0)
        for hypotheses in generate(model, some_sources(model), beam_size=3, max_len_b=longest):
            assert {len(h.tokens) - 1 for h in hypotheses} == {longest}
            assert all(h.tokens[-1] == SEP for h in hypotheses)

    @pytest.mark.parametrize("method", METHODS)
    def test_no_longer_than_the_model_reads(self, method: str) -> None:
        """``--max-target-positions`` counts the end token."""
        model = leaning_to_the_end(decided_model(method, max_target_positions=6), -50.0)
        for hypotheses in generate(model, some_sources(model), beam_size=2, max_len_b=200):
            assert {len(h.tokens) for h in hypotheses} == {6}


class TestNGramBlocking:
    """004, section 3.1: no n-gram of a hypothesis comes twice."""

    @pytest.mark.parametrize("size", [1, 2, 3, 4])
    @pytest.mark.parametrize("seed", range(4))
    def test_equals_trying_every_token(self, size: int, seed: int) -> None:
        """On the buffer that fairseq passes: a placeholder, the words, padding up to the longest output."""
        generator = torch.Generator().manual_seed(seed)
        blocker, rows = NGramBlocker(size), 6
        tokens = torch.full((rows, 20), PAD)
        tokens[:, 0] = SEP
        for step in range(18):
            lprobs = torch.zeros(rows, len(VOCABULARY))
            blocked = blocker(tokens, lprobs, 2, 3, step)
            for row, allowed in zip(tokens.tolist(), blocked):
                expected = forbidden(tuple(row[1 : step + 1]), size)
                assert allowed.eq(-torch.inf).nonzero().flatten().tolist() == expected
                assert allowed.eq(0).sum() == len(VOCABULARY) - len(expected)
            tokens[:, step + 1] = torch.randint(7, 10, (rows,), generator=generator)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(("size", "longest"), [(1, 4), (2, 11), (3, 30), (4, 50)])
    def test_no_hypothesis_repeats_one(self, method: str, size: int, longest: int) -> None:
        """fairseq's own blocker lets them through (facebookresearch/fairseq#5206)."""
        model = leaning_to_the_end(decided_model(method, seed=6), -50.0)
        sources = some_sources(model, count=4)
        options = dict(beam_size=3, max_len_b=longest)

        def repeats(size_of_blocker: int) -> List[bool]:
            found = generate(model, sources, no_repeat_ngram_size=size_of_blocker, **options)
            texts = (h.tokens[:-1] for hypotheses in found for h in hypotheses)
            return [len(set(ngrams(t, size))) < len(ngrams(t, size)) for t in texts]

        assert any(repeats(0)), "without blocking nothing repeats, so this tells nothing"
        assert not any(repeats(size))

    def test_stock_blocker_is_replaced(self) -> None:
        generator = S2SFTGenerator([decided_model("causal")], VOCABULARY, no_repeat_ngram_size=3)
        assert isinstance(generator.repeat_ngram_blocker, NGramBlocker)
        assert generator.repeat_ngram_blocker.size == 3
