"""The options of the model ``s2s_ft``: what shapes it, which of them pretrained weights decide, what is allowed."""

from dataclasses import dataclass, field, fields
from typing import Any, Mapping, Optional

from fairseq.dataclass import ChoiceEnum
from omegaconf import OmegaConf

from ..common.errors import UserError, check_probability
from ..objectives.finetuning import OBJECTIVES
from ..objectives.source_layouts import LAYOUTS, Segments, TableSizes
from .adapters import BASE, AdapterOptions, check_adapters, has_adapters
from .freezing import FreezingOptions, check_freezing
from .layers.transformer import TransformerShape

METHODS = ChoiceEnum(sorted(OBJECTIVES))
SOURCE_LAYOUTS = ChoiceEnum(list(LAYOUTS))


@dataclass
class ModelOptions(FreezingOptions, AdapterOptions):
    """Everything that shapes the model; stored in its checkpoints, so that generation needs none of these flags."""

    finetune_method: Optional[METHODS] = field(  # type: ignore[valid-type]
        default=None,
        metadata={
            "help": "how the encoder is turned into a generator (default: pseudo_masked; in pre-training, that of the "
            "objective)"
        },
    )
    pretrained: Optional[str] = field(
        default=None,
        metadata={
            "help": "directory of a pretrained encoder (configuration, vocabulary and weights), which sets the sizes "
            "below"
        },
    )
    pretrained_type: Optional[str] = field(
        default=None,
        metadata={"help": "its family, if the files do not show it; an unknown name lists all"},
    )
    vocab_add: Optional[str] = field(
        default=None,
        metadata={"help": "file of tokens, one per line, that the data have beyond the pretrained vocabulary"},
    )
    encoder_layers: int = field(default=12, metadata={"help": "number of layers"})
    encoder_embed_dim: int = field(default=768, metadata={"help": "hidden size"})
    encoder_ffn_embed_dim: int = field(default=3072, metadata={"help": "hidden size of the feed-forward sub-layers"})
    encoder_attention_heads: int = field(default=12, metadata={"help": "number of attention heads"})
    dropout: float = field(default=0.1, metadata={"help": "dropout after embeddings, attention and feed-forward"})
    attention_dropout: float = field(default=0.1, metadata={"help": "dropout of attention probabilities"})
    layer_norm_eps: float = field(default=1e-12, metadata={"help": "epsilon of LayerNorm"})
    type_vocab_size: Optional[int] = field(
        default=None,
        metadata={
            "help": "rows of the segment table (default: as pretrained, else 2; more: it grows; 0: no such table)"
        },
    )
    source_type_id: Optional[int] = field(
        default=None, metadata={"help": "segment of source tokens (default: as pretrained, else 0)"}
    )
    target_type_id: Optional[int] = field(
        default=None, metadata={"help": "segment of target tokens (default: as pretrained, else 1)"}
    )
    source_layout: SOURCE_LAYOUTS = field(  # type: ignore[valid-type]
        default="plain",
        metadata={
            "help": "what the end token ([SEP]) separates within a source: plain: nothing; columns: columns with "
            "segments of their own, from --source-type-id on; dialogue: utterances, oldest first, whose roles "
            "(segments) alternate and whose turns are counted back from the target; dialogues that are too long lose "
            "their oldest utterances; grounded_dialogue: knowledge, then a dialogue"
        },
    )
    turn_rows: Optional[int] = field(
        default=None,
        metadata={
            "help": "rows of the table of dialogue turns (default: as pretrained, else 0: no such table; more: it "
            "grows, or is added to an encoder that has none)"
        },
    )
    source_turn_id: int = field(
        default=0, metadata={"help": "dialogue turn of source tokens, unless --source-layout numbers turns"}
    )
    embedding_dim: int = field(default=0, metadata={"help": "width of the embedding tables; 0: the hidden size"})
    no_key_bias: bool = field(default=False, metadata={"help": "attention keys have no bias"})
    relative_buckets: int = field(default=0, metadata={"help": "number of buckets of relative positions; 0: none"})
    relative_distance: int = field(
        default=128, metadata={"help": "this distance and all beyond share a bucket of relative positions"}
    )
    max_source_positions: int = field(
        default=448,
        metadata={"help": "maximum length of a source, [CLS] and [SEP] included; longer ones lose their tail"},
    )
    max_target_positions: int = field(
        default=64, metadata={"help": "maximum length of a target, [SEP] included; longer ones lose their tail"}
    )
    position_rows: int = field(
        default=0, metadata={"help": "rows of the position table, unless the longest pair needs more"}
    )
    output_heads: str = field(
        default="",
        metadata={"help": "(set by the program) heads beside that of the language model, separated by commas"},
    )
    added_tokens: str = field(
        default="",
        metadata={"help": "(set by the program) tokens beyond the vocabulary of the pretrained encoder or the data"},
    )
    vocabulary: Optional[str] = field(
        default=None,
        metadata={"help": "(set by the program) fingerprint of the vocabulary that the model belongs to"},
    )


DEFAULT_METHOD = "pseudo_masked"
"""The fine-tuning method, unless another is chosen."""

