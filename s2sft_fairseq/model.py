"""The registered model ``s2s_ft``: one Transformer, and the encoder and decoder faces that fairseq's tools expect."""

from argparse import Namespace
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.models import (
    BaseFairseqModel,
    FairseqEncoder,
    FairseqIncrementalDecoder,
    register_model,
    register_model_architecture,
)
from fairseq.tasks import FairseqTask
from torch import Tensor

from .attention import FullPass, SourceCache, SourcePass, StepPass, TargetCache
from .errors import UserError, check_probability
from .families import FAMILIES
from .objectives import OBJECTIVES
from .slots import IGNORE, Convention, Slots, lay_out, next_slots, source_slots
from .transformer import Transformer, TransformerShape

METHODS = ChoiceEnum(sorted(OBJECTIVES))


@dataclass
class ModelOptions(FairseqDataclass):
    """All that shapes the model. It is stored in the checkpoint, so that generating needs no flag again."""

    finetune_method: METHODS = field(  # type: ignore[valid-type]
        default="pseudo_masked", metadata={"help": "how the encoder is turned into a generator"}
    )
    pretrained: Optional[str] = field(
        default=None,
        metadata={
            "help": "directory of a pretrained encoder (its configuration, vocabulary and weights); it sets the sizes "
            "below"
        },
    )
    pretrained_type: Optional[str] = field(
        default=None,
        metadata={"help": f"its family, if the files show none: {', '.join(sorted(FAMILIES))}"},
    )
    vocab_add: Optional[str] = field(
        default=None,
        metadata={"help": "file of tokens, one a line, that the data have beyond the pretrained vocabulary"},
    )
    encoder_layers: int = field(default=12, metadata={"help": "layers"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "hidden size"})
    encoder_ffn_embed_dim: int = field(default=3072, metadata={"help": "hidden size of the feed-forward part"})
    encoder_attention_heads: int = field(default=12, metadata={"help": "attention heads"})
    dropout: float = field(default=0.1, metadata={"help": "dropout after embeddings, attention and feed-forward"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout of attention probabilities"})
    layer_norm_eps: float = field(default=1e-12, metadata={"help": "epsilon of LayerNorm"})
    type_vocab_size: Optional[int] = field(
        default=None,
        metadata={"help": "rows of the segment table (default: as pretrained, else 2; more grow it, 0: no such table)"},
    )
    source_type_id: Optional[int] = field(
        default=None, metadata={"help": "segment of source tokens (default: as pretrained, else 0)"}
    )
    target_type_id: Optional[int] = field(
        default=None, metadata={"help": "segment of target tokens (default: as pretrained, else 1)"}
    )
    turn_rows: int = field(default=0, metadata={"help": "rows of the table of dialogue turns; 0: no such table"})
    source_turn_id: int = field(default=0, metadata={"help": "dialogue turn of source tokens"})
    embedding_dim: int = field(default=0, metadata={"help": "width of the embedding tables; 0: the hidden size"})
    no_key_bias: bool = field(default=False, metadata={"help": "keys of attention have no bias"})
    relative_buckets: int = field(default=0, metadata={"help": "buckets of relative positions; 0: none"})
    relative_distance: int = field(
        default=128, metadata={"help": "relative positions this far apart and farther share a bucket"}
    )
    max_source_positions: int = field(
        default=448,
        metadata={"help": "longest source, [CLS] and [SEP] included; longer ones lose their tail"},
    )
    max_target_positions: int = field(
        default=64, metadata={"help": "longest target, [SEP] included; longer ones lose their tail"}
    )
    position_rows: int = field(
        default=0, metadata={"help": "rows of the position table, if the longest pair does not need more"}
    )
    added_tokens: str = field(
        default="", metadata={"help": "(set by the program) tokens beyond the pretrained vocabulary"}
    )
    vocabulary: Optional[str] = field(
        default=None,
        metadata={"help": "(set by the program) fingerprint of the vocabulary that the model belongs to"},
    )


DEFAULTS = {"type_vocab_size": 2, "source_type_id": 0, "target_type_id": 1}
"""What a new model has where neither the user nor a pretrained one says otherwise."""

SHAPE = (
    "pretrained_type",
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
    "layer_norm_eps",
    "position_rows",
    "turn_rows",
    "source_turn_id",
    "embedding_dim",
    "no_key_bias",
    "relative_buckets",
    "relative_distance",
    "added_tokens",
    *DEFAULTS,
)
"""The options that a pretrained model decides; what stands in DEFAULTS too, only if the user did not."""


def adopt_shape(cfg: ModelOptions, shape: Mapping[str, Any]) -> None:
    """Takes over what a pretrained or a trained model decides."""
    for name in SHAPE:
        if name in shape and (name not in DEFAULTS or getattr(cfg, name) is None):
            setattr(cfg, name, shape[name])


def resolve_options(cfg: ModelOptions) -> None:
    """Gives every option that was left open its default."""
    for name, default in DEFAULTS.items():
        if getattr(cfg, name) is None:
            setattr(cfg, name, default)


def check_options(cfg: ModelOptions) -> None:
    """Raises UserError for values that no model can have."""
    check_probability("--dropout", cfg.dropout)
    check_probability("--attention-dropout", cfg.attention_dropout)
    for flag, row, rows, table in (
        ("--source-type-id", cfg.source_type_id, cfg.type_vocab_size, "segment table (--type-vocab-size)"),
        ("--target-type-id", cfg.target_type_id, cfg.type_vocab_size, "segment table (--type-vocab-size)"),
        ("--source-turn-id", cfg.source_turn_id, cfg.turn_rows, "table of turns (--turn-rows)"),
    ):
        if rows and not 0 <= int(row or 0) < rows:
            raise UserError(f"{flag} is {row}; expected 0 to {rows - 1}, the rows of the {table}")
    for flag, length, special in (
        ("--max-source-positions", cfg.max_source_positions, 2),
        ("--max-target-positions", cfg.max_target_positions, 1),
    ):
        if length <= special:
            raise UserError(f"{flag} is {length}; expected more than its {special} special tokens")
    if cfg.encoder_embed_dim % cfg.encoder_attention_heads:
        raise UserError(
            f"the hidden size {cfg.encoder_embed_dim} is no multiple of {cfg.encoder_attention_heads} attention heads"
        )


def transformer_shape(cfg: ModelOptions, vocab_size: int) -> TransformerShape:
    """The Transformer that the options describe; its position table takes the longest pair at least."""
    resolve_options(cfg)
    check_options(cfg)
    return TransformerShape(
        vocab_size=vocab_size,
        embedding_size=cfg.embedding_dim or cfg.encoder_embed_dim,
        hidden_size=cfg.encoder_embed_dim,
        layers=cfg.encoder_layers,
        heads=cfg.encoder_attention_heads,
        ffn_size=cfg.encoder_ffn_embed_dim,
        positions=max(cfg.position_rows, cfg.max_source_positions + cfg.max_target_positions),
        segments=int(cfg.type_vocab_size or 0),
        turns=cfg.turn_rows,
        key_bias=not cfg.no_key_bias,
        relative_buckets=cfg.relative_buckets,
        relative_distance=cfg.relative_distance,
        layer_norm_eps=cfg.layer_norm_eps,
        dropout=cfg.dropout,
        attention_dropout=cfg.attention_dropout,
    )


@register_model("s2s_ft", dataclass=ModelOptions)
class S2SFTModel(BaseFairseqModel):
    """A pretrained encoder that generates: source and target share all weights, there is no cross-attention.

    Args:
        cfg: the options.
        transformer: the only module with weights.
        convention: how the fine-tuning method predicts.
    """

    def __init__(self, cfg: ModelOptions, transformer: Transformer, convention: Convention) -> None:
        super().__init__()
        self.cfg, self.transformer, self.convention = cfg, transformer, convention

    @classmethod
    def build_model(cls, cfg: ModelOptions, task: FairseqTask) -> "S2SFTModel":
        """Builds the model for the task's vocabulary, randomly initialized."""
        transformer = Transformer(transformer_shape(cfg, len(task.target_dictionary)))
        return cls(cfg, transformer, task.objective.convention)

    def forward(
        self,
        src_tokens: Optional[Tensor] = None,
        src_lengths: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
        slots: Optional[Dict[str, Tensor]] = None,
        source_length: Optional[int] = None,
        labelled_from: int = 0,
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Scores targets, in one of two ways.

        Training gives ``slots`` (fields [B, L]), ``source_length`` (S) and ``labelled_from`` (no slot before it has a
        label), and gets the logits of the labelled slots [N, V], sentence by sentence. fairseq's scorers give
        ``src_tokens`` [B, S] and ``prev_output_tokens`` [B, T], and get the noise-free logits of the whole target
        [B, T, V], whatever the fine-tuning method.
        """
        if slots is not None and source_length is not None:
            packed = Slots(**slots)
            hidden = self.hidden(packed, source_length, labelled_from)
            return self.transformer.logits(hidden[packed.label[:, labelled_from:].ne(IGNORE)]), {}
        assert src_tokens is not None and prev_output_tokens is not None
        target = self.target_of(prev_output_tokens)
        packed = lay_out(src_tokens, target, self.convention).packed()
        hidden = self.hidden(packed, src_tokens.size(1), packed.token.size(1) - target.size(1))
        return self.transformer.logits(hidden), {}

    def hidden(self, packed: Slots, source_length: int, start: int = 0) -> Tensor:
        """Hidden states of packed slots from ``start`` on, [B, L − start, H]."""
        self.check_precision()
        return self.transformer(packed, FullPass(packed, source_length, self.transformer.bias), start)

    def target_of(self, prev_output_tokens: Tensor) -> Tensor:
        """The target [B, T] whose shifted form is ``prev_output_tokens`` [B, T]: its tokens, then the end."""
        length = prev_output_tokens.ne(self.convention.pad).sum(1, keepdim=True)
        target = prev_output_tokens.roll(-1, dims=1)
        order = torch.arange(target.size(1), device=target.device)
        target = target.masked_fill(order.eq(length - 1), self.convention.end)
        return target.masked_fill(order.ge(length), self.convention.pad)

    def check_precision(self) -> None:
        """Refuses float16 on a CPU, where it is slow and overflows."""
        weight = self.transformer.embeddings.token.weight
        if weight.dtype is torch.float16 and weight.device.type == "cpu":
            raise UserError("--fp16 needs a GPU and found a CPU; leave --fp16 out")

    @property
    def encoder(self) -> "SourceFace":
        """The face that reads sources."""
        return SourceFace(self)

    @property
    def decoder(self) -> "TargetFace":
        """The face that predicts targets."""
        return TargetFace(self)

    def max_positions(self) -> Tuple[int, int]:
        """Longest source and target, special tokens included."""
        return self.cfg.max_source_positions, self.cfg.max_target_positions

    def max_decoder_positions(self) -> int:
        """Longest target, its end included."""
        return self.cfg.max_target_positions


class Face:
    """Mixed into a face of the model: it refers to the model without registering its weights a second time."""

    def refer_to(self, model: S2SFTModel) -> None:
        object.__setattr__(self, "model", model)


class SourceFace(FairseqEncoder, Face):
    """The model as the encoder of fairseq's generators: sources to the cache that decoding reads."""

    model: S2SFTModel

    def __init__(self, model: S2SFTModel) -> None:
        super().__init__(dictionary=None)
        self.refer_to(model)

    def forward(self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, **unused: Any) -> SourceCache:
        """``src_tokens`` [B, S] → the keys and values of every layer, once a sentence."""
        self.model.check_precision()
        slots = source_slots(src_tokens, self.model.convention)
        source_pass = SourcePass(slots, self.model.transformer.bias)
        self.model.transformer(slots, source_pass, start=src_tokens.size(1))
        return SourceCache(slots, source_pass.kept, beam=1)

    def reorder_encoder_out(self, encoder_out: SourceCache, new_order: Tensor) -> SourceCache:
        return encoder_out.reorder(new_order)

    def max_positions(self) -> int:
        return self.model.max_positions()[0]


class TargetFace(FairseqIncrementalDecoder, Face):
    """The model as the incremental decoder of fairseq's generators: ``[last token, query]`` a step."""

    model: S2SFTModel
    CACHE = "s2s_ft_target"

    def __init__(self, model: S2SFTModel) -> None:
        super().__init__(dictionary=None)
        self.refer_to(model)

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: SourceCache,
        incremental_state: Optional[Dict[str, Any]] = None,
        **unused: Any,
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Predicts the token after ``prev_output_tokens`` [R, 1 + t]: logits [R, 1, V]."""
        state: Dict[str, Any] = {} if incremental_state is None else incremental_state
        cache = state.setdefault(self.CACHE, TargetCache())
        slots = next_slots(
            prev_output_tokens, self.model.convention, source_length=encoder_out.lengths(), known=len(cache)
        )
        transformer = self.model.transformer
        step_pass = StepPass(slots, encoder_out, cache, transformer.bias)
        hidden = transformer(slots, step_pass, start=slots.token.size(1) - 1)
        return transformer.logits(hidden), {"attn": None}

    def reorder_incremental_state(self, incremental_state: Dict[str, Any], new_order: Tensor) -> None:
        if self.CACHE in incremental_state:
            incremental_state[self.CACHE].reorder(new_order)

    def max_positions(self) -> int:
        return self.model.max_decoder_positions()


class Size(NamedTuple):
    """What tells one architecture from another."""

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int


ARCHITECTURES: List[Tuple[str, Size]] = [
    ("s2s_ft_large", Size(24, 1024, 4096, 16)),
    ("s2s_ft_minilm", Size(12, 384, 1536, 12)),
    ("s2s_ft_tiny", Size(2, 128, 512, 2)),
]


def register_size(name: str, size: Size) -> None:
    """Makes a size a value of ``--arch``: it sets what the user did not."""

    @register_model_architecture("s2s_ft", name)
    def architecture(args: Namespace) -> None:
        for option, value in size._asdict().items():
            setattr(args, option, getattr(args, option, value))


for architecture_name, architecture_size in ARCHITECTURES:
    register_size(architecture_name, architecture_size)
