"""Names of the Transformer's tensors that several parts of the package look up."""

TOKENS = "embeddings.token.weight"
POSITIONS = "embeddings.position.weight"
SEGMENTS = "embeddings.segment.weight"
TURNS = "embeddings.turn.weight"
RELATIVE = "relative.weight"

HEAD_DENSE, HEAD_DENSE_BIAS = "lm_head.dense.weight", "lm_head.dense.bias"
HEAD = tuple(f"lm_head.{name}" for name in ("dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"))
"""The masked-LM head's own tensors, which may be missing from pretrained weights."""
