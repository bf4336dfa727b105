"""Weights with the prefixes, dictionaries and suffixes of training programs; a checkpoint of this package's own."""

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from commands import make_bert
from safetensors.torch import load_file, save_file

from s2sft_fairseq import import_pretrained
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.pretrained import checkpoint
from s2sft_fairseq.pretrained.families import recognise

State = Dict[str, torch.Tensor]


def published(directory: Path) -> State:
    """The tensors of a tiny BERT, whose file is removed."""
    path = make_bert(directory) / "model.safetensors"
    state = load_file(path)
    path.unlink()
    return state


def prefixed(prefix: str) -> Callable[[State], State]:
    """Puts a prefix before all names."""
    return lambda state: {prefix + name: tensor for name, tensor in state.items()}


def compiled_layers(state: State) -> State:
    """As when the encoder alone is compiled and its embeddings run in data parallelism."""
    return {
        name.replace("bert.encoder.", "bert.encoder._orig_mod.").replace(
            "bert.embeddings.", "bert.module.embeddings."
        ): t
        for name, t in state.items()
    }


def beside_a_classifier(state: State) -> State:
    return {**prefixed("model.")(state), "classifier.weight": torch.ones(2, 2), "temperature": torch.ones(1)}


PREFIXES: Dict[str, Callable[[State], Any]] = {
    "data parallelism": prefixed("module."),
    "lightning": prefixed("model."),
    "compiled": prefixed("_orig_mod."),
    "several": prefixed("module._orig_mod.model."),
    "twice": prefixed("bert."),
    "own name": prefixed("my_encoder.backbone."),
    "sentence-transformers": lambda s: prefixed("0.auto_model.")({n[5:]: t for n, t in s.items() if n[:5] == "bert."}),
    "compiled layers": compiled_layers,
    "beside a classifier": beside_a_classifier,
}


def tensors(directory: Path) -> State:
    """What the Transformer gets, by our names."""
    return dict(checkpoint.read(directory).tensors())


@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes_are_left_out(name: str, tmp_path: Path) -> None:
    state = published(tmp_path)
    save_file(state, tmp_path / "model.safetensors")
    expected = tensors(tmp_path)
    save_file(PREFIXES[name](state), tmp_path / "model.safetensors")
    found = tensors(tmp_path)
    if name == "sentence-transformers":
        expected = {name: tensor for name, tensor in expected.items() if not name.startswith("lm_head.")}
    assert found.keys() == expected.keys()
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "ckpt"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {
            "model_state_dict": state,
            "optimizer_state_dict": {"state": {}, "param_groups": []},
            "epoch": 3,
        },
        lambda state: {
            "state_dict": prefixed("model.")(state),
            "pytorch-lightning_version": "2.1",
            "loops": {"x": [1]},
        },
        lambda state: {"model": state, "ema": state, "step": 5},
        lambda state: {"net": state},
        lambda state: {"module": {"state_dict": state}, "args": {"lr": 1.0}},
    ],
)
def test_dictionaries_around_the_weights(wrap: Callable[[State], Any], suffix: str, tmp_path: Path) -> None:
    state = published(tmp_path)
    torch.save(wrap(state), tmp_path / f"weights.{suffix}")
    found = tensors(tmp_path)
    assert found["embeddings.token.weight"].equal(state["bert.embeddings.word_embeddings.weight"])
    assert len(found) == 42


def test_two_encoders_are_refused(tmp_path: Path) -> None:
    state = published(tmp_path)
    other = {name: tensor.clone() for name, tensor in state.items()}
    save_file({**prefixed("query.")(state), **prefixed("passage.")(other)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"holds 2 encoders \(passage\., query\.\); keep only one"):
        tensors(tmp_path)


@pytest.mark.parametrize("place", ["the file", "its directory", "a directory of several"])
def test_a_checkpoint_of_this_package(place: str, tmp_path: Path) -> None:
    import_pretrained.main(["--from", str(make_bert(tmp_path / "bert")), "--to", str(tmp_path / "imported")])
    path = tmp_path / "imported" / "model.pt"
    if place == "a directory of several":
        for name in ("checkpoint_best.pt", "checkpoint_last.pt"):
            (path.parent / name).write_bytes(path.read_bytes())
        path.unlink()
        path = path.with_name("checkpoint_best.pt")
    said = rf"{path} is a checkpoint of training.*--finetune-from-model {path}.*export_pretrained --checkpoint {path}"
    with pytest.raises(UserError, match=said):
        checkpoint.read(path if place == "the file" else path.parent)


BERT, ROBERTA, ELECTRA = (f"{name}.embeddings.word_embeddings.weight" for name in ("bert", "roberta", "electra"))
UNILMV2 = "bert.rel_pos_bias.weight"
PLAIN = "embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("names", "called", "expected"),
    [
        ([BERT], None, ["bert"]),
        ([BERT], "minilm", ["bert"]),
        ([BERT], "bert-like", ["bert"]),
        ([BERT], "gpt2", ["bert"]),
        ([BERT], "BERT", ["bert"]),
        ([BERT], 7, ["bert"]),
        ([BERT], "ernie", ["bert"]),
        ([BERT], "electra", ["bert"]),
        ([BERT], "roberta", []),
        ([BERT], "XLM_RoBERTa", []),
        ([BERT], "unilmv2", []),
        ([BERT, UNILMV2], None, ["unilmv2"]),
        ([BERT, UNILMV2], "unilm", ["unilmv2"]),
        ([BERT, UNILMV2], "unilm2", ["unilmv2"]),
        ([BERT, UNILMV2], "bert", ["unilmv2"]),
        ([BERT, UNILMV2], "UniLMv2", ["unilmv2"]),
        ([BERT, UNILMV2], "roberta", []),
        ([ROBERTA], "camembert", ["roberta"]),
        ([ROBERTA], None, ["roberta"]),
        ([ROBERTA], "bert", []),
        ([ROBERTA], "XLM-RoBERTa", ["xlm-roberta"]),
        ([ELECTRA], "bert", ["electra"]),
        ([ELECTRA], "roberta", []),
        ([PLAIN], None, ["bert"]),
        ([PLAIN], "minilm", ["bert"]),
        ([PLAIN], "Bert", ["bert"]),
        ([PLAIN], "roberta", ["roberta"]),
        (["wte.weight"], "gpt2", []),
    ],
)
def test_what_the_tensors_show_counts(names: Any, called: Any, expected: Any) -> None:
    config = {} if called is None else {"model_type": called}
    assert [family.name for family in recognise(config, names)] == expected


def test_an_unknown_descendant_of_roberta_without_a_prefix_is_not_taken_for_bert() -> None:
    assert recognise({"model_type": "camembert", "type_vocab_size": 1}, [PLAIN]) == []
    (unilm,) = recognise({"model_type": "unilm", "type_vocab_size": 6}, [BERT])
    assert unilm.name == "unilm"
