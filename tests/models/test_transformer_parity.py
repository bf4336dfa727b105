"""The Transformer with published weights predicts what the published model predicts; bad files are told."""

import json
import logging
import os
import pickle
import re
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import safetensors.torch
import torch
from builders import PAD, VOCABULARY, objective, random_pairs, randomize
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertModel, PreTrainedModel

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.objectives.slots import lay_out, source_slots
from s2sft_fairseq.objectives.source_layouts import Segments
from s2sft_fairseq.pretrained.checkpoint import read
from s2sft_fairseq.pretrained.initialization import initialize_from_pretrained, tile_rows

State = Dict[str, Tensor]


def published_config(**changes: Any) -> BertConfig:
    """Uneven sizes, so that no transposed or swapped tensor fits."""
    sizes = dict(
        vocab_size=len(VOCABULARY),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=48,
        type_vocab_size=3,
        layer_norm_eps=1e-3,
        pad_token_id=PAD,
    )
    return BertConfig(**{**sizes, **changes})


def published(kind: Callable[[BertConfig], PreTrainedModel] = BertForMaskedLM, **changes: Any) -> PreTrainedModel:
    """A model of the published code with random weights."""
    model = kind(published_config(**changes)).eval()
    randomize(model)
    return model


def saved_as_bin(model: PreTrainedModel, directory: Path, state: State) -> Path:
    """The older format: config.json and a pickled state dict."""
    directory.mkdir(exist_ok=True)
    model.config.save_pretrained(directory)
    torch.save(state, directory / "pytorch_model.bin")
    return directory


def old_names(state: State) -> State:
    """As BERT's first PyTorch port spelled them."""
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    pattern = re.compile("|".join(map(re.escape, old)))
    return {pattern.sub(lambda match: old[match[0]], name): tensor for name, tensor in state.items()}


def load(directory: Path, *, positions: int = 48) -> S2SFTModel:
    """Our model with the weights of a directory."""
    cfg = ModelOptions(max_source_positions=positions - 16, max_target_positions=16)
    opened = read(directory)
    cfg = complete(cfg, opened.options())
    with torch.device("meta"):
        transformer = Transformer(transformer_shape(cfg, len(VOCABULARY)))
    initialize_from_pretrained(transformer, opened)
    return S2SFTModel(cfg, transformer, objective("pseudo_masked").layout).eval()


def batch(count: int = 5) -> Tensor:
    """Ragged token rows [B, S]."""
    pairs = random_pairs(objective("masked").layout, count=count, seed=2, longest=20)
    return torch.nn.utils.rnn.pad_sequence([p.source for p in pairs], batch_first=True, padding_value=PAD)


@torch.no_grad()
def assert_parity(ours: S2SFTModel, theirs: PreTrainedModel, *, segment: int = 0, head: bool = True) -> None:
    """The same hidden states and logits of every real token."""
    tokens = batch()
    real = tokens.ne(PAD)
    assert not real.all()
    layout = ours.layout._replace(segments=Segments(segment, 1))
    hidden = ours.hidden(source_slots(tokens, layout), tokens.size(1))
    bert = getattr(theirs, "bert", theirs)
    arguments = dict(input_ids=tokens, attention_mask=real.long(), token_type_ids=torch.full_like(tokens, segment))
    expected = bert(**arguments).last_hidden_state
    torch.testing.assert_close(hidden[real], expected[real], atol=1e-5, rtol=0)
    if head:
        output = theirs(**arguments)
        logits = getattr(output, "logits", getattr(output, "prediction_logits", None))
        torch.testing.assert_close(ours.transformer.logits(hidden[real]), logits[real], atol=2e-5, rtol=1e-5)


