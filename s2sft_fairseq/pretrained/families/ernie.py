"""ERNIE in Hugging Face's format, and ERNIE-GEN (003) as a numpy dump of the published Paddle parameters.

ERNIE-GEN is exported as an ERNIE model that ``transformers`` opens.
"""

from dataclasses import replace
from typing import Collection, Tuple

from ...models.layers.parameter_names import SEGMENTS, TURNS
from .bert import HEAD, OLD_NAMES, REPEATED, SETTINGS, SIZES, encoder_rules, pair_head
from .family import TRANSPOSED, Config, Family, Rule, Setting, register_family, table, with_own

ERNIE = Family(
    name="ernie",
    prefix="ernie.",
    rules=(
        *encoder_rules("ernie."),
        *table(("ernie.embeddings.turn_embeddings.weight", TURNS)),
        *HEAD,
        *pair_head("ernie."),
    ),
    settings=(*SETTINGS, Setting("source_turn_id", "source_turn_id", 0)),
    old_names=OLD_NAMES,
    repeated=REPEATED,
    model_type="ernie",
    architecture="ErnieForMaskedLM",
)
register_family(ERNIE)


def linear(theirs: str, ours: str) -> Tuple[Rule, Rule]:
    """A Paddle layer, whose weight is the transpose of ours."""
    return Rule(theirs + ".w_0", (ours + ".weight",), TRANSPOSED), Rule(theirs + ".b_0", (ours + ".bias",))


def norm(theirs: str, ours: str) -> Tuple[Rule, Rule]:
    """A Paddle layer normalization."""
    return Rule(theirs + "_scale", (ours + ".weight",)), Rule(theirs + "_bias", (ours + ".bias",))


def is_dump(config: Config, names: Collection[str]) -> bool:
    """Whether this is a dump of Paddle parameters, which have flat names."""
    return "word_embedding" in names


LAYER = "encoder_layer_{n}_"
ATTENTION = LAYER + "multi_head_att_"

ERNIE_GEN = Family(
    name="ernie-gen",
    prefix="",
    rules=(
        *table(
            ("word_embedding", "embeddings.token.weight"),
            ("pos_embedding", "embeddings.position.weight"),
            ("sent_embedding", SEGMENTS),
            ("mask_lm_out_fc.b_0", "lm_head.bias"),
        ),
        *norm("pre_encoder_layer_norm", "embeddings.norm"),
        *linear(ATTENTION + "query_fc", "layers.{n}.attention.query"),
        *linear(ATTENTION + "key_fc", "layers.{n}.attention.key"),
        *linear(ATTENTION + "value_fc", "layers.{n}.attention.value"),
        *linear(ATTENTION + "output_fc", "layers.{n}.attention.output"),
        *norm(LAYER + "post_att_layer_norm", "layers.{n}.attention_norm"),
        *linear(LAYER + "ffn_fc_0", "layers.{n}.ffn_in"),
        *linear(LAYER + "ffn_fc_1", "layers.{n}.ffn_out"),
        *norm(LAYER + "post_ffn_layer_norm", "layers.{n}.ffn_norm"),
        *linear("mask_lm_trans_fc", "lm_head.dense"),
        *norm("mask_lm_trans_layer_norm", "lm_head.norm"),
    ),
    settings=(
        *SIZES,
        Setting("layer_norm_eps", "layer_norm_eps", 1e-5),
        Setting("source_type_id", "source_type_id", 0),
        Setting("target_type_id", "target_type_id", 3),
    ),
    signs=is_dump,
    repeated=r"mask_lm_out_fc\.w_0",
    exported_as="ernie",
)
register_family(ERNIE_GEN)


def is_dialogue(config: Config, names: Collection[str]) -> bool:
    """Whether this is a dump for dialogues, with roles and turns instead of segments."""
    return is_dump(config, names) and "role_embedding" in names


ERNIE_GEN_DIALOGUE = replace(
    ERNIE_GEN,
    name="ernie-gen-dialogue",
    signs=is_dialogue,
    refines="ernie-gen",
    rules=(*ERNIE_GEN.rules, *table(("role_embedding", SEGMENTS), ("turn_embedding", TURNS))),
    settings=with_own(
        ERNIE_GEN.settings,
        Setting("source_type_id", "source_type_id", 1),
        Setting("target_type_id", "target_type_id", 0),
        Setting("source_turn_id", "source_turn_id", 1),
    ),
)
"""Roles take the place of segments: an utterance has role 1 and turn 1, the response to it role 0 and turn 0."""
register_family(ERNIE_GEN_DIALOGUE)
