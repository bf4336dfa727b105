"""What export_pretrained writes is the model: read again, and by transformers."""

import json
from pathlib import Path
from typing import Any, Dict, Mapping

import pytest
import safetensors.torch
import torch
from commands import mistake, run, train_command, weights, write_lines
from methods import METHODS
from oracles import Checkpoint
from tiny_checkpoints import FORMATS, bert, roberta
from torch import Tensor
from transformers import AutoModelForMaskedLM, AutoTokenizer

from s2sft_fairseq import export_pretrained, import_pretrained
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training.finetuning_task import S2SFTTask

FAMILIES = (
    "bert",
    "electra generator",
    "ernie",
    "roberta",
    "xlm-roberta",
    "fairseq roberta",
    "unilm",
    "unilmv2",
    "ernie-gen",
)
OTHER_FORMATS = sorted(set(FORMATS) - set(FAMILIES))
EVERY_FORMAT = [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_FORMATS)]
EXPORT = ["python", "-m", "s2sft_fairseq.export_pretrained"]
NOT_SHAPING = ("pretrained", "position_rows")
"""The directory differs, of course; the position table was grown for the longest pair when it was read first."""


def imported(source: Path, destination: Path, *more: str) -> Dict[str, Any]:
    """The checkpoint that import_pretrained makes of a directory."""
    import_pretrained.main(["--from", str(source), "--to", str(destination), *more])
    return torch.load(destination / "model.pt", weights_only=False)


def exported(checkpoint: Path, destination: Path, *more: str) -> Path:
    """The directory that export_pretrained makes of a checkpoint."""
    export_pretrained.main(["--checkpoint", str(checkpoint), "--to", str(destination), *more])
    return destination


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """The same tensors, bit for bit."""
    assert set(one) == set(other)
    assert [name for name in one if not one[name].equal(other[name])] == []


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_import_export_import(tmp_path: Path, name: str) -> None:
    made = FORMATS[name](tmp_path / "published")
    first = imported(made.directory, tmp_path / "first")
    again = imported(exported(tmp_path / "first" / "model.pt", tmp_path / "exported"), tmp_path / "again")
    assert_equal(first["model"], again["model"])
    before, after = first["cfg"]["model"], again["cfg"]["model"]
    assert {key: after[key] for key in after if key not in NOT_SHAPING} == {
        key: before[key] for key in before if key not in NOT_SHAPING
    }
    assert (tmp_path / "again" / "dict.txt").read_text() == (tmp_path / "first" / "dict.txt").read_text()


