"""Our names of the tables that more than one part of the package has to find among a Transformer's tensors."""

TOKENS = "embeddings.token.weight"
POSITIONS = "embeddings.position.weight"
SEGMENTS = "embeddings.segment.weight"
TURNS = "embeddings.turn.weight"

HEAD = tuple(f"lm_head.{name}" for name in ("dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"))
"""The masked-LM head, which pretrained weights may lack."""
