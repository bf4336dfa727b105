"""The task ``s2s_ft``: vocabulary, data, model and search of seq2seq fine-tuning."""

import logging
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type

from fairseq.data import FairseqDataset, ListDataset, data_utils
from fairseq.optim import FairseqOptimizer
from fairseq.tasks import FairseqTask, register_task
from fairseq.tasks.fairseq_task import StatefulContainer
from torch import Tensor

from ..common.errors import UserError
from ..common.host import fairseq_command
from ..common.registered_options import check_declared
from ..data.binarized import (
    BinarizedSplit,
    MaxLengths,
    Pair,
    data_folder,
    data_folders,
    frame_pair,
    shared_vocabulary,
)
from ..data.odd_tokens import SpecialTokens, UnknownTokens, warn_of_unknown
from ..data.pair_dataset import PairDataset
from ..data.shards import batches_of_shard, check_shard, end_without_batches
from ..models.options import ModelOptions, table_sizes
from ..models.seq2seq_model import S2SFTModel
from ..objectives.finetuning import OBJECTIVES, FinetuningObjective
from ..objectives.packed_batch import PackedBatch
from ..search.generator import S2SFTGenerator
from ..search.option_checks import check_search
from ..search.options import check_same_layout, generator_arguments
from ..text.dictionary import PretrainedDictionary
from . import new_model
from .changed_settings import Settings, starting_checkpoint, warn_of_changes
from .criterion import SlotCriterion
from .finetuning_options import TaskOptions
from .new_model import NewModel
from .progress import Progress
from .start_checks import check_training, damage_reported
from .validation import Evaluation, carried_tokenizer
from .validation_options import metric_names

logger = logging.getLogger(__name__)


