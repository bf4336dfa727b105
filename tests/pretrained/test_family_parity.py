"""The Transformer with the weights of every family predicts what the published model predicts, whoever sees whom."""

import logging
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Tuple

import pytest
import torch
from oracles import Checkpoint, published
from tiny_checkpoints import BERT_VOCABULARY, FORMATS, ernie_gen, fairseq_roberta, unilm
from torch import Tensor, nn

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.layers.attention import FullPass
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.objectives.slots import IGNORE, PADDING, Slots
from s2sft_fairseq.objectives.visibility import visible
from s2sft_fairseq.pretrained.checkpoint import read
from s2sft_fairseq.pretrained.initialization import initialize_from_pretrained

SOURCE, REST = 6, 10
FAMILIES = {
    "bert": "bert",
    "electra": "electra",
    "ernie": "ernie",
    "ernie-gen": "ernie-gen",
    "ernie-gen, dialogue": "ernie-gen-dialogue",
    "fairseq": "fairseq-roberta",
    "roberta": "roberta",
    "xlm-roberta": "xlm-roberta",
    "unilm": "unilm",
    "unilmv2": "unilmv2",
}
"""What each format must be recognised as: the longest beginning of its name counts."""


def load(made: Checkpoint, **options: float) -> Transformer:
    """Our Transformer with the weights of a directory."""
    cfg = ModelOptions(max_source_positions=30, max_target_positions=18, **options)
    opened = read(made.directory)
    cfg = complete(cfg, opened.options())
    with torch.device("meta"):
        transformer = Transformer(transformer_shape(cfg, len(made.vocabulary)))
    initialize_from_pretrained(transformer, opened)
    return transformer.eval()


class Batch(NamedTuple):
    """Packed slots [B, L], a source block and the rest, each padded on its right, and which of them are real."""

    slots: Slots
    real: Tensor

    def arguments(self) -> Tuple[Tensor, ...]:
        """What the oracle asks for."""
        return self.slots.token, self.slots.position, self.slots.segment, visible(self.slots, self.slots)

    def of(self, transformer: Transformer) -> Tensor:
        """Our hidden states [B, L, H]."""
        attend = FullPass(self.slots, SOURCE, transformer.bias)
        return attend.batch.padded(transformer(attend))


def random_batch(made: Checkpoint, *, count: int = 5, seed: int = 3) -> Batch:
    """Sentences of random lengths: a source, and slots that see it and a random part of one another."""
    generator = torch.Generator().manual_seed(seed)

    def draw(limit: int, length: int = SOURCE + REST, start: int = 0) -> Tensor:
        return torch.randint(start, limit, (count, length), generator=generator)

    order = torch.arange(SOURCE + REST)
    lengths = torch.where(order < SOURCE, draw(SOURCE + 1, 1, 1), SOURCE + draw(REST + 1, 1, 1))
    real = order < lengths
    step = torch.where(order < SOURCE, 0, draw(5, start=1))
    group = torch.where(order < SOURCE, 0, draw(3)).masked_fill(~real, PADDING)
    token = draw(len(made.vocabulary)).masked_fill(~real, made.row(made.special.pad))
    segment = torch.tensor(made.segments)[draw(2)]
    position, turn, label = draw(made.oracle.positions), draw(16), torch.full_like(token, IGNORE)
    if made.oracle.turns is None:
        turn = torch.zeros_like(turn)
    return Batch(Slots(token, position, segment, turn, step, group, label), real)


def expected_family(name: str) -> str:
    """The family of a format."""
    return FAMILIES[max((start for start in FAMILIES if name.startswith(start)), key=len)]


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    """A format."""
    return request.param


@pytest.fixture
def made(name: str, tmp_path: Path) -> Checkpoint:
    """A checkpoint of that format."""
    return FORMATS[name](tmp_path / "checkpoint")


@torch.no_grad()
def test_predictions(made: Checkpoint, caplog: pytest.LogCaptureFixture) -> None:
    """Hidden states and logits of ragged batches; only a head that was never trained is drawn."""
    with caplog.at_level(logging.INFO):
        transformer = load(made)
    assert ("initialized afresh" in caplog.text) != made.head
    batch = random_batch(made)
    assert not batch.real.all()
    turn = batch.slots.turn
    hidden = batch.of(transformer)[batch.real]
    expected = made.oracle.hidden(*batch.arguments(), turn=turn)[batch.real]
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
    logits = transformer.logits(hidden)
    assert logits.shape == (len(hidden), len(made.vocabulary))
    if made.head:
        expected = made.oracle.logits(*batch.arguments(), turn=turn)[batch.real]
        torch.testing.assert_close(logits, expected, atol=2e-5, rtol=1e-5)


