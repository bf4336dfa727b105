"""RoBERTa (Liu et al. 2019) and XLM-R in Hugging Face's format: positions begin at row 2 of their table."""

from dataclasses import replace
from typing import Collection

from ...models.layers.parameter_names import POSITIONS
from .bert import OLD_NAMES, SIZES, encoder_rules
from .family import Config, Family, Rule, Setting, model_type, register_family, table, without_first

OFFSET = 2
HEAD = table(
    ("lm_head.dense.", "lm_head.dense."),
    ("lm_head.layer_norm.", "lm_head.norm."),
    ("lm_head.bias", "lm_head.bias"),
)
"""The masked-LM head, which has the same names in Hugging Face's format and in fairseq's."""

ROBERTA = Family(
    name="roberta",
    prefix="roberta.",
    rules=(
        Rule("roberta.embeddings.position_embeddings.weight", (POSITIONS,), without_first(OFFSET)),
        *encoder_rules("roberta."),
        *HEAD,
    ),
    settings=(
        *SIZES,
        Setting("max_position_embeddings", "position_rows", offset=OFFSET),
        Setting("layer_norm_eps", "layer_norm_eps", 1e-5),
        Setting("type_vocab_size", "type_vocab_size", measured=True),
        Setting("source_type_id", "source_type_id", 0),
        Setting("target_type_id", "target_type_id", 0),
    ),
    old_names=OLD_NAMES,
    repeated=r".*\.position_ids|lm_head\.decoder\.(weight|bias)",
    model_type="roberta",
    architecture="RobertaForMaskedLM",
    computes="roberta",
)
register_family(ROBERTA)


def is_multilingual(config: Config, names: Collection[str]) -> bool:
    """Whether this is XLM-R, whose tensors have the same names as RoBERTa's: only config.json tells them apart."""
    is_like_roberta = any(name.startswith((ROBERTA.prefix, "embeddings.")) for name in names)
    return is_like_roberta and model_type(config) == "xlm-roberta"


XLM_ROBERTA = replace(
    ROBERTA,
    name="xlm-roberta",
    signs=is_multilingual,
    refines="roberta",
    model_type="xlm-roberta",
    architecture="XLMRobertaForMaskedLM",
)
register_family(XLM_ROBERTA)