class TestFormats:
    """Every way in which BERTs are published."""

    @pytest.mark.parametrize("segment", [0, 1, 2])
    def test_safetensors(self, tmp_path: Path, segment: int) -> None:
        theirs = published()
        theirs.save_pretrained(tmp_path)
        assert (tmp_path / "model.safetensors").is_file()
        assert_parity(load(tmp_path), theirs, segment=segment)

    def test_pickled(self, tmp_path: Path) -> None:
        theirs = published()
        assert_parity(load(saved_as_bin(theirs, tmp_path, theirs.state_dict())), theirs)

    def test_gamma_and_beta(self, tmp_path: Path) -> None:
        theirs = published()
        state = old_names(theirs.state_dict())
        assert "bert.embeddings.LayerNorm.gamma" in state
        assert_parity(load(saved_as_bin(theirs, tmp_path, state)), theirs)

    def test_without_prefix_and_head(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        theirs = published(BertModel)
        theirs.save_pretrained(tmp_path)
        with caplog.at_level(logging.INFO):
            assert_parity(load(tmp_path), theirs, head=False)
        assert re.search("initialized afresh +lm_head.bias, lm_head.dense.weight", caplog.text)
        assert re.search("left out +pooler.dense.bias, pooler.dense.weight", caplog.text)

    def test_with_heads_of_other_tasks(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        theirs = published(BertForPreTraining)
        theirs.save_pretrained(tmp_path)
        with caplog.at_level(logging.INFO):
            assert_parity(load(tmp_path), theirs)
        for name in ("bert.pooler.dense.weight", "cls.seq_relationship.bias"):
            assert name in caplog.text.split("left out ")[1]
        assert "afresh" not in caplog.text

    def test_half_precision_file(self, tmp_path: Path) -> None:
        """The weights that it holds, in ours."""
        theirs = published().half()
        theirs.save_pretrained(tmp_path)
        ours = load(tmp_path)
        assert ours.transformer.dtype is torch.float32
        assert_parity(ours, theirs.float())

    def test_tied_tensors_are_not_left_out(self, tmp_path: Path) -> None:
        """The word embeddings that a file repeats as the head's last layer are no tensor of their own."""
        theirs = published()
        assert "cls.predictions.decoder.weight" in theirs.state_dict()
        assert not read(saved_as_bin(theirs, tmp_path, theirs.state_dict())).left_out


class TestPositions:
    """``reuse_position_embedding`` of 000: rows over and over."""

    def test_tiling(self) -> None:
        table = torch.arange(3.0).unsqueeze(1)
        assert tile_rows(table, 8).flatten().tolist() == [0, 1, 2, 0, 1, 2, 0, 1]

    def test_more_rows(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        theirs = published()
        theirs.save_pretrained(tmp_path)
        with caplog.at_level(logging.INFO):
            ours = load(tmp_path, positions=100)
        table = theirs.bert.embeddings.position_embeddings.weight
        rows = ours.transformer.embeddings.position.weight
        assert rows.equal(torch.cat([table, table, table])[:100])
        assert re.search("embeddings.position.weight +grown from 48 to 100 rows by tiling", caplog.text)
        assert_parity(ours, theirs)


@torch.no_grad()
def test_pseudo_masks_are_bert_under_the_papers_mask(tmp_path: Path) -> None:
    """The published code itself, given the packed tokens, positions and mask, predicts what ours does."""
    theirs = published(type_vocab_size=2, attn_implementation="eager")
    theirs.save_pretrained(tmp_path)
    ours = load(tmp_path)
    source = torch.tensor([[VOCABULARY.index(t) for t in ["[CLS]", "w1", "w2", "w3", "[SEP]"]]])
    target = torch.tensor([[VOCABULARY.index(t) for t in ["w4", "w5", "w6", "[SEP]"]]])
    packed = lay_out(source, target, ours.layout).packed()
    s, t = source.size(1), target.size(1)
    mask = torch.zeros(s + 2 * t, s + 2 * t, dtype=torch.bool)
    mask[:, :s] = True
    mask[s : s + t, s : s + t] = torch.ones(t, t).tril().bool()
    mask[s + t :, s : s + t] = torch.ones(t, t).tril(-1).bool()
    mask[s + t :, s + t :] = torch.eye(t).bool()
    logits = theirs(
        input_ids=packed.token,
        position_ids=packed.position,
        token_type_ids=packed.segment,
        attention_mask=mask[None, None].float().log().clamp(min=torch.finfo(torch.float32).min),
    ).logits
    previous = torch.cat([target[:, -1:], target[:, :-1]], dim=1)
    torch.testing.assert_close(ours(source, None, previous)[0], logits[:, -t:], atol=2e-5, rtol=1e-5)


def edit_config(**changes: Any) -> Callable[[Path], None]:
    """Changes entries of config.json; None takes one out."""

    def edit(directory: Path) -> None:
        path = directory / "config.json"
        config = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))

    return edit


def edit_weights(change: Callable[[State], Any]) -> Callable[[Path], None]:
    """Rewrites the file of weights."""

    def edit(directory: Path) -> None:
        path = directory / "model.safetensors"
        state = safetensors.torch.load_file(path)
        change(state)
        path.unlink()
        torch.save(state, directory / "pytorch_model.bin")

    return edit


def cut_short(directory: Path) -> None:
    path = directory / "model.safetensors"
    os.truncate(path, path.stat().st_size // 2)


def replaced_by(content: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Puts another pytorch_model.bin in the place of the weights."""

    def replace(directory: Path) -> None:
        (directory / "model.safetensors").unlink()
        content(directory / "pytorch_model.bin")

    return replace


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


def without(prefix: str) -> Callable[[State], Any]:
    """Takes the tensors of a prefix out."""

    def change(state: State) -> None:
        for name in [name for name in state if name.startswith(prefix)]:
            del state[name]

    return change


WORDS = "bert.embeddings.word_embeddings.weight"
DAMAGES: Dict[str, Any] = {
    "no config": (
        lambda d: (d / "config.json").unlink(),
        ["no config.json gives the number of attention heads"],
    ),
    "broken config": (lambda d: (d / "config.json").write_text("{"), ["is not valid JSON"]),
    "a list": (lambda d: (d / "config.json").write_text("[]"), ["contains a JSON list; expected an object"]),
    "another family": (edit_config(model_type="roberta"), ["model_type 'roberta'", "expected one of: bert, electra"]),
    "another activation": (edit_config(hidden_act="relu"), ["hidden_act 'relu'", "expected 'gelu'"]),
    "relative positions": (
        edit_config(position_embedding_type="relative_key"),
        ["position_embedding_type 'relative_key'", "expected 'absolute'"],
    ),
    "no weights": (
        lambda d: (d / "model.safetensors").unlink(),
        ["has no weights", "expected model.safetensors"],
    ),
    "cut short": (cut_short, ["model.safetensors cannot be read as weights"]),
    "empty": (
        replaced_by(lambda path: path.write_bytes(b"")),
        ["pytorch_model.bin is empty"],
    ),
    "a text": (replaced_by(lambda path: path.write_text("weights")), ["is a text file"]),
    "a web page": (replaced_by(lambda path: path.write_text("<html></html>")), ["is a web page"]),
    "no tensors": (
        replaced_by(lambda path: torch.save({"a": 1}, path)),
        ["something other than named tensors"],
    ),
    "one tensor": (replaced_by(lambda path: torch.save(torch.ones(2), path)), ["other than named tensors"]),
    "no BERT": (edit_weights(without("bert.")), ["holds no bert model", "no word embeddings among its"]),
    "a layer too few": (edit_weights(without("bert.encoder.layer.2.")), ["lack layers.2.", "(16 in all)"]),
    "a layer too many": (
        edit_config(num_hidden_layers=2),
        ["the weights have layers.2.", "(16 in all)", "config.json has fewer layers"],
    ),
    "no query": (
        edit_weights(without("bert.encoder.layer.1.attention.self.query.bias")),
        ["the weights lack layers.1.attention.query.bias (1 in all)"],
    ),
    "wider": (edit_config(hidden_size=32), ["has shape", "24", "32", "belong together"]),
    "heads": (edit_config(num_attention_heads=5), ["hidden size 24 is not a multiple of 5 attention heads; expected"]),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A checkpoint directory in order."""
    published().save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_told(directory: Path, name: str) -> None:
    """What was found and what was expected, and where."""
    load(directory)
    damage, says = DAMAGES[name]
    damage(directory)
    with pytest.raises(UserError) as error:
        load(directory)
    found: List[str] = [words for words in says if words not in str(error.value)]
    assert not found, str(error.value)
    assert name == "heads" or str(directory) in str(error.value)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent is not a directory; expected a pretrained model"):
        load(tmp_path / "absent")


@pytest.mark.parametrize("legacy", [True, False], ids=["plain pickle", "torch.save"])
def test_nothing_in_a_file_is_executed(directory: Path, legacy: bool) -> None:
    proof = directory / "executed"

    def write(path: Path) -> None:
        if legacy:
            path.write_bytes(pickle.dumps(Malicious(proof), protocol=2))
        else:
            torch.save({WORDS: Malicious(proof)}, path)

    replaced_by(write)(directory)
    with pytest.raises(UserError, match=r"holds more than weights: its pickle asks for posix\.mkdir"):
        load(directory)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Malicious(proof)))
    assert proof.exists(), "the file was harmless, so this tells nothing"
