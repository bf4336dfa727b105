"""The task ``s2s_ft``: vocabulary, data, model and search of seq2seq fine-tuning."""

import logging
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type

import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu
from fairseq.data import FairseqDataset, ListDataset, data_utils
from fairseq.optim import FairseqOptimizer
from fairseq.tasks import FairseqTask, register_task
from torch import Tensor

from ..common.errors import UserError
from ..common.registered_options import check_declared
from ..data.binarized import MaxLengths, Pair, data_folder, data_folders, framed, read_pair, shared_vocabulary
from ..data.pair_dataset import PairDataset
from ..models.adapters import note_base
from ..models.options import ModelOptions, adopt_shape, resolve_options, segments_of, table_sizes
from ..models.partial_checkpoints import open_base
from ..models.seq2seq_model import S2SFTModel
from ..objectives.finetuning import OBJECTIVES, FinetuningObjective
from ..pretrained import checkpoint as pretrained
from ..pretrained.checkpoint import Pretrained, check_vocabulary, tokens_beyond
from ..pretrained.initialization import copied_rows, initialize_from_pretrained
from ..search.generator import S2SFTGenerator
from ..search.option_checks import check_search
from ..search.options import check_models, generator_arguments
from ..text import checkpoint_vocabulary as checkpoint_vocabulary
from ..text.dictionary import PretrainedDictionary
from ..text.special_tokens import is_ordinary
from .criterion import SlotCriterion
from .finetuning_options import TaskOptions
from .progress import Progress, count_slots
from .tuning import prepare_tuning
from .validation import Evaluation, check_validation, metric_names

logger = logging.getLogger(__name__)


