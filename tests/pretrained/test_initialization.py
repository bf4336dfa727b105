"""Tables that grow or are cut when a model is filled, what is told about it, and how much memory it takes."""

import dataclasses
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Collection, List, Sequence, Set

import pytest
import torch
from builders import random_model
from commands import write_lines
from hypothesis import given, settings
from hypothesis.strategies import sampled_from, sets
from oracles import Checkpoint
from tiny_checkpoints import BERT_VOCABULARY, FORMATS, bert, ernie_gen, roberta
from torch.nn.functional import layer_norm

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.layers.parameter_names import HEAD
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.pretrained.checkpoint import Pretrained, read
from s2sft_fairseq.pretrained.initialization import (
    LINEAR_GELU,
    CopiedRow,
    copied_rows,
    copy_segments,
    initialize_from_pretrained,
)
from s2sft_fairseq.pretrained.vocabulary_match import check_vocabulary, tokens_beyond
from s2sft_fairseq.text.dictionary import PretrainedDictionary


def filled(made: Checkpoint, *, rows: int, copies: Sequence[CopiedRow] = (), **options: Any) -> Transformer:
    """The Transformer of a checkpoint, with so many token rows."""
    return initialized(read(made.directory), rows=rows, copies=copies, **options)


def initialized(opened: Pretrained, *, rows: int, copies: Sequence[CopiedRow] = (), **options: Any) -> Transformer:
    """The Transformer of an opened checkpoint."""
    cfg = ModelOptions(max_source_positions=24, max_target_positions=24, **options)
    cfg = complete(cfg, opened.options())
    with torch.device("meta"):
        transformer = Transformer(transformer_shape(cfg, rows))
    initialize_from_pretrained(transformer, opened, copies)
    return transformer


def without(opened: Pretrained, names: Collection[str]) -> Pretrained:
    """The opened checkpoint as if its weights lacked tensors of ours."""
    entries = [entry for entry in opened.entries if not set(entry.ours) & set(names)]
    shapes = {name: shape for name, shape in opened.shapes.items() if name not in names}
    return dataclasses.replace(opened, entries=entries, shapes=shapes)


def test_tables_grow_by_the_mean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = bert(tmp_path)
    theirs = made.oracle.model.bert.embeddings
    rows = len(made.vocabulary)
    with caplog.at_level(logging.INFO):
        ours = filled(made, rows=rows + 3)
    for table, expected in (
        (ours.embeddings.token.weight, theirs.word_embeddings.weight),
        (ours.lm_head.bias, made.oracle.model.cls.predictions.bias),
    ):
        assert table[: len(expected)].equal(expected)
        mean = expected.mean(0).expand_as(table[len(expected) :])
        torch.testing.assert_close(table[len(expected) :], mean)
    assert re.search(rf"embeddings.token.weight +grown from {rows} to {rows + 3} rows by the mean", caplog.text)


@pytest.mark.parametrize("rows", range(2, 9))
def test_segments_grow_by_copies(tmp_path: Path, caplog: pytest.LogCaptureFixture, rows: int) -> None:
    """As UniLM's published code grows BERT's two rows: 2, 3 and 4 copy the first, 5 and 6 the second."""
    made = bert(tmp_path)
    first, second = made.oracle.model.bert.embeddings.token_type_embeddings.weight
    with caplog.at_level(logging.INFO):
        table = filled(made, rows=len(made.vocabulary), type_vocab_size=rows).embeddings.segment
    assert table is not None
    assert not first.equal(second)
    assert table.weight.equal(torch.stack([first, second, first, first, first, second, second, second][:rows]))
    said = re.search(rf"embeddings.segment.weight +grown from 2 to {rows} rows by copies of its first two", caplog.text)
    assert bool(said) == (rows > 2)


def test_a_single_segment_is_copied() -> None:
    """RoBERTa has one; its published conversion drops it, but a layout may need several."""
    table = torch.randn(1, 3)
    assert copy_segments(table, 7).equal(table.expand(7, 3))


