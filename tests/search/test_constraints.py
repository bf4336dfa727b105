"""Lexical constraints: the best of all texts that meet them, found by listing those texts."""

import itertools
from typing import Any, Callable, Dict, List, Sequence, Tuple

import pytest
import torch
from builders import METHODS, PAD, SEP, UNK, VOCABULARY, ids
from fairseq.search import LexicallyConstrainedBeamSearch
from fairseq.token_generation_constraints import pack_constraints
from search_models import Hypothesis, decided_model, leaning_to_the_end, log_probability, some_sources
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.search.generator import S2SFTGenerator

Phrases = Tuple[Tuple[int, ...], ...]
W0, W1 = ids("w0 w1").tolist()
OTHERS = [row for row in range(len(VOCABULARY)) if row not in (W0, W1, SEP)]
LONGEST = 4


def found(
    model: S2SFTModel, sources: Tensor, phrases: Sequence[Phrases], order: str, **options: Any
) -> List[List[Hypothesis]]:
    """N-best lists of texts of two words, whose phrases must be there; a beam as wide as fairseq's search can have."""
    packed = pack_constraints([[torch.tensor(phrase, dtype=torch.int64) for phrase in of_one] for of_one in phrases])
    options = {"beam_size": 23, "max_len_b": LONGEST, **options}
    strategy = LexicallyConstrainedBeamSearch(VOCABULARY, order)
    generator = S2SFTGenerator([model], VOCABULARY, search_strategy=strategy, **options)
    lists = generator.generate([model], {"net_input": {"src_tokens": sources}}, constraints=packed)
    return [[Hypothesis(tuple(h["tokens"].tolist()), float(h["score"])) for h in of_one] for of_one in lists]


def model_of_two_words(method: str, end: float = 0.0) -> S2SFTModel:
    """A random model that never means another token than the end and two words.

    Others are unlikely, not impossible: fairseq fills its beams with impossible ones where there are too few others.
    """
    model = leaning_to_the_end(decided_model(method, seed=9), end)
    with torch.no_grad():
        model.transformer.lm_head.bias[OTHERS] -= 60.0
    return model


def in_order(words: Tuple[int, ...], phrases: Phrases) -> bool:
    """Whether the phrases are there one after another, without overlap."""
    if not phrases:
        return True
    first, *rest = phrases
    starts = [i for i in range(len(words)) if words[i : i + len(first)] == first]
    return any(in_order(words[i + len(first) :], tuple(rest)) for i in starts)


def in_any_order(words: Tuple[int, ...], phrases: Phrases) -> bool:
    """Whether the phrases are there in some order, without overlap."""
    return any(in_order(words, some) for some in itertools.permutations(phrases))


MEETS: Dict[str, Callable[[Tuple[int, ...], Phrases], bool]] = {"ordered": in_order, "unordered": in_any_order}

PHRASES: List[Phrases] = [
    ((W0,),),
    ((W1, W1, W0),),
    ((W1, W0), (W0,)),
    ((W0,), (W1, W0)),
    (),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", MEETS)
@pytest.mark.parametrize("end", [0.0, 4.0])
def test_the_best_text_that_meets_them(method: str, order: str, end: float) -> None:
    """A batch with other constraints for every sentence, none among them."""
    model = model_of_two_words(method, end)
    sources = some_sources(model, count=len(PHRASES))
    for source, phrases, hypotheses in zip(sources, PHRASES, found(model, sources, PHRASES, order)):
        texts = [t for n in range(1, LONGEST + 1) for t in itertools.product((W0, W1), repeat=n)]
        allowed = [(*words, SEP) for words in texts if MEETS[order](words, phrases)]
        assert hypotheses[0].tokens == max(allowed, key=lambda tokens: normalized(model, source, tokens))
        for tokens, score in hypotheses:
            assert MEETS[order](tokens, phrases)
            assert score == pytest.approx(normalized(model, source, tokens), abs=1e-3)


def normalized(model: S2SFTModel, source: Tensor, tokens: Tuple[int, ...]) -> float:
    """The score of a text: its log-probability a token."""
    return log_probability(model, source, tokens) / len(tokens)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", MEETS)
def test_alone_or_in_any_batch(method: str, order: str) -> None:
    model = model_of_two_words(method)
    sources = some_sources(model, count=len(PHRASES))
    together = found(model, sources, PHRASES, order)
    for source, phrases, hypotheses in zip(sources, PHRASES, together):
        (alone,) = found(model, source[source.ne(PAD)][None], [phrases], order)
        assert [h.tokens for h in alone] == [h.tokens for h in hypotheses]


@pytest.mark.parametrize(
    ("phrases", "says"),
    [
        (((W0, W1, W0), (W1, W1)), "'w0 w1 w0', 'w1 w1' have 5 tokens, but hypotheses at most 4"),
        (((W0, UNK),), r"'w0 \[UNK\]' has an unknown or special token"),
        (((W0, SEP),), r"'w0 \[SEP\]' has an unknown or special token"),
        (((W0,), ()), "one of them is empty"),
    ],
)
def test_what_no_text_can_meet(phrases: Phrases, says: str) -> None:
    model = decided_model("causal")
    with pytest.raises(UserError, match=says):
        found(model, some_sources(model, count=2), [((W0,),), phrases], "ordered")


@pytest.mark.parametrize("options", [dict(no_repeat_ngram_size=1), dict(suppressed=[W1])], ids=list)
def test_what_other_flags_forbid(options: Dict[str, Any]) -> None:
    model = decided_model("causal")
    with pytest.raises(UserError, match="no hypothesis of up to 4 tokens satisfies all search flags"):
        found(model, some_sources(model, count=1), [((W1, W1),)], "ordered", **options)


def test_no_constraints_at_all() -> None:
    """fairseq-generate reads none."""
    model = decided_model("causal")
    generator = S2SFTGenerator(
        [model], VOCABULARY, search_strategy=LexicallyConstrainedBeamSearch(VOCABULARY, "ordered")
    )
    with pytest.raises(UserError, match="expected fairseq-interactive"):
        generator.generate([model], {"net_input": {"src_tokens": some_sources(model)}})