@pytest.mark.parametrize("name", [name for name in EVERY_FORMAT if "unilmv2" not in str(name)])
def test_transformers_opens_it(tmp_path: Path, name: str) -> None:
    """With every tensor in its place, and predicting what the published model did."""
    made = FORMATS[name](tmp_path / "published")
    imported(made.directory, tmp_path / "imported")
    folder = exported(tmp_path / "imported" / "model.pt", tmp_path / "exported")
    theirs, report = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert set(report["unexpected_keys"]) <= {"ernie.embeddings.turn_embeddings.weight"}
    if made.head:
        tokens = torch.tensor(made.words()[:12]).view(2, 6)
        original = made.oracle.model(input_ids=tokens)
        expected = original.logits if hasattr(original, "logits") else original.prediction_logits
        torch.testing.assert_close(theirs.eval()(input_ids=tokens).logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_of_infilling_serves_every_method(tmp_path: Path, method: str) -> None:
    """Its [ATTN] keeps what it has learnt, though the data are binarized without it, in training and generation."""
    made = bert(tmp_path / "published")
    state = imported(made.directory, tmp_path / "first", "--finetune-method", "infilling")
    state["model"]["transformer.embeddings.token.weight"][-1] = torch.arange(24.0)
    torch.save(state, tmp_path / "first" / "model.pt")
    folder = exported(tmp_path / "first" / "model.pt", tmp_path / "exported")
    args = import_pretrained.arguments(["--from", str(folder), "--to", "", "--finetune-method", method])
    cfg = import_pretrained.fairseq_config(args)
    model = S2SFTTask(cfg.task, PretrainedDictionary(made.vocabulary)).build_model(cfg.model)
    assert model.transformer.embeddings.token.weight[-1].tolist() == list(range(24))
    task = S2SFTTask(cfg.task, PretrainedDictionary(made.vocabulary))
    task.build_model(cfg.model, from_checkpoint=True).load_state_dict(model.state_dict())
    assert task.dictionary.symbols == [*made.vocabulary, "[ATTN]"]


def published_tensors(made: Checkpoint) -> Dict[str, Tensor]:
    """What stands in the file of weights."""
    return safetensors.torch.load_file(made.directory / "model.safetensors")


@pytest.mark.parametrize("make", [bert, roberta])
def test_the_file_is_the_published_one(tmp_path: Path, make: Any) -> None:
    """Names, shapes and numbers; only RoBERTa's two position rows that belong to no position are zeros."""
    made = make(tmp_path / "published")
    lengths = ("--max-source-positions", "32", "--max-target-positions", "16")
    imported(made.directory, tmp_path / "imported", *lengths)
    folder = exported(tmp_path / "imported" / "model.pt", tmp_path / "exported")
    expected, found = published_tensors(made), safetensors.torch.load_file(folder / "model.safetensors")
    for name in expected:
        if made.oracle.offset and "position_embeddings" in name:
            expected[name][: made.oracle.offset] = 0
    assert_equal(expected, found)


def test_config_is_read_back(tmp_path: Path) -> None:
    """Sizes that config.json must say are those of the published one."""
    made = FORMATS["unilm"](tmp_path / "published")
    imported(made.directory, tmp_path / "imported")
    config = json.loads((exported(tmp_path / "imported" / "model.pt", tmp_path / "out") / "config.json").read_text())
    published = json.loads(next(made.directory.glob("*config.json")).read_text())
    for key in ("num_hidden_layers", "num_attention_heads", "intermediate_size", "layer_norm_eps", "type_vocab_size"):
        assert config[key] == published[key], key
    assert (config["source_type_id"], config["target_type_id"]) == (4, 5)


def test_added_tokens_are_exported(tmp_path: Path) -> None:
    """Their rows and their names, in a form that transformers reads too."""
    made = bert(tmp_path / "published")
    extra = write_lines(tmp_path / "extra.txt", ["[X_SEP]", "quux"])
    first = imported(made.directory, tmp_path / "imported", "--vocab-add", str(extra))
    table = first["model"]["transformer.embeddings.token.weight"]
    mean = published_tensors(made)["bert.embeddings.word_embeddings.weight"].mean(0)
    torch.testing.assert_close(table[-2:], mean.expand(2, -1))
    folder = exported(tmp_path / "imported" / "model.pt", tmp_path / "exported")
    assert PretrainedDictionary.load(folder).symbols == [*made.vocabulary, "[X_SEP]", "quux"]
    assert AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(["[X_SEP]", "quux"]) == [46, 47]
    again = imported(folder, tmp_path / "again")
    assert_equal(first["model"], again["model"])


@pytest.mark.parametrize("files", ["tokenizer.json alone", "all files"])
def test_added_tokens_where_transformers_saved_the_tokenizer(tmp_path: Path, files: str) -> None:
    made = bert(tmp_path / "published")
    AutoTokenizer.from_pretrained(made.directory).save_pretrained(made.directory)
    if files != "all files":
        (made.directory / "vocab.txt").unlink()
    extra = write_lines(tmp_path / "extra.txt", ["[X_SEP]", "quux"])
    imported(made.directory, tmp_path / "imported", "--vocab-add", str(extra))
    folder = exported(tmp_path / "imported" / "model.pt", tmp_path / "exported")
    assert PretrainedDictionary.load(folder).symbols == [*made.vocabulary, "[X_SEP]", "quux"]
    assert AutoTokenizer.from_pretrained(folder).encode("[X_SEP] w1 quux", add_special_tokens=False) == [46, 7, 47]


def test_bert_with_turns_goes_out_as_ernie(tmp_path: Path) -> None:
    made = bert(tmp_path / "published")
    first = imported(made.directory, tmp_path / "first", "--turn-rows", "16", "--source-layout", "dialogue")
    folder = exported(tmp_path / "first" / "model.pt", tmp_path / "exported")
    again = imported(folder, tmp_path / "again")
    assert again["cfg"]["model"]["pretrained_type"] == "ernie"
    assert first["model"]["transformer.embeddings.turn.weight"].shape == (16, 24)
    assert_equal(first["model"], again["model"])


def test_other_families_have_no_place_for_turns(tmp_path: Path) -> None:
    made = roberta(tmp_path / "published")
    imported(made.directory, tmp_path / "imported", "--turn-rows", "16")
    with pytest.raises(UserError, match="a roberta model cannot have dialogue turns"):
        exported(tmp_path / "imported" / "model.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    made = bert(tmp_path / "published")
    imported(made.directory, tmp_path / "imported")
    other = bert(tmp_path / "other").directory
    write_lines(other / "vocab.txt", [*made.vocabulary[:-1], "other"])
    with pytest.raises(UserError, match=r"other holds the vocabulary .* name the right directory with --vocab"):
        exported(tmp_path / "imported" / "model.pt", tmp_path / "out", "--vocab", str(other))
    assert not (tmp_path / "out").exists()


def test_no_vocabulary(tmp_path: Path) -> None:
    made = bert(tmp_path / "published")
    imported(made.directory, tmp_path / "imported")
    alone = tmp_path / "alone" / "model.pt"
    alone.parent.mkdir()
    (tmp_path / "imported" / "model.pt").rename(alone)
    for file in made.directory.glob("vocab*"):
        file.unlink()
    with pytest.raises(UserError, match=r"no vocabulary files in .* name their directory with --vocab"):
        exported(alone, tmp_path / "out")


@pytest.mark.slow
def test_a_fine_tuned_model_goes_out(bert: Path, data: Path, tmp_path: Path) -> None:
    """By the literal commands; what was trained is what transformers reads."""
    run(train_command(data, tmp_path / "save", pretrained=bert, max_update=2))
    checkpoint = tmp_path / "save" / "checkpoint_last.pt"
    run([*EXPORT, "--checkpoint", checkpoint, "--to", tmp_path / "out"])
    theirs = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    trained = weights(checkpoint)["transformer.layers.1.ffn_in.weight"]
    assert theirs.state_dict()["bert.encoder.layer.1.intermediate.dense.weight"].equal(trained)
    absent = [*EXPORT, "--checkpoint", tmp_path / "absent.pt", "--to", tmp_path / "out"]
    assert "no file" in mistake(absent, fork=False)


def test_other_families_have_no_place_for_relative_positions(tmp_path: Path) -> None:
    """A BERT with them goes out as UniLMv2 (tests/training/test_pretraining_commands.py)."""
    options = {"relative_buckets": 32, "turn_rows": 0, "pretrained_type": "bert"}
    assert export_pretrained.family_of(options, []).name == "unilmv2"
    with pytest.raises(UserError, match="a roberta model cannot have relative positions"):
        export_pretrained.family_of({**options, "pretrained_type": "roberta"}, [])
