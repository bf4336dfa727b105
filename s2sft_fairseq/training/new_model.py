"""A new model in one pass: everything is decided first (the plan), then the model is built.

One decision passes its results to the next as arguments; the options and the dictionary given are never changed.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Type

import torch

from ..common.checkpoint_files import load_checkpoint
from ..common.errors import UserError
from ..models.adapters import apply_adapters, has_adapters
from ..models.freezing import apply_freezing
from ..models.layers.transformer import Transformer, TransformerShape
from ..models.options import ModelOptions, complete, method_of, segments_of, transformer_shape
from ..models.partial_checkpoints import trained_part
from ..models.seq2seq_model import S2SFTModel
from ..objectives.finetuning import OBJECTIVES, FinetuningObjective
from ..objectives.slots import PredictionLayout
from ..objectives.source_layouts import Segments
from ..pretrained import checkpoint
from ..pretrained.checkpoint import Pretrained
from ..pretrained.initialization import copied_rows, initialize_from_pretrained
from ..pretrained.vocabulary_match import added_tokens
from ..text import checkpoint_vocabulary
from ..text.dictionary import PretrainedDictionary
from ..text.special_tokens import is_ordinary
from .optimizer import mark_parameters


@dataclass(frozen=True)
class NewModel:
    """Everything that is decided about a model before its first tensor is made.

    Attributes:
        options: complete; a checkpoint stores them.
        method: the fine-tuning method.
        segments: token types and dialogue turns.
        shape: of the Transformer.
        dictionary: that of the data, with the tokens that the model adds.
        pretrained: provides the tensors; None: they are initialized at random, or loaded from a checkpoint.
        fresh_tokens: those without rows of their own in the pretrained weights.
        task_state: what checkpoints contain in addition to the model: the vocabulary and its files.
    """

    options: ModelOptions
    method: Type[FinetuningObjective]
    segments: Segments
    shape: TransformerShape
    dictionary: PretrainedDictionary
    pretrained: Optional[Pretrained]
    fresh_tokens: Sequence[str]
    task_state: Mapping[str, Any]

    @property
    def layout(self) -> PredictionLayout:
        """How the fine-tuning method lays out a pair for prediction."""
        return self.method.prediction_layout(self.dictionary, self.segments)


class Beginning(NamedTuple):
    """What a model starts from.

    Attributes:
        pretrained: opened weights; None: random ones, or those of a checkpoint.
        shape: the options that these weights decide.
        added_tokens: those beyond the vocabulary of the pretrained weights, or of the data.
        task_state: as in :class:`NewModel`; None: not made yet.
    """

    pretrained: Optional[Pretrained]
    shape: Mapping[str, Any]
    added_tokens: Sequence[str]
    task_state: Optional[Mapping[str, Any]] = None


def plan(
    cfg: ModelOptions, dictionary: PretrainedDictionary, *, is_trained: bool, last_checkpoint: Optional[Path]
) -> NewModel:
    """Plans a model; changes neither the options nor the dictionary.

    Args:
        cfg: the options of the command line, or of the checkpoint that the model comes from.
        dictionary: of the data.
        is_trained: whether the model comes from a checkpoint.
        last_checkpoint: what training starts from; None: no checkpoint.

    Raises:
        UserError: a vocabulary that does not belong to the weights, or weights that cannot be used.
    """
    method = OBJECTIVES[method_of(cfg)]
    begin = trained_beginning(cfg) if is_trained else beginning(cfg, dictionary, last_checkpoint)
    special = [token for token in begin.added_tokens if not is_ordinary(token)]
    grown = dictionary.grown([*special, *method.extra_tokens])
    vocabulary = grown.fingerprint()
    check_fingerprint(cfg.vocabulary, vocabulary)
    decided = {
        "finetune_method": method_of(cfg),
        "added_tokens": " ".join(begin.added_tokens),
        "vocabulary": vocabulary,
    }
    options = complete(cfg, begin.shape, **decided)
    return NewModel(
        options=options,
        method=method,
        segments=segments_of(options),
        shape=transformer_shape(options, len(grown)),
        dictionary=grown,
        pretrained=begin.pretrained,
        fresh_tokens=begin.pretrained.lacks(begin.added_tokens) if begin.pretrained else [],
        task_state=carried_vocabulary(grown, begin) if begin.task_state is None else begin.task_state,
    )


def trained_beginning(cfg: ModelOptions) -> Beginning:
    """What the model of a checkpoint starts from: nothing else, since its options are complete.

    If the checkpoint holds adapters only, the other weights are read from the pretrained directory again.

    Raises:
        UserError: that directory does not exist.
    """
    pretrained = None
    if getattr(cfg, "save_adapter_only", False):  # not in older checkpoints
        pretrained = checkpoint.read_base(Path(cfg.pretrained or ""), cfg.adapter_base_family)
    return Beginning(pretrained, {}, cfg.added_tokens.split(), task_state={})


def beginning(cfg: ModelOptions, dictionary: PretrainedDictionary, last_checkpoint: Optional[Path]) -> Beginning:
    """What a model that is about to be trained starts from.

    A run that resumes does not need the pretrained directory: if that does not exist, the last checkpoint provides
    sizes and vocabulary.

    Raises:
        UserError: a vocabulary that does not belong to the weights, or weights that cannot be used.
    """
    extra = OBJECTIVES[method_of(cfg)].extra_tokens
    if not cfg.pretrained:
        return Beginning(None, {}, [*cfg.added_tokens.split(), *(token for token in extra if token not in dictionary)])
    directory = Path(cfg.pretrained)
    if last_checkpoint is not None and not directory.exists() and not cfg.save_adapter_only:
        state = load_checkpoint(str(last_checkpoint))
        trained = state["cfg"]["model"]
        return Beginning(None, trained, trained["added_tokens"].split(), state["task_state"])
    pretrained = checkpoint.read(directory, cfg.pretrained_type)
    return Beginning(
        pretrained, pretrained.options(), added_tokens(pretrained, dictionary, add=cfg.vocab_add, extra=extra)
    )


def check_fingerprint(trained_with: Optional[str], found: str) -> None:
    """Raises UserError if a model was trained (not None) with another vocabulary than that of the data."""
    if trained_with not in (None, found):
        raise UserError(
            f"the data were binarized with vocabulary {found} but the model was trained with {trained_with}; "
            "binarize them with the dict.*.txt of the training data"
        )


def carried_vocabulary(dictionary: PretrainedDictionary, begin: Beginning) -> Dict[str, Any]:
    """The part of the task's state that checkpoints contain: the dictionary and the vocabulary files."""
    source = begin.pretrained.directory if begin.pretrained and begin.pretrained.vocabulary else None
    return {checkpoint_vocabulary.KEY: checkpoint_vocabulary.pack(dictionary, source=source, added=begin.added_tokens)}


def build(planned: NewModel) -> S2SFTModel:
    """Builds the model, loads its pretrained tensors, and sets what is trained."""
    on_meta = torch.device("meta") if planned.pretrained else nullcontext()
    with on_meta:  # pretrained tensors become the model's own, so there is only one copy in memory
        model = S2SFTModel(planned.options, Transformer(planned.shape), planned.layout)
    if planned.pretrained:
        copies = copied_rows(planned.fresh_tokens, planned.method.copied_from, planned.dictionary)
        initialize_from_pretrained(model.transformer, planned.pretrained, copies)
    prepare_tuning(model, planned.pretrained)
    return model


def prepare_tuning(model: S2SFTModel, pretrained: Optional[Pretrained]) -> None:
    """Adds adapters, freezes what is not trained, and records what the optimizer and checkpoints need to know."""
    options, transformer = model.cfg, model.transformer
    if has_adapters(options):
        apply_adapters(transformer, options, frozen_layers=options.freeze_layers)
    apply_freezing(transformer, options)
    mark_parameters(transformer)
    if options.save_adapter_only and pretrained:
        model.part = trained_part(transformer, pretrained.shapes)
