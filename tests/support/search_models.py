"""Models with a tiny vocabulary, whose searches can be checked by enumeration."""

import itertools
from typing import Any, Callable, List, NamedTuple, Tuple

import torch
from builders import PAD, SEP, VOCABULARY, ids, padded, random_model, random_pairs
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.search.generator import S2SFTGenerator

WORDS = ("w0", "w1", "w2")
"""The tokens that may be generated, beside the end: few enough to list all hypotheses."""


class Hypothesis(NamedTuple):
    """What a search found, the end token included."""

    tokens: Tuple[int, ...]
    score: float


def decided_model(method: str, **options: Any) -> S2SFTModel:
    """A random model whose predictions are not all alike."""
    return random_model(method, spread=0.6, **options)


def generate(
    model: S2SFTModel, source: Tensor, *, kind: Any = S2SFTGenerator, **options: Any
) -> List[List[Hypothesis]]:
    """The n-best lists for sources [B, S]; of words, only WORDS are generated."""
    suppressed = [token for token in VOCABULARY.symbols if token not in (*WORDS, "[UNK]", "[SEP]")]
    generator = kind([model], VOCABULARY, tokens_to_suppress=suppressed, unk_penalty=torch.inf, **options)
    found = generator.generate([model], {"net_input": {"src_tokens": source}})
    return [[Hypothesis(tuple(h["tokens"].tolist()), float(h["score"])) for h in hypotheses] for hypotheses in found]


def log_probability(model: S2SFTModel, source: Tensor, tokens: Tuple[int, ...]) -> float:
    """log p(tokens | source), in one pass; source [S]."""
    target = torch.tensor([tokens])
    previous = target.roll(1, dims=1)
    with torch.no_grad():
        logits, _ = model(source[source.ne(PAD)][None], None, previous)
    return float(logits.log_softmax(dim=-1).gather(2, target.unsqueeze(2)).sum())


def exhaustive(
    model: S2SFTModel, source: Tensor, *, shortest: int, longest: int, penalty: Callable[[int], float]
) -> List[Hypothesis]:
    """All hypotheses of ``shortest`` to ``longest`` words with their scores, the best first."""
    words = ids(" ".join(WORDS)).tolist()
    texts = (t for n in range(shortest, longest + 1) for t in itertools.product(words, repeat=n))
    scored = [Hypothesis((*t, SEP), log_probability(model, source, (*t, SEP)) / penalty(len(t) + 1)) for t in texts]
    return sorted(scored, key=lambda hypothesis: -hypothesis.score)


def some_sources(model: S2SFTModel, *, count: int = 3, seed: int = 0) -> Tensor:
    """Ragged sources [B, S]."""
    return padded(random_pairs(model.layout, count=count, seed=seed))[0]


def leaning_to_the_end(model: S2SFTModel, amount: float) -> S2SFTModel:
    """The model, the end token likelier by a factor e^amount."""
    with torch.no_grad():
        model.transformer.lm_head.bias[SEP] += amount
    return model


def ngrams(tokens: Tuple[int, ...], size: int) -> List[Tuple[int, ...]]:
    return [tokens[i : i + size] for i in range(len(tokens) - size + 1)]


def forbidden(words: Tuple[int, ...], size: int) -> List[int]:
    """The tokens that would repeat an n-gram, told by trying each."""
    seen = set(ngrams(words, size))
    return [t for t in range(len(VOCABULARY)) if ngrams((*words, t), size)[-1:] and (*words, t)[-size:] in seen]
