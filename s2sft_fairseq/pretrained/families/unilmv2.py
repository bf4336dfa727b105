"""UniLMv2 (001): BERT with fused projections, no bias on keys, and relative positions."""

from dataclasses import replace
from typing import Collection

from .bert import BERT
from .family import FLAT, FUSED, Config, Rule, Setting, register_family

ATTENTION = "bert.encoder.layer.{n}.attention.self."
PROJECTIONS = ("query", "key", "value")
RELATIVE = "bert.encoder.rel_pos_bias.weight"


def has_relative_positions(config: Config, names: Collection[str]) -> bool:
    """Whether there is a table of relative positions, which only UniLMv2 has."""
    return any(name.endswith("rel_pos_bias.weight") for name in names)


UNILMV2 = replace(
    BERT,
    name="unilmv2",
    signs=has_relative_positions,
    refines="bert",
    rules=(
        Rule(
            ATTENTION + "qkv_linear.weight",
            tuple(f"layers.{{n}}.attention.{part}.weight" for part in PROJECTIONS),
            FUSED,
        ),
        Rule(ATTENTION + "q_bias", ("layers.{n}.attention.query.bias",), FLAT),
        Rule(ATTENTION + "v_bias", ("layers.{n}.attention.value.bias",), FLAT),
        Rule(RELATIVE, ("relative.weight",)),
        *BERT.rules,
    ),
    settings=(
        *BERT.settings,
        Setting("rel_pos_bins", "relative_buckets"),
        Setting("max_rel_pos", "relative_distance", 128),
    ),
    old_names=(*BERT.old_names, (r"^bert\.rel_pos_bias\.", "bert.encoder.rel_pos_bias.")),
    model_type="unilmv2",
    computes="unilmv2",
    architecture="",
)
register_family(UNILMV2)
