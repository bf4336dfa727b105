"""Beam search, diverse beam search and diverse siblings in plain Python: hypothesis by hypothesis, without caches."""

from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

import torch
from builders import PAD, SEP, UNK
from search_models import Hypothesis, forbidden
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel

Words = Tuple[int, ...]


class Rules(NamedTuple):
    """What is allowed, and what it costs; the names are those of the generator's arguments or like them."""

    beam: int
    longest: int
    shortest: int = 1
    len_penalty: float = 1.0
    unk_penalty: float = 0.0
    temperature: float = 1.0
    ngram: int = 0
    prefix: Words = ()
    suppressed: Words = ()


class Row(NamedTuple):
    """A hypothesis that goes on."""

    words: Words
    score: float


class Candidate(NamedTuple):
    """A row (by its number) with one more token."""

    score: float
    row: int
    token: int


Choose = Callable[[Tensor, Sequence[Row], int], List[Candidate]]
"""Next log-probabilities [rows, V], the rows, the width of the beam → candidates, 2 × beam, the best first."""


@torch.no_grad()
def next_scores(models: Sequence[S2SFTModel], source: Tensor, words: Words, rules: Rules) -> Tensor:
    """Log-probabilities [V] of the next word, the mean over models, as far as the rules allow them."""
    previous = torch.tensor([[SEP, *words]])
    logits = torch.stack([model(source[source.ne(PAD)][None], None, previous)[0][0, -1] for model in models])
    scores = (logits / rules.temperature).softmax(-1).mean(0).log()
    scores[PAD] = -torch.inf
    scores[UNK] -= rules.unk_penalty
    allowed = torch.ones(len(scores), dtype=torch.bool)
    if len(words) == rules.longest:
        allowed = torch.arange(len(scores)).eq(SEP)
    elif len(words) < len(rules.prefix):
        allowed = torch.arange(len(scores)).eq(rules.prefix[len(words)])
    else:
        allowed[list(rules.suppressed)] = False
        allowed[SEP] = len(words) >= rules.shortest
    blocked = forbidden(words, rules.ngram) if rules.ngram else []
    allowed[blocked] = False
    return scores.masked_fill(~allowed, -torch.inf)


def best_of(scores: Tensor, count: int) -> List[Tuple[float, int]]:
    """The best entries [V] and where they are."""
    values, where = scores.topk(count)
    return list(zip(values.tolist(), where.tolist()))


def plain(following: Tensor, rows: Sequence[Row], beam: int) -> List[Candidate]:
    """The best of all continuations."""
    totals = following + torch.tensor([[row.score] for row in rows])
    size = totals.size(1)
    return [Candidate(score, where // size, where % size) for score, where in best_of(totals.flatten(), 2 * beam)]


def diverse_groups(groups: int, strength: float) -> Choose:
    """Each group pays for the tokens that earlier groups took in this step (Vijayakumar et al., 2016)."""

    def choose(following: Tensor, rows: Sequence[Row], beam: int) -> List[Candidate]:
        taken = torch.zeros(following.size(1), dtype=following.dtype)
        by_group = []
        for group in range(groups):
            mine = [0] if len(rows) == 1 else list(range(group, beam, groups))
            found = plain(following[mine] - strength * taken, [rows[number] for number in mine], beam // groups)
            for candidate in found:
                taken[candidate.token] += 1
            by_group.append([candidate._replace(row=mine[candidate.row]) for candidate in found])
        return [candidate for rank in zip(*by_group) for candidate in rank]

    return choose


def diverse_siblings(rate: float) -> Choose:
    """The k-th best continuation of a row pays k times the rate, but at the first step (Li et al., 2016)."""

    def choose(following: Tensor, rows: Sequence[Row], beam: int) -> List[Candidate]:
        if len(rows) == 1:
            return plain(following, rows, beam)
        found = [
            Candidate(row.score + score - rate * rank, number, token)
            for number, row in enumerate(rows)
            for rank, (score, token) in enumerate(best_of(following[number], 2 * beam), start=1)
        ]
        return sorted(found, key=lambda candidate: -candidate.score)[: 2 * beam]

    return choose


def beam_search(models: Sequence[S2SFTModel], source: Tensor, rules: Rules, choose: Choose = plain) -> List[Hypothesis]:
    """The finished hypotheses, the best first: an end counts among the first ``beam`` candidates of a step."""
    rows, finished = [Row((), 0.0)], []
    known: Dict[Words, Tensor] = {}
    for _ in range(rules.longest + 1):
        for row in rows:
            known.setdefault(row.words, next_scores(models, source, row.words, rules))
        found = choose(torch.stack([known[row.words] for row in rows]), rows, rules.beam)
        ends = [c for c in found[: rules.beam] if c.token == SEP and c.score > -torch.inf]
        finished += [Hypothesis((*rows[c.row].words, SEP), c.score) for c in ends]
        if len(finished) >= rules.beam:
            break
        going = [c for c in found if c.token != SEP or c.score == -torch.inf][: rules.beam]
        rows = [Row((*rows[c.row].words, c.token), c.score) for c in going]
    scored = [h._replace(score=h.score / len(h.tokens) ** rules.len_penalty) for h in finished[: rules.beam]]
    return sorted(scored, key=lambda hypothesis: -hypothesis.score)