DEFAULTS = {"type_vocab_size": 2, "turn_rows": 0, "source_type_id": 0, "target_type_id": 1}
"""The values of a new model where neither the user nor a pretrained model sets them."""

SHAPE = (
    "pretrained_type",
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
    "layer_norm_eps",
    "position_rows",
    "source_turn_id",
    "embedding_dim",
    "no_key_bias",
    "relative_buckets",
    "relative_distance",
)
"""The options that a pretrained model decides, whatever the user sets."""


def complete(cfg: ModelOptions, shape: Mapping[str, Any], **decided: Any) -> ModelOptions:
    """A copy of the options in which every option has its final value.

    Args:
        cfg: of the command line, or of a checkpoint, which may be older than some of the options.
        shape: what a pretrained or trained model decides; for the options in DEFAULTS, only if the user did not.
        **decided: further options that the program sets.

    Raises:
        UserError: values that no model can have.
    """
    config = cfg if OmegaConf.is_config(cfg) else OmegaConf.structured(cfg)
    values: Any = {option.name: config[option.name] for option in fields(ModelOptions) if option.name in config}
    taken = (*SHAPE, *BASE) if has_adapters(cfg) else SHAPE
    values.update({name: shape[name] for name in taken if name in shape})
    for name, default in DEFAULTS.items():
        if values.get(name) is None:
            values[name] = shape.get(name, default)
    values.update(decided)
    typed = OmegaConf.merge(OmegaConf.structured(ModelOptions()), values)
    options: Any = OmegaConf.create(OmegaConf.to_container(typed, enum_to_str=True))  # as fairseq stores them
    check_options(options)
    return options


def method_of(cfg: ModelOptions) -> str:
    """The fine-tuning method: the chosen one, or the default."""
    return str(cfg.finetune_method or DEFAULT_METHOD)


def segments_of(cfg: ModelOptions) -> Segments:
    """How the options assign segments and turns to sources and targets."""
    layout = LAYOUTS[str(cfg.source_layout)]
    return layout(int(cfg.source_type_id or 0), int(cfg.target_type_id or 0), cfg.source_turn_id)


def table_sizes(cfg: ModelOptions) -> TableSizes:
    """Rows of the tables of segments and turns."""
    return TableSizes(int(cfg.type_vocab_size or 0), int(cfg.turn_rows or 0))


def check_options(cfg: ModelOptions) -> None:
    """Raises UserError for values that no model can have."""
    check_probability("--dropout", cfg.dropout)
    check_probability("--attention-dropout", cfg.attention_dropout)
    check_freezing(cfg, cfg.encoder_layers)
    check_adapters(cfg, pretrained=cfg.pretrained, free_layers=cfg.encoder_layers - cfg.freeze_layers)
    for flag, row, rows, table in (
        ("--source-type-id", cfg.source_type_id, cfg.type_vocab_size, "segment table (--type-vocab-size)"),
        ("--target-type-id", cfg.target_type_id, cfg.type_vocab_size, "segment table (--type-vocab-size)"),
        ("--source-turn-id", cfg.source_turn_id, cfg.turn_rows, "table of turns (--turn-rows)"),
    ):
        if rows and not 0 <= int(row or 0) < rows:
            raise UserError(f"{flag} is {row}; expected 0 to {rows - 1}, the rows of the {table}")
    segments_of(cfg).check(table_sizes(cfg))
    for flag, length, special in (
        ("--max-source-positions", cfg.max_source_positions, 2),
        ("--max-target-positions", cfg.max_target_positions, 1),
    ):
        if length <= special:
            raise UserError(f"{flag} is {length}; expected more than its {special} special tokens")
    if cfg.encoder_embed_dim % cfg.encoder_attention_heads:
        raise UserError(
            f"the hidden size {cfg.encoder_embed_dim} is not a multiple of {cfg.encoder_attention_heads} attention "
            "heads; expected one that is"
        )


def transformer_shape(cfg: ModelOptions, vocab_size: int) -> TransformerShape:
    """The shape that complete options describe; the position table has enough rows for the longest pair."""
    longest = cfg.max_source_positions + cfg.max_target_positions + OBJECTIVES[method_of(cfg)].extra_positions
    return TransformerShape(
        vocab_size=vocab_size,
        embedding_size=cfg.embedding_dim or cfg.encoder_embed_dim,
        hidden_size=cfg.encoder_embed_dim,
        layers=cfg.encoder_layers,
        heads=cfg.encoder_attention_heads,
        ffn_size=cfg.encoder_ffn_embed_dim,
        positions=max(cfg.position_rows, longest),
        segments=int(cfg.type_vocab_size or 0),
        turns=int(cfg.turn_rows or 0),
        key_bias=not cfg.no_key_bias,
        relative_buckets=cfg.relative_buckets,
        relative_distance=cfg.relative_distance,
        layer_norm_eps=cfg.layer_norm_eps,
        dropout=cfg.dropout,
        attention_dropout=cfg.attention_dropout,
        output_heads=tuple(filter(None, cfg.output_heads.split(","))),
    )