@register_task("s2s_ft", dataclass=TaskOptions)
class S2SFTTask(FairseqTask):
    """Fine-tunes a pretrained encoder on sentence pairs, and generates.

    The model is always built before data are loaded; what shapes both (method, lengths, segments) is the model's.

    Args:
        cfg: the options.
        dictionary: the pretrained vocabulary, for source and target.
    """

    cfg: TaskOptions
    objective: FinetuningObjective
    model_cfg: ModelOptions
    model: S2SFTModel

    def __init__(self, cfg: TaskOptions, dictionary: PretrainedDictionary) -> None:
        super().__init__(cfg)
        self.dictionary = dictionary
        self.progress = Progress(cfg)
        self.evaluation: Optional[Evaluation] = None

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
        return cls(cfg, shared_vocabulary(folders, partial(cls.joined_vocabulary, languages=languages)))

    @classmethod
    def joined_vocabulary(cls, folder: Path, *, languages: Tuple[str, str]) -> PretrainedDictionary:
        """The vocabulary of both sides; raises UserError if they have two."""
        source, target = (folder / f"dict.{language}.txt" for language in languages)
        vocabulary = cls.load_dictionary(source)
        # there is no target's after fairseq-preprocess --only-source
        if target.exists() and cls.load_dictionary(target).fingerprint() != vocabulary.fingerprint():
            raise UserError(
                f"{folder}: source and target were binarized with different vocabularies; "
                "run fairseq-preprocess with --srcdict VOCAB --joined-dictionary"
            )
        return vocabulary

    @classmethod
    def load_dictionary(cls, filename: Any) -> PretrainedDictionary:
        """Reads the vocabulary of a pretrained model, or what fairseq-preprocess saved of it."""
        return PretrainedDictionary.load(filename)

    @classmethod
    def build_dictionary(cls, filenames: Sequence[str], **kwargs: Any) -> PretrainedDictionary:
        """A pretrained model brings its vocabulary, so none is built."""
        raise UserError("fairseq-preprocess was given no vocabulary; add --srcdict PRETRAINED_DIR --joined-dictionary")

    def build_model(self, cfg: ModelOptions, from_checkpoint: bool = False) -> S2SFTModel:
        """Builds the model; a new one takes sizes and weights from ``--pretrained``.

        One from a checkpoint does not, unless the checkpoint holds adapters only.

        Raises:
            UserError: a vocabulary that does not belong to the weights, or weights that cannot be used.
        """
        if from_checkpoint:
            opened = open_base(cfg) if getattr(cfg, "save_adapter_only", False) else None
        else:
            opened = self.prepare_new_model(cfg)
        resolve_options(cfg)
        method = OBJECTIVES[cfg.finetune_method]
        brought = (token for token in cfg.added_tokens.split() if not is_ordinary(token))
        self.dictionary.grow([*brought, *method.extra_tokens])
        self.check_fingerprint(cfg)
        self.model_cfg = cfg
        check_declared(self.cfg, str(cfg.finetune_method), OBJECTIVES, "--finetune-method")
        self.objective = method(self.dictionary, segments_of(cfg), self.cfg)
        with torch.device("meta") if opened else nullcontext():  # its tensors become the model's: one copy in memory
            model = super().build_model(cfg, from_checkpoint)
        if opened:
            fresh = opened.lacks(cfg.added_tokens.split())
            initialize_from_pretrained(
                model.transformer, opened, copied_rows(fresh, method.copied_from, self.dictionary)
            )
        if not from_checkpoint:
            self.carry_vocabulary(cfg, opened)
        prepare_tuning(model, opened)
        self.model = model
        return model

    def carry_vocabulary(self, cfg: ModelOptions, opened: Optional[Pretrained]) -> None:
        """Puts dictionary and vocabulary files into the task's state, with which fairseq's checkpoints carry them."""
        if checkpoint_vocabulary.KEY not in self.state_dict():
            source = opened.directory if opened and opened.vocabulary() else None
            packed = checkpoint_vocabulary.pack(self.dictionary, source=source, added=cfg.added_tokens.split())
            self.load_state_dict({checkpoint_vocabulary.KEY: packed})

    def prepare_new_model(self, cfg: ModelOptions) -> Optional[Pretrained]:
        """Opens ``--pretrained``, if given, and takes the sizes of a new model from it.

        A run that is about to resume needs the directory no longer: the checkpoint tells sizes and weights.
        """
        self.check_training()
        if not cfg.pretrained:
            return None
        directory, last = Path(cfg.pretrained), Path(self.cfg.save_dir, self.cfg.restore_file)
        if last.is_file() and not directory.exists() and not cfg.save_adapter_only:
            state = load_checkpoint_to_cpu(str(last))
            adopt_shape(cfg, state["cfg"]["model"])
            self.load_state_dict(state["task_state"])
            return None
        opened = pretrained.read(directory, cfg.pretrained_type)
        adopt_shape(cfg, opened.options())
        note_base(cfg, opened.family.name, opened.shapes)
        extra = OBJECTIVES[cfg.finetune_method].extra_tokens
        kept = tokens_beyond(opened, self.dictionary)
        self.dictionary.grow(kept)
        cfg.added_tokens = " ".join([*kept, *check_vocabulary(opened, self.dictionary, cfg.vocab_add, extra)])
        return opened

    def check_training(self) -> None:
        """Refuses what fairseq would trip over, or pass over in silence, when it starts to train."""
        if self.cfg.fp16 and (self.cfg.cpu or not torch.cuda.is_available()):
            raise UserError("--fp16 needs a GPU and found a CPU; leave --fp16 out")
        check_validation(self.cfg, SlotCriterion.logged)
        restore = self.cfg.restore_file
        if restore != "checkpoint_last.pt" and not Path(restore).is_file():
            raise UserError(f"--restore-file: no checkpoint {restore}; expected one, or no such flag")

    def check_fingerprint(self, cfg: ModelOptions) -> None:
        """Notes the vocabulary in a new model, and compares it with that of a trained one."""
        found = self.dictionary.fingerprint()
        if cfg.vocabulary not in (None, found):
            raise UserError(
                f"the data were binarized with vocabulary {found} but the model was trained with {cfg.vocabulary}; "
                "binarize them with the dict.*.txt of the training data"
            )
        cfg.vocabulary = found

    def build_criterion(self, cfg: Any) -> SlotCriterion:
        """Builds the loss, which must be one over labelled slots: others would train without the method's noise.

        Only training and validation have a loss, so what they need else is made here too.
        """
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, SlotCriterion):
            name = getattr(cfg, "_name", type(criterion).__name__)
            raise UserError(f"--criterion {name} knows no labelled slots; expected --criterion s2s_ft_label_smoothed")
        self.evaluation = Evaluation(self, self.model, self.cfg) if metric_names(self.cfg) else None
        return criterion

    def get_batch_iterator(self, *args: Any, **options: Any) -> Any:
        """As fairseq's, without its read-ahead thread, which aborts a process that ends in mid-epoch.

        The data workers read ahead all the same.
        """
        batches = super().get_batch_iterator(*args, **{**options, "data_buffer_size": 0})
        if batches.dataset.seed is not None:
            self.progress.begin(batches)
        elif self.evaluation is not None:
            self.evaluation.begin(batches)
        return batches

    def train_step(self, sample: Dict[str, Any], *args: Any, **options: Any) -> Tuple[Tensor, Any, Dict[str, Any]]:
        """As fairseq's, and counts the packed slots."""
        loss, sample_size, logging_output = super().train_step(sample, *args, **options)
        return loss, sample_size, {**logging_output, "nslots": count_slots(sample)}

    def optimizer_step(self, optimizer: FairseqOptimizer, model: S2SFTModel, update_num: int) -> None:
        """As fairseq's, and counts the updates."""
        super().optimizer_step(optimizer, model, update_num)
        self.progress.after_update(update_num)

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: SlotCriterion) -> None:
        """Logs what the loss tells, the progress of training, and the figures of text in validation."""
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
        languages = str(self.cfg.source_lang), str(self.cfg.target_lang)
        prefix = data_folder(self.cfg.data, epoch) / split
        pair = read_pair(prefix, languages, self.load_lines, paired=training)
        self.datasets[split] = self.pairs(*pair, training=training)

    def load_lines(self, path: Path) -> Optional[FairseqDataset]:
        """Binarized lines, or None when there are none."""
        return data_utils.load_indexed_dataset(str(path), self.dictionary, self.cfg.dataset_impl)

    def pairs(
        self, source: FairseqDataset, target: Optional[FairseqDataset], *, training: bool, **options: Any
    ) -> PairDataset:
        """Frames and cuts both sides as the fine-tuning method wants them."""
        layout = self.objective.layout
        parts = layout.segments.max_parts(table_sizes(self.model_cfg))
        pair = Pair(source, target)
        pair = framed(pair, self.dictionary, layout=layout, parts=parts, max_lengths=self.max_lengths())
        return PairDataset(
            *pair,
            objective=self.objective,
            seed=self.cfg.seed if training else None,
            src_dict=self.dictionary,
            tgt_dict=self.dictionary,
            num_buckets=self.cfg.num_batch_buckets,
            pad_to_multiple=self.cfg.required_seq_len_multiple,
            **options,
        )

    def max_lengths(self) -> MaxLengths:
        """Where the sides of a pair are cut."""
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
        """Frames and cuts raw sources (each with its end token) as in training."""
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
        """fairseq's generator for these search flags, on our subclass unless the caller brings one."""
        check_models(models)
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
        """As fairseq's, but what is too long ends in one line that says what to do."""
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
        """MaxLengths source and target, special tokens included."""
        return self.model_cfg.max_source_positions, self.model_cfg.max_target_positions

    @property
    def source_dictionary(self) -> PretrainedDictionary:
        return self.dictionary

    @property
    def target_dictionary(self) -> PretrainedDictionary:
        return self.dictionary
