"""Every search option of fairseq over our cached steps: what its definition gives, computed without them."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import pytest
import torch
from builders import METHODS, PAD, SEP, UNK, VOCABULARY, ids
from fairseq.search import BeamSearch, DiverseBeamSearch, DiverseSiblingsSearch, LengthConstrainedBeamSearch
from fairseq.sequence_generator import SequenceGenerator
from fairseq.sequence_scorer import SequenceScorer
from search_models import Hypothesis, decided_model, exhaustive, generate, leaning_to_the_end, some_sources
from search_oracle import Choose, Rules, beam_search, diverse_groups, diverse_siblings, plain
from torch import Tensor

from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.search.generator import S2SFTGenerator


def search(
    models: Sequence[S2SFTModel],
    source: Tensor,
    *,
    prefix: Optional[Tensor] = None,
    kind: Any = S2SFTGenerator,
    **options: Any,
) -> List[List[Hypothesis]]:
    """The n-best lists for sources [B, S], over the whole vocabulary."""
    generator = kind(list(models), VOCABULARY, **options)
    found = generator.generate(list(models), {"net_input": {"src_tokens": source}}, prefix_tokens=prefix)
    return [[Hypothesis(tuple(h["tokens"].tolist()), float(h["score"])) for h in hypotheses] for hypotheses in found]


class Case(NamedTuple):
    """Arguments of the generator, and what they mean."""

    options: Dict[str, Any]
    rules: Rules
    choose: Choose = plain
    models: int = 1


WORDS_OF_PREFIX = tuple(ids("w3 w3 w5").tolist())
SUPPRESSED = tuple(ids("[UNK] w1 w2 w7 w11").tolist())
CASES = {
    "beam": Case({}, Rules(beam=4, longest=5)),
    "beam of one": Case(dict(beam_size=1), Rules(beam=1, longest=5)),
    "unnormalized": Case(dict(normalize_scores=False), Rules(beam=4, longest=5, len_penalty=0)),
    "lenpen": Case(dict(len_penalty=2.5), Rules(beam=4, longest=5, len_penalty=2.5)),
    "min-len": Case(dict(min_len=4), Rules(beam=4, longest=5, shortest=4)),
    "min-len of 0": Case(dict(min_len=0), Rules(beam=4, longest=5, shortest=0)),
    "unkpen": Case(dict(unk_penalty=2.5), Rules(beam=4, longest=5, unk_penalty=2.5)),
    "unkpen that rewards": Case(dict(unk_penalty=-2.5), Rules(beam=4, longest=5, unk_penalty=-2.5)),
    "temperature": Case(dict(temperature=3.0), Rules(beam=4, longest=5, temperature=3.0)),
    "n-grams": Case(dict(no_repeat_ngram_size=1), Rules(beam=4, longest=5, ngram=1)),
    "suppressed": Case(dict(suppressed=SUPPRESSED), Rules(beam=4, longest=5, suppressed=SUPPRESSED)),
    "prefix": Case({}, Rules(beam=4, longest=5, prefix=WORDS_OF_PREFIX)),
    "groups": Case(
        dict(search_strategy=DiverseBeamSearch(VOCABULARY, 2, 1.5)), Rules(beam=4, longest=5), diverse_groups(2, 1.5)
    ),
    "as many groups as beams": Case(
        dict(search_strategy=DiverseBeamSearch(VOCABULARY, 4, 0.7)), Rules(beam=4, longest=5), diverse_groups(4, 0.7)
    ),
    "siblings": Case(
        dict(search_strategy=DiverseSiblingsSearch(VOCABULARY, 0.8)), Rules(beam=4, longest=5), diverse_siblings(0.8)
    ),
    "ensemble": Case({}, Rules(beam=4, longest=5), models=2),
}


def models_of(case: Case, method: str, seed: int) -> List[S2SFTModel]:
    """Random models that end now and then, and know a word less now and then."""
    models = [leaning_to_the_end(decided_model(method, seed=seed + 50 * number), 2.0) for number in range(case.models)]
    with torch.no_grad():
        for model in models:
            model.transformer.lm_head.bias[UNK] += 4.0
    return models


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_what_the_definition_gives(method: str, name: str) -> None:
    """The same n-best lists with the same scores as a search without caches, batches or tensors of beams."""
    case = CASES[name]
    models = models_of(case, method, seed=1)
    sources = some_sources(models[0], count=3, seed=1)
    prefix = torch.tensor([case.rules.prefix] * len(sources)) if case.rules.prefix else None
    found = search(models, sources, prefix=prefix, **{"beam_size": 4, "max_len_b": 5, **case.options})
    for source, hypotheses in zip(sources, found):
        expected = beam_search(models, source, case.rules, case.choose)
        assert [h.tokens for h in hypotheses] == [h.tokens for h in expected]
        assert [h.score for h in hypotheses] == pytest.approx([h.score for h in expected], abs=1e-4)


def test_every_case_changes_what_is_found() -> None:
    """Or a case would tell nothing."""
    lists: Dict[str, List[List[Hypothesis]]] = {name: [] for name in CASES}
    for name, case in CASES.items():
        for seed in (1, 2):
            models = models_of(case, "causal", seed)
            lists[name] += [beam_search(models, s, case.rules, case.choose) for s in some_sources(models[0], seed=seed)]
    for name, found in lists.items():
        assert name == "beam" or found != lists["beam"], name


STRATEGIES = {
    "beam": lambda: BeamSearch(VOCABULARY),
    "groups": lambda: DiverseBeamSearch(VOCABULARY, 2, 0.5),
    "siblings": lambda: DiverseSiblingsSearch(VOCABULARY, 0.5),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(
    "options", [dict(min_len=3), dict(unk_penalty=-3.0), dict(temperature=0.5), dict(max_len_a=0.5)], ids=str
)
def test_equals_the_stock_generator(method: str, name: str, options: Dict[str, Any]) -> None:
    """fairseq's own SequenceGenerator over the same model."""
    models = [decided_model(method, seed=4)]
    sources = some_sources(models[0], count=4)
    options = {"beam_size": 4, "max_len_b": 6, **options}
    stock, ours = (
        search(models, sources, kind=k, search_strategy=STRATEGIES[name](), **options)
        for k in (SequenceGenerator, S2SFTGenerator)
    )
    assert ours == stock


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in CASES if name != "prefix"])
def test_alone_or_in_any_batch_and_order(method: str, name: str) -> None:
    """The order of the batch and the other sentences in it change nothing."""
    case = CASES[name]
    models = models_of(case, method, seed=2)
    sources, order = some_sources(models[0], count=5, seed=2), torch.tensor([3, 1, 4, 0, 2])
    options = {"beam_size": 4, "max_len_b": 5, **case.options}
    together, shuffled = search(models, sources, **options), search(models, sources[order], **options)
    for number, place in enumerate(order.tolist()):
        (alone,) = search(models, sources[place][sources[place].ne(PAD)][None], **options)
        for other in (shuffled[number], alone):
            assert [h.tokens for h in other] == [h.tokens for h in together[place]]
            assert [h.score for h in other] == pytest.approx([h.score for h in together[place]], abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_generated_text_is_scored_as_it_was_found(method: str) -> None:
    """``--score-reference`` is fairseq's SequenceScorer: token by token what the search said."""
    model = decided_model(method, seed=3)
    sources = some_sources(model, count=4)
    generator = S2SFTGenerator([model], VOCABULARY, beam_size=3, max_len_b=6, normalize_scores=False)
    for hypotheses in zip(*generator.generate([model], {"net_input": {"src_tokens": sources}})):
        target = torch.nn.utils.rnn.pad_sequence([h["tokens"] for h in hypotheses], True, PAD)
        previous = target.masked_fill(target.eq(SEP), PAD).roll(1, 1)
        previous[:, 0] = SEP
        sample = {"net_input": {"src_tokens": sources, "prev_output_tokens": previous}, "target": target}
        for (scored,), found in zip(SequenceScorer(VOCABULARY).generate([model], sample), hypotheses):
            torch.testing.assert_close(
                scored["positional_scores"], found["positional_scores"].float(), atol=1e-4, rtol=0
            )
            assert float(scored["score"]) == pytest.approx(float(found["score"]) / len(found["tokens"]), abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("a", "b"), [(0.0, 3), (0.5, 1), (1.0, 0), (2.0, 2)])
def test_longest_is_a_line_of_the_source(method: str, a: float, b: int) -> None:
    """``--max-len-a`` times the slots of the source plus ``--max-len-b``, rounded down."""
    model = leaning_to_the_end(decided_model(method), -50.0)
    for source in some_sources(model, count=5):
        slots = source[source.ne(PAD)]
        (found,) = search([model], slots[None], beam_size=2, max_len_a=a, max_len_b=b, min_len=0)
        assert {len(h.tokens) - 1 for h in found} == {int(a * len(slots) + b)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [-50.0, 0.0, 50.0])
def test_match_source_len(method: str, end: float) -> None:
    """The best texts of exactly the source's length, its probability the model's own; the batch is of many lengths."""
    model = leaning_to_the_end(decided_model(method, seed=5), end)
    sources = some_sources(model, count=6)
    lengths = [int(s.ne(PAD).sum()) - 1 - int(s.eq(SEP).any()) for s in sources]
    short = [number for number, length in enumerate(lengths) if length <= 3]
    strategy = LengthConstrainedBeamSearch(VOCABULARY, 1, 0, 1, 0)
    found = generate(model, sources, beam_size=40, match_source_len=True, search_strategy=strategy)
    assert len({lengths[n] for n in short}) > 1
    for number in short:
        n = lengths[number]
        expected = exhaustive(model, sources[number], shortest=n, longest=n, penalty=lambda length: length)
        assert [h.tokens for h in found[number]] == [h.tokens for h in expected]
        assert [h.score for h in found[number]] == pytest.approx([h.score for h in expected], abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_prefix_may_end_or_repeat(method: str) -> None:
    """Prefixes of different lengths: one is the whole target, and one has an n-gram twice although that is blocked."""
    model = decided_model(method, seed=6)
    sources = some_sources(model, count=3)
    prefix = torch.tensor(
        [[*ids("w1 w2").tolist(), SEP, PAD], ids("w1 w1 w1 w1").tolist(), [*ids("w4").tolist(), PAD, PAD, PAD]]
    )
    found = search([model], sources, prefix=prefix, beam_size=3, max_len_b=8, no_repeat_ngram_size=2)
    for row, hypotheses in zip(prefix.tolist(), found):
        forced = tuple(token for token in row if token != PAD)
        assert len(hypotheses) == 3
        assert all(h.tokens[: len(forced)] == forced for h in hypotheses)
        assert all(h.score > -torch.inf for h in hypotheses)


@pytest.mark.parametrize("method", METHODS)
def test_the_unknown_word_can_be_suppressed(method: str) -> None:
    """fairseq's own tokens_to_suppress cannot (it asserts so)."""
    model = decided_model(method, seed=1)
    with torch.no_grad():
        model.transformer.lm_head.bias[UNK] += 50
    sources = some_sources(model)
    free, suppressed = (search([model], sources, beam_size=2, max_len_b=5, suppressed=s) for s in ((), (UNK,)))
    assert all(UNK in h.tokens for hypotheses in free for h in hypotheses)
    assert not any(UNK in h.tokens for hypotheses in suppressed for h in hypotheses)