def test_segments_that_a_checkpoint_has_are_kept() -> None:
    table = torch.randn(4, 3)
    assert copy_segments(table, 7).equal(torch.cat([table, table[[0, 1, 1]]]))


@pytest.mark.parametrize("dialogue", [True, False])
def test_turns_grow(tmp_path: Path, caplog: pytest.LogCaptureFixture, dialogue: bool) -> None:
    """Those that a checkpoint has by their mean; one that has none predicts as it did before it is trained."""
    made = ernie_gen(tmp_path, dialogue=dialogue)
    with caplog.at_level(logging.INFO):
        table = filled(made, rows=len(made.vocabulary), turn_rows=20).embeddings.turn
    assert table is not None and table.weight.shape == (20, 24) and table.weight.requires_grad
    if dialogue:
        assert table.weight[:16].equal(made.oracle.turns)
        torch.testing.assert_close(table.weight[16:], made.oracle.turns.mean(0).expand(4, -1))
    else:
        assert not table.weight.any()
    assert ("20 rows of zeros" in caplog.text) != dialogue and "initialized afresh" not in caplog.text


def test_fewer_turns_than_the_checkpoint_has(tmp_path: Path) -> None:
    made = ernie_gen(tmp_path, dialogue=True)
    with pytest.raises(UserError, match=r"embeddings.turn.weight has shape \(16, 24\)"):
        filled(made, rows=len(made.vocabulary), turn_rows=8)


@pytest.mark.parametrize("grown", [True, False], ids=["grown", "a row of no token"])
def test_attn_begins_as_a_copy_of_the_mask(tmp_path: Path, caplog: pytest.LogCaptureFixture, grown: bool) -> None:
    """003 names the artificial symbol [ATTN], which BERT lacks; also where the checkpoint has a row to spare."""
    made = bert(tmp_path)
    dictionary = PretrainedDictionary(made.vocabulary if grown else made.vocabulary[:-1])
    dictionary.grow(["[ATTN]"])
    copies = copied_rows(["[ATTN]"], OBJECTIVES["infilling"].copied_from, dictionary)
    with caplog.at_level(logging.INFO):
        ours = filled(made, rows=len(dictionary), copies=copies)
    for table in (ours.embeddings.token.weight, ours.lm_head.bias):
        assert table[dictionary.index("[ATTN]")].equal(table[dictionary.mask()])
    theirs = made.oracle.model.bert.embeddings.word_embeddings.weight
    assert ours.embeddings.token.weight[:-1].equal(theirs[: len(dictionary) - 1])
    row = len(dictionary) - 1
    assert re.search(rf"\[ATTN\] +row {row}, a copy of row {dictionary.mask()}, \[MASK\]", caplog.text)


def test_rows_of_no_token_are_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = bert(tmp_path)
    rows = len(made.vocabulary)
    with caplog.at_level(logging.INFO):
        ours = filled(made, rows=rows - 2)
    assert ours.embeddings.token.weight.equal(made.oracle.model.bert.embeddings.word_embeddings.weight[:-2])
    assert re.search(rf"embeddings.token.weight +cut from {rows} to {rows - 2} rows", caplog.text)


@pytest.fixture(scope="module")
def with_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published encoder that has a head."""
    return bert(tmp_path_factory.mktemp("with head")).directory


@settings(max_examples=20)
@given(missing=sets(sampled_from(HEAD)))
def test_any_part_of_the_head_may_be_missing(with_head: Path, missing: Set[str]) -> None:
    """What is there is loaded; what is not begins as if the head passed the hidden states on to the token table."""
    opened, expected = read(with_head), dict(read(with_head).tensors())
    ours = initialized(without(opened, missing), rows=opened.rows()).lm_head.state_dict()
    bias = torch.full((24,), LINEAR_GELU if "lm_head.dense.weight" in missing else 0.0)
    start = {"dense.weight": torch.eye(24), "dense.bias": bias, "norm.weight": torch.ones(24)}
    for name, tensor in ours.items():
        whole = f"lm_head.{name}"
        fresh = start.get(name, torch.zeros(tensor.shape))
        assert tensor.equal(fresh if whole in missing else expected[whole]), name


@pytest.mark.parametrize("name", FORMATS)
def test_only_a_missing_head_begins_as_the_identity(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A published one is kept; one that narrows the hidden states to the token table is drawn."""
    made = FORMATS[name](tmp_path)
    with caplog.at_level(logging.INFO):
        weight = filled(made, rows=len(made.vocabulary)).lm_head.dense.weight
    square = weight.size(0) == weight.size(1)
    is_identity = torch.equal(weight, torch.eye(*weight.shape))
    assert is_identity == (square and not made.head)
    assert ("lm_head.dense.weight         the identity" in caplog.text) == is_identity
    assert weight.std() > 0.01


