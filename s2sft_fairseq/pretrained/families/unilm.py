"""UniLM 1 (004): BERT with six segments, two of which are for sequence-to-sequence text (4 and 5)."""

from dataclasses import replace
from typing import Collection

from .bert import BERT
from .family import Config, Setting, register_family, with_own

SEGMENTS = 6


def has_six_segments(config: Config, names: Collection[str]) -> bool:
    """Whether there are six segments; apart from that, UniLM's tensors look like BERT's."""
    return BERT.fits(config, names) and config.get("type_vocab_size") == SEGMENTS


UNILM = replace(
    BERT,
    name="unilm",
    signs=has_six_segments,
    refines="bert",
    settings=with_own(
        BERT.settings,
        Setting("layer_norm_eps", "layer_norm_eps", 1e-5),
        Setting("source_type_id", "source_type_id", 4),
        Setting("target_type_id", "target_type_id", 5),
    ),
)
register_family(UNILM)
