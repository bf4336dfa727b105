"""RoBERTa and XLM-R in fairseq's format: ``model.pt``, which contains the sizes; no segment table."""

from typing import Collection

from ...models.layers.parameter_names import POSITIONS
from .family import FUSED, Config, Family, Rule, Setting, register_family, table, without_first
from .roberta import HEAD, OFFSET

LAYER = "sentence_encoder.layers.{n}."
PROJECTIONS = ("query", "key", "value")


def has_sentence_encoder(config: Config, names: Collection[str]) -> bool:
    """Whether there is a ``sentence_encoder``, the name in fairseq's masked language models."""
    return any("sentence_encoder." in name for name in names)


FAIRSEQ_ROBERTA = Family(
    name="fairseq-roberta",
    prefix="sentence_encoder.",
    rules=(
        Rule("sentence_encoder.embed_positions.weight", (POSITIONS,), without_first(OFFSET)),
        *(
            Rule(
                f"{LAYER}self_attn.in_proj_{kind}",
                tuple(f"layers.{{n}}.attention.{part}.{kind}" for part in PROJECTIONS),
                FUSED,
            )
            for kind in ("weight", "bias")
        ),
        *table(
            ("sentence_encoder.embed_tokens.weight", "embeddings.token.weight"),
            ("sentence_encoder.layernorm_embedding.", "embeddings.norm."),
            (LAYER + "self_attn.q_proj.", "layers.{n}.attention.query."),
            (LAYER + "self_attn.k_proj.", "layers.{n}.attention.key."),
            (LAYER + "self_attn.v_proj.", "layers.{n}.attention.value."),
            (LAYER + "self_attn.out_proj.", "layers.{n}.attention.output."),
            (LAYER + "self_attn_layer_norm.", "layers.{n}.attention_norm."),
            (LAYER + "fc1.", "layers.{n}.ffn_in."),
            (LAYER + "fc2.", "layers.{n}.ffn_out."),
            (LAYER + "final_layer_norm.", "layers.{n}.ffn_norm."),
        ),
        *HEAD,
    ),
    settings=(
        Setting("encoder_layers", "encoder_layers"),
        Setting("encoder_embed_dim", "encoder_embed_dim"),
        Setting("encoder_ffn_embed_dim", "encoder_ffn_embed_dim"),
        Setting("encoder_attention_heads", "encoder_attention_heads"),
        Setting("layer_norm_eps", "layer_norm_eps", 1e-5),
        Setting("source_type_id", "source_type_id", 0),
        Setting("target_type_id", "target_type_id", 0),
    ),
    signs=has_sentence_encoder,
    old_names=(
        (r"^(encoder|decoder)\.(?=sentence_encoder\.|lm_head\.)", ""),
        (r"\.emb_layer_norm\.", ".layernorm_embedding."),
    ),
    repeated=r"lm_head\.weight|.*\.(version|_float_tensor)|.*layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)",
    exported_as="roberta",
)
register_family(FAIRSEQ_ROBERTA)
