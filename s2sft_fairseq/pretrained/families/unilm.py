"""UniLM 1 (004): BERT with six segments, of which sequence-to-sequence text has two of its own (4 and 5)."""

from dataclasses import replace
from typing import Collection

from .bert import BERT
from .family import Config, Setting, register_family, with_own

SEGMENTS = 6


def has_six_segments(config: Config, names: Collection[str]) -> bool:
    """UniLM's tensors are named like BERT's; the size of the segment table tells them apart."""
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
