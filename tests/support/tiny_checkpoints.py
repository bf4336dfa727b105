"""A tiny random checkpoint of every family in every published format, each with an oracle of what it predicts.

Every oracle is a model of ``transformers``: the families that it lacks are one of its models under other names
(ERNIE-GEN, UniLM, fairseq's RoBERTa), or with a bias on the attention scores (UniLMv2).
"""

import json
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import torch
from commands import write_lines
from oracles import POSITIONS, ROBERTA, SIZES, Checkpoint, Oracle, published, randomize
from torch import Tensor
from transformers import PreTrainedModel

State = Dict[str, Tensor]

WORDS = [f"w{number}" for number in range(40)]
BERT_VOCABULARY = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
ERNIE_VOCABULARY = [*BERT_VOCABULARY, "[ATTN]", "[NOISE]"]
ROBERTA_VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", *WORDS, "<mask>"]


def write_json(path: Path, content: Dict[str, Any]) -> None:
    """A JSON file, its directory included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def without(state: State, *parts: str) -> State:
    """A copy of the tensors whose name has none of the parts."""
    return {name: tensor.clone() for name, tensor in state.items() if not any(part in name for part in parts)}


def bert(directory: Path, *, kind: str = "BertForMaskedLM", **changes: Any) -> Checkpoint:
    """BERT, mBERT, MiniLM: Hugging Face's safetensors. ``kind``: BertModel, BertForPreTraining."""
    model = published(kind, BERT_VOCABULARY, layer_norm_eps=1e-3, **changes)
    model.save_pretrained(directory)
    write_lines(directory / "vocab.txt", BERT_VOCABULARY)
    return Checkpoint(directory, Oracle(model), BERT_VOCABULARY, head=kind != "BertModel")


def as_bin(made: Checkpoint, names: Sequence[Tuple[str, str]] = ()) -> Checkpoint:
    """The older format: a pickled state dict that repeats tied tensors, spelled otherwise."""
    state = without(made.oracle.model.state_dict())
    for new, old in names:
        state = {name.replace(new, old): tensor for name, tensor in state.items()}
    (made.directory / "model.safetensors").unlink()
    torch.save(state, made.directory / "pytorch_model.bin")
    return made


GAMMA_AND_BETA = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
"""How BERT's first PyTorch port spelled them."""


def electra(directory: Path, *, kind: str = "ElectraForMaskedLM", embedding_size: int = 20) -> Checkpoint:
    """The generator, with its head, or the discriminator (ElectraForPreTraining), without."""
    model = published(kind, BERT_VOCABULARY, embedding_size=embedding_size)
    model.save_pretrained(directory)
    write_lines(directory / "vocab.txt", BERT_VOCABULARY)
    return Checkpoint(directory, Oracle(model), BERT_VOCABULARY, head=kind == "ElectraForMaskedLM")


def ernie(directory: Path) -> Checkpoint:
    """ERNIE as Hugging Face has it."""
    model = published("ErnieForMaskedLM", BERT_VOCABULARY, type_vocab_size=4)
    model.save_pretrained(directory)
    write_lines(directory / "vocab.txt", BERT_VOCABULARY)
    return Checkpoint(directory, Oracle(model), BERT_VOCABULARY)


def roberta(
    directory: Path, *, kind: str = "RobertaForMaskedLM", segment_row: bool = True, **changes: Any
) -> Checkpoint:
    """RoBERTa of Hugging Face: byte-level BPE files; its one segment row is drawn, or zero as in conversions."""
    model = roberta_model(kind, segment_row=segment_row, **changes)
    model.save_pretrained(directory)
    write_json(directory / "vocab.json", {token: row for row, token in enumerate(ROBERTA_VOCABULARY)})
    write_lines(directory / "merges.txt", ["#version: 0.2"])
    return Checkpoint(directory, Oracle(model, 2, segments=False), ROBERTA_VOCABULARY, ROBERTA, (0, 0))


def roberta_model(
    kind: str, vocabulary: Sequence[str] = ROBERTA_VOCABULARY, *, segment_row: bool, **changes: Any
) -> PreTrainedModel:
    """A model with two position rows more than positions."""
    sizes = dict(max_position_embeddings=POSITIONS + 2, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1)
    model = published(kind, vocabulary, **{**sizes, **changes})
    if not segment_row:
        model.base_model.embeddings.token_type_embeddings.weight.data.zero_()
    return model


