"""BERT (Devlin et al. 2019) in Hugging Face's format, including multilingual and Chinese BERT, MiniLM and others."""

from typing import Tuple

from .family import Family, Rule, Setting, register_family, table


def encoder_rules(prefix: str) -> Tuple[Rule, ...]:
    """Embeddings and layers, which have the same names in all of Hugging Face's BERT-like models, after a prefix."""
    layer = prefix + "encoder.layer.{n}."
    return table(
        (prefix + "embeddings.word_embeddings.weight", "embeddings.token.weight"),
        (prefix + "embeddings.position_embeddings.weight", "embeddings.position.weight"),
        (prefix + "embeddings.token_type_embeddings.weight", "embeddings.segment.weight"),
        (prefix + "embeddings.LayerNorm.", "embeddings.norm."),
        (layer + "attention.self.query.", "layers.{n}.attention.query."),
        (layer + "attention.self.key.", "layers.{n}.attention.key."),
        (layer + "attention.self.value.", "layers.{n}.attention.value."),
        (layer + "attention.output.dense.", "layers.{n}.attention.output."),
        (layer + "attention.output.LayerNorm.", "layers.{n}.attention_norm."),
        (layer + "intermediate.dense.", "layers.{n}.ffn_in."),
        (layer + "output.dense.", "layers.{n}.ffn_out."),
        (layer + "output.LayerNorm.", "layers.{n}.ffn_norm."),
    )


HEAD = table(
    ("cls.predictions.transform.dense.", "lm_head.dense."),
    ("cls.predictions.transform.LayerNorm.", "lm_head.norm."),
    ("cls.predictions.bias", "lm_head.bias"),
)


def pair_head(prefix: str) -> Tuple[Rule, ...]:
    """What predicts whether a sentence is the next one, from the pooler, whose name has the prefix."""
    return table((prefix + "pooler.dense.", "pooler.dense."), ("cls.seq_relationship.", "heads.next_sentence."))


SIZES = (
    Setting("num_hidden_layers", "encoder_layers"),
    Setting("hidden_size", "encoder_embed_dim"),
    Setting("intermediate_size", "encoder_ffn_embed_dim"),
    Setting("num_attention_heads", "encoder_attention_heads"),
)

SETTINGS = (
    *SIZES,
    Setting("max_position_embeddings", "position_rows"),
    Setting("layer_norm_eps", "layer_norm_eps", 1e-12),
    Setting("type_vocab_size", "type_vocab_size"),
    Setting("source_type_id", "source_type_id", 0),
    Setting("target_type_id", "target_type_id", 1),
)

OLD_NAMES = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))
REPEATED = r".*\.position_ids|cls\.predictions\.decoder\.(weight|bias)"

BERT = Family(
    name="bert",
    prefix="bert.",
    rules=(*encoder_rules("bert."), *HEAD, *pair_head("bert.")),
    settings=SETTINGS,
    old_names=OLD_NAMES,
    repeated=REPEATED,
    model_type="bert",
    architecture="BertForMaskedLM",
)
register_family(BERT)