def test_recognition(name: str, made: Checkpoint) -> None:
    """By what is in the files, which also say which segments are the source's and the target's."""
    opened = read(made.directory)
    assert opened.family.name == expected_family(name)
    options = opened.options()
    assert (options["source_type_id"], options["target_type_id"]) == made.segments


def test_names_of_directories_do_not_matter(tmp_path: Path) -> None:
    assert read(unilm(tmp_path / "roberta-base").directory).family.name == "unilm"


def test_dialogue_turns(tmp_path: Path) -> None:
    """A source of one utterance is turn 1, its answer turn 0 (003)."""
    opened = read(ernie_gen(tmp_path, dialogue=True).directory)
    assert opened.options()["source_turn_id"] == 1


RATE = 0.3
DROPPING = ("bert", "roberta", "electra generator", "unilmv2", "ernie-gen", "ernie-gen, dialogue", "ernie")


def set_dropout(model: nn.Module, *, attention: float, elsewhere: float) -> nn.Module:
    """A published model in training mode with these rates."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = attention if name.endswith("attention.self.dropout") else elsewhere
    return model.train()


class TestDropout:
    """Our Transformer drops out where the published model does."""

    @pytest.fixture(params=DROPPING)
    def name(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def places(self, made: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dict[str, int]]:
        """Makes dropout a function of how many there have been, and of the one place that is left out."""
        state, real = {"count": 0, "without": -1}, random_batch(made).real

        def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
            if not (training and p):
                return x
            state["count"] += 1
            if state["count"] - 1 == state["without"]:
                return x
            generator = torch.Generator().manual_seed(state["count"])
            keep = torch.rand(real.shape + x.shape[-1:], generator=generator) >= p  # ours has no padding to drop
            return x * (keep if x.dim() == keep.dim() else keep[real]) / (1 - p)

        monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
        monkeypatch.setattr("s2sft_fairseq.models.layers.dropout.dropout", dropout)
        yield state

    @torch.no_grad()
    def test_hidden_states(self, made: Checkpoint, places: Dict[str, int]) -> None:
        """With the same elements dropped out place by place, and with any of the places left out."""
        transformer = load(made, dropout=RATE, attention_dropout=0.0).train()
        set_dropout(made.oracle.model, attention=0.0, elsewhere=RATE)
        batch, turn = random_batch(made), random_batch(made).slots.turn
        different = []
        for without in range(-1, 1 + 2 * len(transformer.layers)):
            places.update(count=0, without=without)
            found = batch.of(transformer)[batch.real]
            assert places["count"] == 1 + 2 * len(transformer.layers)
            places.update(count=0)
            expected = made.oracle.hidden(*batch.arguments(), turn=turn)[batch.real]
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
            different.append(found)
        assert min((one - other).abs().max() for one in different for other in different if one is not other) > 0.1

    @torch.no_grad()
    def test_attention_probabilities(self, made: Checkpoint) -> None:
        """Over many draws the outputs have the same means and deviations."""
        transformer = load(made, dropout=0.0, attention_dropout=RATE).train()
        set_dropout(made.oracle.model, attention=RATE, elsewhere=0.0)
        one, draws = random_batch(made, count=1), 2000
        many = Batch(Slots(*(field.expand(draws, -1) for field in one.slots)), one.real.expand(draws, -1))
        torch.manual_seed(0)
        found = many.of(transformer)[:, one.real[0]]
        expected = made.oracle.hidden(*many.arguments(), turn=many.slots.turn)[:, one.real[0]]
        deviation = expected.std(0)
        assert deviation.mean() > 0.05
        assert float(found.std(0).mean()) == pytest.approx(float(deviation.mean()), rel=0.02)
        z = (found.mean(0) - expected.mean(0)) / (deviation * (2 / draws) ** 0.5)
        assert z.pow(2).mean() < 2
        assert not transformer.eval().training and many.of(transformer).std(0).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("ErnieForMaskedLM", dict(use_task_id=True)),
        ("BertForMaskedLM", dict(tie_word_embeddings=False)),
        ("RobertaForMaskedLM", dict(tie_word_embeddings=False, pad_token_id=1)),
    ],
)
def test_what_is_not_computed_is_refused(tmp_path: Path, kind: str, changes: Dict[str, Any]) -> None:
    """Rather than predicted otherwise in silence."""
    published(kind, BERT_VOCABULARY, **changes).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=next(iter(changes))):
        read(tmp_path)


def test_norms_before_the_layers_are_refused(tmp_path: Path) -> None:
    fairseq_roberta(tmp_path)
    checkpoint = torch.load(tmp_path / "model.pt", weights_only=False)
    checkpoint["model"]["encoder.sentence_encoder.layer_norm.weight"] = torch.ones(24)
    torch.save(checkpoint, tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"not supported: encoder\.sentence_encoder\.layer_norm\.weight"):
        read(tmp_path)
