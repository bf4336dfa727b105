"""The oracles of the families that ``transformers`` lacks agree with a second implementation of each."""

from pathlib import Path
from typing import Dict

import numpy as np
import pytest
import torch
from oracles import POSITIONS, SIZES, Checkpoint, random_slots, relative_bias
from tiny_checkpoints import FORMATS, ROBERTA_VOCABULARY, fairseq_roberta_model, roberta_model, unilmv2
from torch import Tensor
from torch.nn.functional import gelu, layer_norm


@pytest.mark.parametrize("name", FORMATS)
def test_everything_matters(tmp_path: Path, name: str) -> None:
    """Every argument that the family knows changes what its oracle says."""
    made = FORMATS[name](tmp_path)
    predict = made.oracle.logits if made.head else made.oracle.hidden
    slots = random_slots(made)
    before = predict(*slots)
    changes = {"token": slots.token.flip(1), "position": slots.position.flip(1), "allowed": ~slots.allowed}
    if made.oracle.segments:
        changes["segment"] = slots.segment.flip(1)
    for argument, changed in changes.items():
        assert (predict(*slots._replace(**{argument: changed})) - before).abs().max() > 0.1, argument


class TestRelativePositions:
    """UniLMv2 (001, section 4.1) against the next model of its authors, which ``transformers`` has."""

    def test_buckets(self) -> None:
        from transformers.models.layoutlmv2.modeling_layoutlmv2 import relative_position_bucket

        distance = torch.arange(-600, 601)
        bias = relative_bias(torch.cat([torch.tensor([600]), distance + 600])[None], torch.arange(32.0)[None])
        assert bias[0, 0, 0, 1:].long().equal(relative_position_bucket(distance))
        assert bias[0, 0, 0, [602, 613, 692]].tolist() == [17, 25, 31]

    @torch.no_grad()
    def test_published_names(self, tmp_path: Path) -> None:
        """Its encoder takes our file's tensors as they are, and makes the same of the same embeddings."""
        from transformers import LayoutLMv2Config
        from transformers.models.layoutlmv2.modeling_layoutlmv2 import LayoutLMv2Encoder

        made = unilmv2(tmp_path, stem="")
        own = dict(has_relative_attention_bias=True, has_spatial_attention_bias=False, fast_qkv=True)
        encoder = LayoutLMv2Encoder(LayoutLMv2Config(**SIZES, **own, rel_pos_bins=32, max_rel_pos=128)).eval()
        state = torch.load(tmp_path / "pytorch_model.bin")
        prefix = "bert.encoder."
        encoder.load_state_dict({n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)})
        slots = random_slots(made)
        embedded = made.oracle.model.bert.embeddings(slots.token, slots.segment, slots.position)
        found = encoder(embedded, (~slots.allowed)[:, None], position_ids=slots.position).last_hidden_state
        torch.testing.assert_close(found, made.oracle.hidden(*slots), atol=1e-5, rtol=0)


@torch.no_grad()
def test_fairseq_roberta() -> None:
    """fairseq's own model on ragged lines; it computes only in training mode on today's torch."""
    model = roberta_model("RobertaForMaskedLM", segment_row=False)
    theirs = fairseq_roberta_model(model, ROBERTA_VOCABULARY).train()
    token = torch.randint(4, len(ROBERTA_VOCABULARY), (3, 9), generator=torch.Generator().manual_seed(2))
    token[1, 5:] = token[2, 8:] = 1
    known = token.ne(1)
    found = theirs(token)[0]
    expected = model(input_ids=token, attention_mask=known.long()).logits
    torch.testing.assert_close(found[known], expected[known], atol=2e-5, rtol=1e-5)
    assert theirs.encoder.sentence_encoder.embed_positions.weight.shape[0] == POSITIONS + 2


def paddle_program(dump: Dict[str, Tensor], made: Checkpoint) -> Tensor:
    """ERNIE-GEN's forward pass on random slots as its program writes it: x · w_0 + b_0, post-LayerNorm, ε 1e-5."""
    token, position, segment, allowed = random_slots(made)

    def normalize(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, x.shape[-1:], dump[f"{name}_scale"], dump[f"{name}_bias"], 1e-5)

    def project(x: Tensor, name: str) -> Tensor:
        return x @ dump[f"{name}.w_0"] + dump[f"{name}.b_0"]

    def heads(x: Tensor, name: str) -> Tensor:
        return project(x, name).unflatten(-1, (SIZES["num_attention_heads"], -1)).transpose(1, 2)

    x = dump["word_embedding"][token] + dump["pos_embedding"][position] + dump["sent_embedding"][segment]
    x = normalize(x, "pre_encoder_layer_norm")
    for number in range(SIZES["num_hidden_layers"]):
        name = f"encoder_layer_{number}"
        query, key, value = (heads(x, f"{name}_multi_head_att_{part}_fc") for part in ("query", "key", "value"))
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        context = scores.masked_fill(~allowed[:, None], -torch.inf).softmax(-1) @ value
        x = normalize(
            x + project(context.transpose(1, 2).flatten(2), f"{name}_multi_head_att_output_fc"),
            f"{name}_post_att_layer_norm",
        )
        x = normalize(
            x + project(gelu(project(x, f"{name}_ffn_fc_0")), f"{name}_ffn_fc_1"), f"{name}_post_ffn_layer_norm"
        )
    x = normalize(gelu(project(x, "mask_lm_trans_fc")), "mask_lm_trans_layer_norm")
    return x @ dump["word_embedding"].T + dump["mask_lm_out_fc.b_0"]


@pytest.mark.parametrize("name", ["ernie-gen", "ernie-gen, archive"])
def test_ernie_gen_dump(tmp_path: Path, name: str) -> None:
    made = FORMATS[name](tmp_path)
    archive = tmp_path / "params.npz"
    arrays = np.load(archive) if archive.exists() else {p.stem: np.load(p) for p in tmp_path.glob("*.npy")}
    found = paddle_program({key: torch.from_numpy(arrays[key]) for key in arrays}, made)
    torch.testing.assert_close(found, made.oracle.logits(*random_slots(made)), atol=2e-5, rtol=1e-5)