def test_a_missing_head_passes_on_hidden_states(tmp_path: Path) -> None:
    """At first it is LayerNorm, but for what GELU bends: nothing to speak of near 0, where LayerNorm's outputs are."""
    made = FORMATS["bert, headless"](tmp_path)
    head = filled(made, rows=len(made.vocabulary)).lm_head
    hidden = torch.randn(50, 24, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    torch.testing.assert_close(head(hidden), layer_norm(hidden, (24,)), atol=0.15, rtol=0)


def test_no_segments_when_asked(tmp_path: Path) -> None:
    """As the published conversion drops RoBERTa's one row."""
    assert filled(roberta(tmp_path / "kept"), rows=45).embeddings.segment is not None
    assert filled(roberta(tmp_path / "dropped"), rows=45, type_vocab_size=0).embeddings.segment is None


def test_parameters_own_their_memory_and_learn(tmp_path: Path) -> None:
    """No parameter is a view of a larger tensor, or of one that another parameter shares."""
    from tiny_checkpoints import unilmv2

    ours = filled(unilmv2(tmp_path), rows=46)
    storages = [parameter.untyped_storage() for parameter in ours.parameters()]
    assert len({storage.data_ptr() for storage in storages}) == len(storages)
    for parameter, storage in zip(ours.parameters(), storages):
        assert storage.nbytes() == parameter.nbytes
        assert parameter.requires_grad


def test_a_segment_that_no_row_has(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--target-type-id is 2; expected 0 to 1, the rows of the segment table"):
        filled(bert(tmp_path), rows=46, target_type_id=2)


class TestVocabulary:
    """The data's vocabulary against the checkpoint's."""

    def opened(self, tmp_path: Path) -> Pretrained:
        return read(bert(tmp_path).directory)

    def check(self, opened: Pretrained, tokens: List[str], add: Any = None, extra: Sequence[str] = ()) -> List[str]:
        return check_vocabulary(opened, PretrainedDictionary(tokens), add and str(add), extra)

    def test_data_with_and_without_the_tokens_of_a_method(self, tmp_path: Path) -> None:
        """Binarized with the pretrained vocabulary, or with the dict.txt that import_pretrained wrote."""
        opened = self.opened(tmp_path)
        own = opened.vocabulary
        for tokens in (own, [*own, "[ATTN]"]):
            assert self.check(opened, tokens, extra=["[ATTN]"]) == ["[ATTN]"]
        with pytest.raises(UserError, match="another vocabulary"):
            self.check(opened, [*own, "[ATTN]"])

    def test_tokens_that_the_checkpoint_has_behind_the_data(self, tmp_path: Path) -> None:
        """Those that no text leads to: data that were binarized without them are as good."""
        directory = self.opened(tmp_path).directory
        for behind, kept in ((["[ATTN]"], ["[ATTN]"]), (["[ATTN]", "[NOISE]"], ["[ATTN]", "[NOISE]"]), (["more"], [])):
            write_lines(tmp_path / "vocab.txt", [*BERT_VOCABULARY, *behind])
            opened = read(directory)
            assert tokens_beyond(opened, PretrainedDictionary(BERT_VOCABULARY)) == kept
            assert tokens_beyond(opened, PretrainedDictionary([*BERT_VOCABULARY[:-1], "x"])) == []

    def test_its_own(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        self.check(opened, opened.vocabulary)

    def test_one_token_differs(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        tokens = opened.vocabulary
        with pytest.raises(UserError, match=r"row 7 is 'other', not 'w1'; binarize them with --srcdict"):
            self.check(opened, [*tokens[:7], "other", *tokens[8:]])

    def test_more_tokens(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        with pytest.raises(UserError, match=r"47 tokens, not 46; .* --vocab-add"):
            self.check(opened, [*opened.vocabulary, "other"])

    def test_added_tokens(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        extra = tmp_path / "extra.txt"
        extra.write_text("[X_SEP]\n")
        self.check(opened, [*opened.vocabulary, "[X_SEP]"], extra)
        with pytest.raises(UserError, match=r"row 46 is 'other', not '\[X_SEP\]'"):
            self.check(opened, [*opened.vocabulary, "other"], extra)
        with pytest.raises(UserError, match=r"46 tokens, not 47"):
            self.check(opened, opened.vocabulary, extra)

    def test_more_tokens_than_rows(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        with open(tmp_path / "vocab.txt", "a", encoding="utf-8") as file:
            file.write("other\n")
        with pytest.raises(UserError, match=r"a vocabulary of 47 tokens but 46 rows of weights"):
            self.check(opened, opened.vocabulary)

    def test_no_vocabulary_in_the_directory(self, tmp_path: Path) -> None:
        opened = self.opened(tmp_path)
        tokens = opened.vocabulary
        (tmp_path / "vocab.txt").unlink()
        self.check(opened, tokens)
        with pytest.raises(UserError, match=r"47 tokens, not 46"):
            self.check(opened, [*tokens, "other"])


def test_weights_of_another_size() -> None:
    """Such as --finetune-from-model with the checkpoint of a method that has a token more."""
    model = random_model("causal", dtype=torch.float32)
    state = model.state_dict()
    name = "transformer.embeddings.token.weight"
    rows, width = state[name].shape
    with pytest.raises(
        UserError, match=rf"checkpoint's {name} is \({rows + 1}, {width}\), the model's \({rows}, {width}\)"
    ):
        model.load_state_dict({**state, name: torch.zeros(rows + 1, width)})


def test_weights_of_another_kind_of_model() -> None:
    """Such as a resumed run without the --turn-rows of the first one."""
    with_turns, without = (random_model("causal", dtype=torch.float32, turn_rows=rows) for rows in (4, 0))
    with pytest.raises(UserError, match=r"the checkpoint has transformer.embeddings.turn.weight, the model does not"):
        without.load_state_dict(with_turns.state_dict())
    with pytest.raises(UserError, match=r"the model has transformer.embeddings.turn.weight, the checkpoint does not"):
        with_turns.load_state_dict(without.state_dict())


PEAK = """
import json, sys
import torch
from pathlib import Path
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.pretrained.checkpoint import read
from s2sft_fairseq.pretrained.initialization import initialize_from_pretrained

def peak():
    return 1024 * int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])

before = peak()
opened, cfg = read(Path(sys.argv[1])), ModelOptions()
cfg = complete(cfg, opened.options())
with torch.device("meta"):
    transformer = Transformer(transformer_shape(cfg, opened.rows()))
initialize_from_pretrained(transformer, opened)
print(json.dumps([peak() - before, sum(p.nbytes for p in transformer.parameters())]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("legacy", [False, True], ids=["safetensors", "plain pickle"])
def test_a_large_table_takes_its_size_and_little_more(tmp_path: Path, legacy: bool) -> None:
    """A multilingual vocabulary: the peak while reading is below 1.3 times the model."""
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    sizes = dict(hidden_size=128, num_hidden_layers=1, num_attention_heads=2, intermediate_size=128)
    config = XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, **sizes)
    model = XLMRobertaForMaskedLM(config)
    if legacy:
        config.save_pretrained(tmp_path)
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    else:
        model.save_pretrained(tmp_path)
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True)
    peak, size = json.loads(done.stdout.splitlines()[-1])
    assert size > 250_000 * 128 * 4
    assert peak < 1.3 * size
