"""Decoding step by step over its caches gives what one pass over the whole target gives."""

from typing import List, Tuple

import pytest
import torch
from builders import PREDICTION_LAYOUTS, SEP, random_model
from step_search import BEAM, Search

from s2sft_fairseq.models.layers.decoding_cache import SourceCache

STEPS = 7


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


LEAVING = [
    pytest.param([()] * STEPS, id="all stay"),
    pytest.param([(), (1,), (), (0, 2), (), (), ()], id="some leave"),
    pytest.param([(3,), (0,), (0,), (), (), (), ()], id="from both ends"),
]


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("leaving", LEAVING)
def test_cached_steps_equal_teacher_forcing(name: str, seed: int, leaving: List[Tuple[int, ...]]) -> None:
    """Ragged sources, reordered beams, sentences that leave the batch."""
    search = Search(random_model(name, seed=seed), sentences=4, seed=seed)
    for finished in leaving:
        torch.testing.assert_close(search.step(), search.teacher_forced(), atol=1e-5, rtol=0)
        search.choose_beams(finished)
        search.append()


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
def test_a_step_without_a_cache(name: str) -> None:
    """Tools that pass no incremental state get the same."""
    search = Search(random_model(name), sentences=3, seed=0)
    for _ in range(4):
        cached = search.step()
        logits, _ = search.model.decoder(search.tokens, encoder_out=search.encoded)
        torch.testing.assert_close(logits[:, -1].log_softmax(dim=-1), cached, atol=1e-5, rtol=0)
        search.append()


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
def test_batch_of_one_equals_batch_of_many(name: str) -> None:
    """Padding of other sentences' sources changes nothing."""
    search = Search(random_model(name), sentences=5, seed=1)
    together = search.step().view(5, BEAM, -1)
    lengths = search.encoded.slots.group.eq(0).sum(1)
    assert len(lengths.unique()) > 1
    for number, length in enumerate(lengths.tolist()):
        alone = search.model.encoder(search.source[number : number + 1, :length])
        logits, _ = search.model.decoder(torch.tensor([[SEP]]), encoder_out=alone)
        torch.testing.assert_close(logits[0].log_softmax(dim=-1), together[number, :1], atol=1e-5, rtol=0)


def storage(cache: SourceCache) -> List[int]:
    """Where the keys and values of every layer lie."""
    return [tensor.data_ptr() for layer in cache.layers for tensor in layer]


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
def test_sources_are_kept_once_a_sentence(name: str) -> None:
    """Widening and reordering beams moves nothing; a sentence that leaves takes its rows along."""
    model = random_model(name)
    search = Search(model, sentences=4, seed=0)
    where = storage(search.encoded)
    for _ in range(3):
        search.step()
        search.choose_beams()
        search.append()
        assert storage(search.encoded) == where
    kept = [layer.key.clone() for layer in search.encoded.layers]
    search.choose_beams(finished=(1,))
    assert len(kept) == model.cfg.encoder_layers
    for layer, before in zip(search.encoded.layers, kept):
        assert layer.key.equal(before[[0, 2, 3]])
    assert search.encoded.slots.token.equal(search.source[[0, 2, 3]])


@pytest.mark.parametrize("name", PREDICTION_LAYOUTS)
def test_queries_do_not_enter_the_cache(name: str) -> None:
    """It holds the known target, and the start token if the method has one."""
    search = Search(random_model(name), sentences=2, seed=0)
    layout = search.model.layout
    for step in range(4):
        search.step()
        cache = search.target_cache()
        known = step + int(layout.start is not None)
        assert len(cache) == known
        assert len(cache.layers) == search.model.cfg.encoder_layers
        assert cache.slots is not None
        assert cache.slots.group.eq(0).all()
        search.append()