@register_task("s2s_ft", dataclass=TaskOptions)
class S2SFTTask(FairseqTask):
    """Fine-tunes a pretrained encoder on sentence pairs, and generates.

    The model is always built before data are loaded. Options that shape both (method, lengths, segments) are its own.

    Args:
        cfg: the options.
        dictionary: the pretrained vocabulary, for source and target.
    """

    cfg: TaskOptions
    objective: FinetuningObjective
    model_cfg: ModelOptions
    model: S2SFTModel
    special_tokens: SpecialTokens
    label_smoothing = 0.1  # unless the user chooses it
    losses: Tuple[str, ...] = ()  # parts of the loss that are logged apart

    def __init__(self, cfg: TaskOptions, dictionary: PretrainedDictionary) -> None:
        super().__init__(cfg)
        self.dictionary = dictionary
        self.progress = Progress(cfg)
        self.evaluation: Optional[Evaluation] = None
        self.starts_from: Optional[Path] = None
        self.unknown_tokens = UnknownTokens(dictionary, "the input")

    def __getstate__(self) -> Dict[str, Any]:
        """What is copied and pickled: everything, but fairseq's container of the state, which cannot be copied."""
        return {**vars(self), "state": dict(self.state.state_dict)}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        """The inverse of :meth:`__getstate__`."""
        self.__dict__.update(state, state=StatefulContainer())
        self.state.merge_state_dict(state["state"])

    @classmethod
    def setup_task(cls, cfg: TaskOptions, **kwargs: Any) -> "S2SFTTask":
        """Loads the vocabulary beside the binarized data, which both sides and all folders share.

        Raises:
            UserError: no data directory, no vocabulary in it, two different ones, or --left-pad-source.
        """
        if str(cfg.left_pad_source).lower() not in ("false", "0", "no"):
            raise UserError(
                f"--left-pad-source {cfg.left_pad_source}: this task packs slots padded on the right; leave it out"
            )
        folders = data_folders(cfg.data)
        if cfg.source_lang is None or cfg.target_lang is None:
            cfg.source_lang, cfg.target_lang = data_utils.infer_language_pair(str(folders[0]))
        if cfg.source_lang is None or cfg.target_lang is None:
            raise UserError(f"{folders[0]} has no binarized pairs; expected the output of fairseq-preprocess")
        languages = str(cfg.source_lang), str(cfg.target_lang)
        vocabularies = {folder: cls.joined_vocabulary(folder, languages=languages) for folder in folders}
        return cls(cfg, shared_vocabulary(vocabularies))

    @classmethod
    def joined_vocabulary(cls, folder: Path, *, languages: Tuple[str, str]) -> PretrainedDictionary:
        """The vocabulary of both sides; raises UserError if they have two."""
        source, target = (folder / f"dict.{language}.txt" for language in languages)
        vocabulary = cls.load_dictionary(source)
        # fairseq-preprocess --only-source writes none for the target
        if target.exists() and cls.load_dictionary(target).fingerprint() != vocabulary.fingerprint():
            raise UserError(
                f"{folder}: source and target were binarized with different vocabularies; "
                "run fairseq-preprocess with --srcdict VOCAB --joined-dictionary"
            )
        return vocabulary

    @classmethod
    def load_dictionary(cls, filename: Any) -> PretrainedDictionary:
        """Reads the vocabulary of a pretrained model, or the copy of it saved by fairseq-preprocess."""
        return PretrainedDictionary.load(filename)

    @classmethod
    def build_dictionary(cls, filenames: Sequence[str], **kwargs: Any) -> PretrainedDictionary:
        """Raises UserError: the vocabulary is that of a pretrained model, so none is built."""
        raise UserError("fairseq-preprocess was given no vocabulary; add --srcdict PRETRAINED_DIR --joined-dictionary")

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> S2SFTModel:
        """Builds the model; a new one takes sizes and weights from ``--pretrained``.

        A model from a checkpoint does not, unless the checkpoint holds adapters only.

        Raises:
            UserError: a vocabulary that does not belong to the weights, or weights that cannot be used.
        """
        if from_checkpoint:
            with damage_reported(cfg):
                return self.planned_model(new_model.plan(cfg, self.dictionary, is_trained=True, last_checkpoint=None))
        self.check_training()
        self.starts_from = starting_checkpoint(self.cfg)
        planned = new_model.plan(cfg, self.dictionary, is_trained=False, last_checkpoint=self.starts_from)
        cfg.update(planned.options)  # fairseq's checkpoints store this very object
        return self.planned_model(planned)

    def planned_model(self, planned: NewModel) -> S2SFTModel:
        """Builds a planned model, which this task trains, or generates with."""
        self.adopt(planned)
        self.model = new_model.build(planned)
        return self.model

    def adopt(self, planned: NewModel) -> None:
        """Adopts what the plan of the model decides about vocabulary and layout.

        Raises:
            UserError: an option that belongs to another fine-tuning method.
        """
        self.dictionary.grow(planned.dictionary.symbols)
        self.model_cfg = planned.options
        check_declared(self.cfg, str(planned.options.finetune_method), OBJECTIVES, "--finetune-method")
        self.objective = planned.method(self.dictionary, planned.segments, self.cfg)
        self.state.merge_state_dict(planned.task_state)
        separator = [self.dictionary.eos()] if planned.segments.parts else []
        self.special_tokens = SpecialTokens(self.dictionary, allowed=separator)

    def check_training(self) -> None:
        """Raises UserError for options with which training cannot start; other tasks refuse more."""
        check_training(self.cfg)

    def build_bpe(self, args: Any) -> Any:
        """As fairseq's, but fairseq-interactive without ``--bpe`` uses the tokenizer that the checkpoint contains.

        That is loaded by then. Input that is tokenized already needs ``--bpe s2s_ft_pieces``.
        """
        bpe = super().build_bpe(args)
        if bpe is None and fairseq_command() == "interactive":
            bpe = carried_tokenizer(self)
            if bpe is not None:
                logger.info(
                    "the input is tokenized as the checkpoint says; --bpe s2s_ft_pieces: it is tokenized already"
                )
        return bpe

    def build_criterion(self, cfg: Any) -> SlotCriterion:
        """Builds the loss, which must be one over labelled slots: any other would train without the method's noise."""
        if getattr(cfg, "label_smoothing", 0.0) is None:
            cfg.label_smoothing = self.label_smoothing
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, SlotCriterion):
            name = getattr(cfg, "_name", type(criterion).__name__)
            raise UserError(f"--criterion {name} ignores labelled slots; expected --criterion s2s_ft_label_smoothed")
        if self.starts_from is not None:
            resumes = str(self.starts_from) != self.cfg.finetune_from_model
            warn_of_changes(self.starts_from, Settings(self.model_cfg, self.cfg, cfg), resumes=resumes)
        elif self.cfg.bf16:  # fairseq-validate; the trainer rounds a model that it trains itself
            self.model.bfloat16()
        self.evaluation = Evaluation(self, self.model, self.cfg) if metric_names(self.cfg) else None
        return criterion

    def get_batch_iterator(self, *args: Any, **options: Any) -> Any:
        """As fairseq's, but of the shard, and without its read-ahead thread, which aborts a process in mid-epoch.

        Raises:
            UserError: there is no such shard, or it has no batch to validate.
        """
        check_shard(self.cfg.shard_id, self.cfg.num_shards)
        options = batches_of_shard(self.cfg.shard_id, self.cfg.num_shards, options)
        batches = super().get_batch_iterator(*args, **{**options, "data_buffer_size": 0})
        if self.cfg.num_shards > 1:
            end_without_batches(self.cfg.shard_id, self.cfg.num_shards, len(batches.frozen_batches))
        if batches.dataset.seed is not None:
            self.progress.begin(batches)
        elif self.evaluation is not None:
            self.evaluation.begin(batches)
        return batches

    def train_step(self, sample: Dict[str, Any], *args: Any, **options: Any) -> Tuple[Tensor, Any, Dict[str, Any]]:
        """As fairseq's, and counts the packed slots."""
        loss, sample_size, logging_output = super().train_step(sample, *args, **options)
        return loss, sample_size, {**logging_output, "nslots": PackedBatch.from_sample(sample).count_slots()}

    def valid_step(self, sample: Dict[str, Any], model: S2SFTModel, criterion: SlotCriterion) -> Any:
        """As fairseq's; a shard may end with a batch of nothing, which adds nothing."""
        if not sample:
            return 0, 0, dict.fromkeys(("loss", "nll_loss", "ntokens", "nsentences", "sample_size"), 0)
        return super().valid_step(sample, model, criterion)

    def optimizer_step(self, optimizer: FairseqOptimizer, model: S2SFTModel, update_num: int) -> None:
        """As fairseq's, and counts the updates."""
        super().optimizer_step(optimizer, model, update_num)
        self.progress.after_update(update_num)

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: SlotCriterion) -> None:
        """Logs the loss, in training also the progress, in validation also the figures of generated text."""
        if criterion.training:
            self.progress.log(logging_outputs)
        elif self.evaluation is not None:
            self.evaluation.log()
        super().reduce_metrics(logging_outputs, criterion)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Loads a split; only training data get noise.

        Raises:
            UserError: the split is missing, or source and target differ in their number of lines.
        """
        training = split == self.cfg.train_subset
        binarized = BinarizedSplit(data_folder(self.cfg.data, epoch) / split, self.dictionary, self.cfg.dataset_impl)
        pair = binarized.pair(str(self.cfg.source_lang), str(self.cfg.target_lang), with_target=training)
        for side, lines in pair._asdict().items():
            warn_of_unknown(lines, self.dictionary, f"{binarized.prefix}, {side}s")
        self.datasets[split] = self.pairs(*pair, training=training)

    def pairs(
        self, source: FairseqDataset, target: Optional[FairseqDataset], *, training: bool, **options: Any
    ) -> PairDataset:
        """Frames and cuts both sides as the fine-tuning method requires."""
        layout = self.objective.layout
        framed = frame_pair(
            Pair(source, target),
            self.dictionary,
            layout=layout,
            max_parts=layout.segments.max_parts(table_sizes(self.model_cfg)),
            max_lengths=self.max_lengths(),
        )
        return PairDataset(
            *framed,
            objective=self.objective,
            seed=self.cfg.seed if training else None,
            src_dict=self.dictionary,
            tgt_dict=self.dictionary,
            num_buckets=self.cfg.num_batch_buckets,
            pad_to_multiple=self.cfg.required_seq_len_multiple,
            **options,
        )

    def max_lengths(self) -> MaxLengths:
        """The lengths to which the sides of a pair are cut; None: they are not."""
        source, target = self.max_positions()
        cut_source, cut_target = self.cfg.truncate_source == "yes", self.cfg.truncate_target == "yes"
        return MaxLengths(source if cut_source else None, target if cut_target else None)

    def build_dataset_for_inference(
        self,
        src_tokens: List[Tensor],
        src_lengths: List[int],
        constraints: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> PairDataset:
        """Frames and cuts raw sources (each with its end token) as in training.

        Raises:
            UserError: --num-shards, which is not for text that is read as it comes.
        """
        if self.cfg.num_shards > 1:
            raise UserError(
                "--num-shards: fairseq-interactive answers all lines that it reads; leave it out, or divide the text "
                "with python -m s2sft_fairseq.generate --num-shards"
            )
        self.unknown_tokens.count(src_tokens)
        self.special_tokens.read(src_tokens)
        source = ListDataset(src_tokens, src_lengths)
        return self.pairs(source, None, training=False, constraints=constraints)

    def build_generator(
        self,
        models: List[S2SFTModel],
        args: Any,
        seq_gen_cls: Optional[Type] = None,
        extra_gen_cls_kwargs: Optional[Dict[str, Any]] = None,
        prefix_allowed_tokens_fn: Any = None,
    ) -> Any:
        """fairseq's generator for these search flags, of our subclass unless the caller passes another class."""
        check_same_layout([model.layout for model in models], [str(model.cfg.finetune_method) for model in models])
        check_search(args, self.datasets.values(), len(self.dictionary))
        extra = dict(extra_gen_cls_kwargs or {})
        if seq_gen_cls is None and not getattr(args, "score_reference", False):
            seq_gen_cls = S2SFTGenerator
            extra.update(generator_arguments(self.cfg, args, self.dictionary))
        return super().build_generator(models, args, seq_gen_cls, extra, prefix_allowed_tokens_fn)

    def filter_indices_by_size(
        self,
        indices: Any,
        dataset: FairseqDataset,
        max_positions: Any = None,
        ignore_invalid_inputs: bool = False,
    ) -> Any:
        """As fairseq's, but pairs that are too long raise an error of one line that says what to do."""
        kept, ignored = dataset.filter_indices_by_size(indices, max_positions)
        if len(ignored) and not ignore_invalid_inputs:
            raise UserError(
                f"{len(ignored):,} pairs are longer than {max_positions}, the first is number {ignored[0]}; let "
                "--truncate-source and --truncate-target cut them, or add --skip-invalid-size-inputs-valid-test"
            )
        if len(ignored):
            logger.warning(f"{len(ignored):,} pairs are longer than {max_positions} and are skipped")
        return kept

    def max_positions(self) -> Any:
        """Maximum lengths of source and target, special tokens included."""
        return self.model_cfg.max_source_positions, self.model_cfg.max_target_positions

    @property
    def source_dictionary(self) -> PretrainedDictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> PretrainedDictionary:
        return self.dictionary
