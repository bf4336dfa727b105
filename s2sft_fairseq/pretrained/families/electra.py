"""ELECTRA (Clark et al. 2020), generator or discriminator: embeddings may be narrower than the layers.

A discriminator has no masked-LM head, so it gets a freshly initialized one.
"""

from .bert import OLD_NAMES, SETTINGS, encoder_rules
from .family import Family, Setting, register_family, table

ELECTRA = Family(
    name="electra",
    prefix="electra.",
    rules=(
        *encoder_rules("electra."),
        *table(
            ("electra.embeddings_project.", "embeddings.project."),
            ("generator_predictions.dense.", "lm_head.dense."),
            ("generator_predictions.LayerNorm.", "lm_head.norm."),
            ("generator_lm_head.bias", "lm_head.bias"),
        ),
    ),
    settings=(*SETTINGS, Setting("embedding_size", "embedding_dim")),
    old_names=OLD_NAMES,
    repeated=r".*\.position_ids|generator_lm_head\.weight",
    model_type="electra",
    architecture="ElectraForMaskedLM",
)
register_family(ELECTRA)