def xlm_roberta(directory: Path) -> Checkpoint:
    """XLM-R of Hugging Face: a SentencePiece model, whose rows move by one behind ``<s>``, ``<pad>``, ``</s>``."""
    pieces = sentencepiece_model(directory / "sentencepiece.bpe.model")
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces[3:], "<mask>"]
    model = roberta_model("XLMRobertaForMaskedLM", vocabulary, segment_row=False)
    model.save_pretrained(directory)
    return Checkpoint(directory, Oracle(model, 2, segments=False), vocabulary, ROBERTA, (0, 0))


def sentencepiece_model(path: Path) -> List[str]:
    """Trains a small SentencePiece model, and returns its pieces."""
    import sentencepiece

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(WORDS, size=8)) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(path.with_suffix("")), vocab_size=40, minloglevel=2
    )
    path.with_suffix(".vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [processor.id_to_piece(number) for number in range(len(processor))]


FAIRSEQ_NAMES = (
    ("roberta.embeddings.word_embeddings", "encoder.sentence_encoder.embed_tokens"),
    ("roberta.embeddings.position_embeddings", "encoder.sentence_encoder.embed_positions"),
    ("roberta.embeddings.LayerNorm", "encoder.sentence_encoder.layernorm_embedding"),
    ("roberta.encoder.layer.", "encoder.sentence_encoder.layers."),
    ("attention.self.query", "self_attn.q_proj"),
    ("attention.self.key", "self_attn.k_proj"),
    ("attention.self.value", "self_attn.v_proj"),
    ("attention.output.dense", "self_attn.out_proj"),
    ("attention.output.LayerNorm", "self_attn_layer_norm"),
    ("intermediate.dense", "fc1"),
    ("output.dense", "fc2"),
    ("output.LayerNorm", "final_layer_norm"),
    ("lm_head.", "encoder.lm_head."),
    ("lm_head.decoder.weight", "lm_head.weight"),
)


def fairseq_roberta_model(model: PreTrainedModel, vocabulary: Sequence[str]) -> torch.nn.Module:
    """fairseq's own RoBERTa with the weights of Hugging Face's, whose segment row must be 0; without dropout."""
    from fairseq.data import Dictionary
    from fairseq.models.roberta import RobertaModel

    dictionary = Dictionary()
    for token in vocabulary[4:]:
        dictionary.add_symbol(token)
    args = Namespace(arch="roberta_base", task="masked_lm", max_positions=POSITIONS, **fairseq_sizes())
    theirs = RobertaModel.build_model(args, SimpleNamespace(source_dictionary=dictionary))
    randomize(theirs, seed=9)
    state = without(model.state_dict(), "token_type_embeddings", "lm_head.decoder.bias")
    for new, old in FAIRSEQ_NAMES:
        state = {name.replace(new, old): tensor for name, tensor in state.items()}
    theirs.load_state_dict({**theirs.state_dict(), **state})
    return theirs


def fairseq_sizes() -> Dict[str, Any]:
    """The sizes under fairseq's names."""
    return dict(
        encoder_embed_dim=SIZES["hidden_size"],
        encoder_layers=SIZES["num_hidden_layers"],
        encoder_attention_heads=SIZES["num_attention_heads"],
        encoder_ffn_embed_dim=SIZES["intermediate_size"],
        dropout=0.0,
        attention_dropout=0.0,
    )


def fairseq_roberta(directory: Path, *, old: bool = False) -> Checkpoint:
    """``model.pt`` and ``dict.txt`` as fairseq 0.12 writes them, or as the published files of 2019 are spelled."""
    model = roberta_model("RobertaForMaskedLM", segment_row=False)
    theirs = fairseq_roberta_model(model, ROBERTA_VOCABULARY)
    state = spelled_of_old(theirs.state_dict()) if old else without(theirs.state_dict())
    write_lines(directory / "dict.txt", [f"{token} {99 - row}" for row, token in enumerate(WORDS)])
    extra = {"extra_state": {"epoch": 1}, "optimizer_history": [], "last_optimizer_state": None}
    torch.save({"args": theirs.args, "model": state, **extra}, directory / "model.pt")
    return Checkpoint(directory, Oracle(model, 2, segments=False), ROBERTA_VOCABULARY, ROBERTA, (0, 0))


def spelled_of_old(state: State) -> State:
    """``decoder.``, ``emb_layer_norm``, and one projection for query, key and value."""
    found = without(state, *(f".{part}" for part in ("version", "in_proj", "out_proj_", "fc1_", "fc2_")))
    for name in [name for name in found if ".q_proj." in name]:
        parts = [found.pop(name.replace("q_proj", part)) for part in ("q_proj", "k_proj", "v_proj")]
        found[name.replace("q_proj.", "in_proj_")] = torch.cat(parts)
    names = (("encoder.sentence_encoder", "decoder.sentence_encoder"), ("encoder.lm_head", "decoder.lm_head"))
    for new, old in (*names, ("layernorm_embedding", "emb_layer_norm")):
        found = {name.replace(new, old): tensor for name, tensor in found.items()}
    return found


def unilm(directory: Path, *, stem: str = "unilm1-base-cased") -> Checkpoint:
    """UniLM 1: BERT's names, six segments; files named after the model, or with stem "" as Hugging Face's."""
    sizes = dict(type_vocab_size=6, layer_norm_eps=1e-5)
    model = published("BertForMaskedLM", BERT_VOCABULARY, **sizes)
    state = without(model.state_dict(), "decoder.bias")
    config = {**SIZES, **sizes, **BERT_CONFIG, "source_type_id": 4, "target_type_id": 5}
    save_unilm(directory, stem, state, config)
    return Checkpoint(directory, Oracle(model), BERT_VOCABULARY, segments=(4, 5))


BERT_CONFIG = {
    "vocab_size": len(BERT_VOCABULARY),
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}


def save_unilm(directory: Path, stem: str, state: State, config: Dict[str, Any]) -> None:
    """A pickled state dict, a config that names no type of model, a vocabulary."""
    dash = f"{stem}-" if stem else ""
    write_json(directory / f"{dash}config.json", config)
    write_lines(directory / f"{dash}vocab.txt", BERT_VOCABULARY)
    torch.save(state, directory / f"{stem or 'pytorch_model'}.bin")


def unilmv2(
    directory: Path,
    *,
    stem: str = "unilm2-base-uncased",
    bias_shape: Sequence[int] = (1, 1, -1),
    max_position_embeddings: int = 128,
) -> Checkpoint:
    """UniLMv2: one matrix for query, key and value, no bias of keys, a relative position bias of all layers."""
    sizes = dict(max_position_embeddings=max_position_embeddings, type_vocab_size=2)
    model = published("BertForMaskedLM", BERT_VOCABULARY, **sizes)
    state = without(model.state_dict(), "decoder.bias")
    for number, layer in enumerate(model.base_model.encoder.layer):
        attention, name = layer.attention.self, f"bert.encoder.layer.{number}.attention.self"
        attention.key.bias.data.zero_()
        parts = [state.pop(f"{name}.{part}.weight") for part in ("query", "key", "value")]
        state[f"{name}.qkv_linear.weight"] = torch.cat(parts)
        state[f"{name}.q_bias"] = state.pop(f"{name}.query.bias").reshape(bias_shape)
        state[f"{name}.v_bias"] = state.pop(f"{name}.value.bias").reshape(bias_shape)
        del state[f"{name}.key.bias"]
    table = torch.randn(SIZES["num_attention_heads"], 32, generator=torch.Generator().manual_seed(5))
    state["bert.encoder.rel_pos_bias.weight"] = table
    config = {**SIZES, **BERT_CONFIG, **sizes, "rel_pos_bins": 32, "max_rel_pos": 128}
    save_unilm(directory, stem, state, config)
    return Checkpoint(directory, Oracle(model, relative=table), BERT_VOCABULARY)


PADDLE_NAMES = (
    ("bert.embeddings.word_embeddings.weight", "word_embedding"),
    ("bert.embeddings.position_embeddings.weight", "pos_embedding"),
    ("bert.embeddings.token_type_embeddings.weight", "sent_embedding"),
    ("bert.embeddings.LayerNorm.", "pre_encoder_layer_norm_"),
    ("bert.encoder.layer.", "encoder_layer_"),
    (".attention.self.query.", "_multi_head_att_query_fc."),
    (".attention.self.key.", "_multi_head_att_key_fc."),
    (".attention.self.value.", "_multi_head_att_value_fc."),
    (".attention.output.dense.", "_multi_head_att_output_fc."),
    (".attention.output.LayerNorm.", "_post_att_layer_norm_"),
    (".intermediate.dense.", "_ffn_fc_0."),
    (".output.dense.", "_ffn_fc_1."),
    (".output.LayerNorm.", "_post_ffn_layer_norm_"),
    ("cls.predictions.transform.dense.", "mask_lm_trans_fc."),
    ("cls.predictions.transform.LayerNorm.", "mask_lm_trans_layer_norm_"),
    ("cls.predictions.bias", "mask_lm_out_fc.b_0"),
    ("norm_weight", "norm_scale"),
    (".weight", ".w_0"),
    (".bias", ".b_0"),
)
"""BERT's names and those of the Paddle program, to be replaced in this order."""


def ernie_gen(directory: Path, *, archive: bool = False, dialogue: bool = False) -> Checkpoint:
    """The numpy dump of ERNIE-GEN's parameters: a file each, or one archive; weights are [in, out] there."""
    sizes = dict(intermediate_size=4 * SIZES["hidden_size"], layer_norm_eps=1e-5, type_vocab_size=3 if dialogue else 4)
    model = published("BertForMaskedLM", ERNIE_VOCABULARY, **sizes)
    dump = paddle_dump(without(model.state_dict(), "cls.predictions.decoder"))
    turns = torch.randn(16, SIZES["hidden_size"], generator=torch.Generator().manual_seed(6)) if dialogue else None
    if turns is not None:
        dump["role_embedding"], dump["turn_embedding"] = dump.pop("sent_embedding"), turns.numpy()
    write_json(directory / "ernie_config.json", ernie_config(dialogue))
    write_lines(directory / "vocab.txt", ERNIE_VOCABULARY)
    if archive:
        np.savez(directory / "params.npz", **dump)
    else:
        for name, array in dump.items():
            np.save(directory / f"{name}.npy", array)
    return Checkpoint(directory, Oracle(model, turns=turns), ERNIE_VOCABULARY, segments=(1, 0) if dialogue else (0, 3))


def paddle_dump(state: State) -> Dict[str, np.ndarray]:
    """A BERT's tensors as Paddle names and turns them; the pooler and the sentence classifier are in it too."""
    dump = {"pooled_fc.w_0": np.zeros((SIZES["hidden_size"],) * 2, np.float32), "next_sent_3cls_fc.b_0": np.zeros(3)}
    for published_name, tensor in state.items():
        name = published_name
        for theirs, paddle in PADDLE_NAMES:
            name = name.replace(theirs, paddle)
        dump[name] = (tensor.T.contiguous() if name.endswith(".w_0") else tensor).numpy()
    return dump


def ernie_config(dialogue: bool) -> Dict[str, Any]:
    """``ernie_config.json``: no FFN size (four times the hidden size), no ε, no type of model."""
    sizes = {name: SIZES[name] for name in SIZES if name != "intermediate_size"}
    tables = {"role_type_size": 3, "turn_type_size": 16} if dialogue else {"sent_type_vocab_size": 4}
    return {**sizes, **BERT_CONFIG, "vocab_size": len(ERNIE_VOCABULARY), **tables, "task_type_vocab_size": 16}


FORMATS: Dict[str, Callable[[Path], Checkpoint]] = {
    "bert": bert,
    "bert, pickled": lambda directory: as_bin(bert(directory)),
    "bert, gamma and beta": lambda directory: as_bin(bert(directory), GAMMA_AND_BETA),
    "bert, headless": lambda directory: bert(directory, kind="BertModel"),
    "bert, next sentence": lambda directory: as_bin(bert(directory, kind="BertForPreTraining")),
    "electra generator": electra,
    "electra generator, square": lambda directory: electra(directory, embedding_size=24),
    "electra discriminator": lambda directory: electra(directory, kind="ElectraForPreTraining"),
    "ernie": ernie,
    "roberta": roberta,
    "roberta, zero segment": lambda directory: roberta(directory, segment_row=False),
    "roberta, pickled": lambda directory: as_bin(roberta(directory)),
    "xlm-roberta": xlm_roberta,
    "fairseq roberta": fairseq_roberta,
    "fairseq roberta of 2019": lambda directory: fairseq_roberta(directory, old=True),
    "unilm": unilm,
    "unilm, renamed": lambda directory: unilm(directory, stem=""),
    "unilmv2": unilmv2,
    "unilmv2, flat biases": lambda directory: unilmv2(directory, stem="", bias_shape=(-1,)),
    "ernie-gen": ernie_gen,
    "ernie-gen, archive": lambda directory: ernie_gen(directory, archive=True),
    "ernie-gen, dialogue": lambda directory: ernie_gen(directory, dialogue=True),
}
"""Every format by name: writes a checkpoint into a directory."""
