"""The options of the task ``s2s_ft``: those of the data, and those declared in the files of other features."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum
from omegaconf import II

from ..common.registered_options import with_options_of
from ..objectives.finetuning import OBJECTIVES, CorruptionOptions
from ..search.options import SearchOptions
from .progress import ProgressOptions
from .validation_options import ValidationOptions

YES_NO = ChoiceEnum(["yes", "no"])


@with_options_of(OBJECTIVES)
@dataclass
class TaskOptions(CorruptionOptions, SearchOptions, ValidationOptions, ProgressOptions):
    """All options of the task: data, noise, search, validation and progress."""

    data: Optional[str] = field(
        default=None, metadata={"help": "directory written by fairseq-preprocess, or several separated by colons"}
    )
    source_lang: Optional[str] = field(
        default=None, metadata={"help": "suffix of source files", "argparse_alias": "-s"}
    )
    target_lang: Optional[str] = field(
        default=None, metadata={"help": "suffix of target files", "argparse_alias": "-t"}
    )
    truncate_source: YES_NO = field(  # type: ignore[valid-type]
        default="yes",
        metadata={
            "help": "cut sources to --max-source-positions, but keep the end token (default: yes; no: fairseq stops "
            "at pairs that are too long, or skips them)",
            "argparse_const": "yes",
        },
    )
    truncate_target: YES_NO = field(  # type: ignore[valid-type]
        default="yes",
        metadata={"help": "the same for targets and --max-target-positions", "argparse_const": "yes"},
    )
    left_pad_source: str = field(
        default="False", metadata={"help": "only False is supported: slots are padded on the right, block by block"}
    )
    dataset_impl: Optional[str] = II("dataset.dataset_impl")
    train_subset: str = II("dataset.train_subset")
    required_seq_len_multiple: int = II("dataset.required_seq_len_multiple")
    num_batch_buckets: int = field(
        default=0, metadata={"help": "pad lengths to this many sizes (for XLA devices); 0: no buckets"}
    )
    seed: int = II("common.seed")
    fp16: bool = II("common.fp16")
    bf16: bool = II("common.bf16")
    num_shards: int = II("dataset.num_shards")
    shard_id: int = II("dataset.shard_id")
    cpu: bool = II("common.cpu")
    save_dir: str = II("checkpoint.save_dir")
    restore_file: str = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")
    reuse_dataloader: bool = field(
        default=False,
        metadata={"help": "(leave off) keep data workers for several epochs; they would repeat the noise"},
    )
