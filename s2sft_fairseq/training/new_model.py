"""A new model in one pass: everything is decided first (the plan), then the model is built.

What one decision leaves for the next is an argument, never a change of the options or the dictionary that came in.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Type

import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu

from ..common.errors import UserError
from ..models.adapters import apply_adapters, base_options, has_adapters
from ..models.freezing import apply_freezing
from ..models.layers.transformer import Transformer, TransformerShape
from ..models.options import ModelOptions, complete, segments_of, transformer_shape
from ..models.partial_checkpoints import trained_part
from ..models.seq2seq_model import S2SFTModel
from ..objectives.finetuning import OBJECTIVES, FinetuningObjective
from ..objectives.slots import PredictionLayout
from ..objectives.source_layouts import Segments
from ..pretrained import checkpoint
from ..pretrained.checkpoint import Pretrained
from ..pretrained.initialization import CopiedRow, copied_rows, initialize_from_pretrained
from ..pretrained.vocabulary_match import check_vocabulary, tokens_beyond
from ..text import checkpoint_vocabulary
from ..text.dictionary import PretrainedDictionary
from ..text.special_tokens import is_ordinary
from .optimizer import mark_parameters


@dataclass(frozen=True)
class NewModel:
    """All that is decided about a model before its first tensor is made.

    Attributes:
        options: complete; a checkpoint stores them.
        method: the fine-tuning method.
        segments: token types and dialogue turns.
        shape: of the Transformer.
        dictionary: that of the data, with the tokens that the model adds.
        pretrained: where its tensors come from; None: they are drawn at random, or a checkpoint brings them.
        copies: tokens without pretrained weights that begin as copies.
        task_state: what checkpoints are to carry beside the model: the vocabulary and its files.
    """

    options: ModelOptions
    method: Type[FinetuningObjective]
    segments: Segments
    shape: TransformerShape
    dictionary: PretrainedDictionary
    pretrained: Optional[Pretrained]
    copies: Sequence[CopiedRow]
    task_state: Mapping[str, Any]

    @property
    def layout(self) -> PredictionLayout:
        """How the fine-tuning method predicts."""
        return self.method.prediction_layout(self.dictionary, self.segments)


def plan(cfg: ModelOptions, dictionary: PretrainedDictionary, *, last_checkpoint: Path) -> NewModel:
    """Decides about a model that is about to be trained.

    Args:
        cfg: the options of the command line.
        dictionary: of the data.
        last_checkpoint: what training resumes from, if it is there. It tells sizes and vocabulary where the pretrained
            directory is gone: a resumed run needs that no longer.

    Raises:
        UserError: a vocabulary that does not belong to the weights, or weights that cannot be used.
    """
    if not cfg.pretrained:
        return settle(cfg, dictionary, {})
    directory = Path(cfg.pretrained)
    if last_checkpoint.is_file() and not directory.exists() and not cfg.save_adapter_only:
        state = load_checkpoint_to_cpu(str(last_checkpoint))
        return settle(cfg, dictionary, state["cfg"]["model"], task_state=state["task_state"])
    return plan_pretrained(cfg, dictionary, checkpoint.read(directory, cfg.pretrained_type))


def plan_pretrained(cfg: ModelOptions, dictionary: PretrainedDictionary, pretrained: Pretrained) -> NewModel:
    """Decides about a model that begins with pretrained weights."""
    kept = tokens_beyond(pretrained, dictionary)
    extra = OBJECTIVES[cfg.finetune_method].extra_tokens
    added = [*kept, *check_vocabulary(pretrained, dictionary.grown(kept), cfg.vocab_add, extra)]
    adapted = base_options(cfg, pretrained.family.name, pretrained.shapes)
    shape = {**pretrained.options(), **adapted, "added_tokens": " ".join(added)}
    return settle(cfg, dictionary, shape, pretrained=pretrained)


def plan_trained(cfg: ModelOptions, dictionary: PretrainedDictionary) -> NewModel:
    """Decides about the model of a checkpoint, whose options say it all.

    Where the checkpoint holds adapters alone, the other weights come from the pretrained directory again.

    Raises:
        UserError: the data have another vocabulary, or the pretrained directory is gone.
    """
    pretrained = None
    if getattr(cfg, "save_adapter_only", False):  # not in older checkpoints
        pretrained = checkpoint.read_base(Path(cfg.pretrained or ""), cfg.adapter_base_family)
    return settle(cfg, dictionary, {}, pretrained=pretrained, task_state={})


def settle(
    cfg: ModelOptions,
    dictionary: PretrainedDictionary,
    shape: Mapping[str, Any],
    *,
    pretrained: Optional[Pretrained] = None,
    task_state: Optional[Mapping[str, Any]] = None,
) -> NewModel:
    """Decides what follows from the options and from the shape that pretrained or trained weights have."""
    method = OBJECTIVES[cfg.finetune_method]
    added = str(shape.get("added_tokens", cfg.added_tokens)).split()
    grown = dictionary.grown([*(token for token in added if not is_ordinary(token)), *method.extra_tokens])
    vocabulary = grown.fingerprint()
    check_fingerprint(cfg.vocabulary, vocabulary)
    options = complete(cfg, shape, added_tokens=" ".join(added), vocabulary=vocabulary)
    return NewModel(
        options=options,
        method=method,
        segments=segments_of(options),
        shape=transformer_shape(options, len(grown)),
        dictionary=grown,
        pretrained=pretrained,
        copies=copied_rows(pretrained.lacks(added), method.copied_from, grown) if pretrained else [],
        task_state=carried_vocabulary(grown, pretrained, added) if task_state is None else task_state,
    )


def check_fingerprint(trained_with: Optional[str], found: str) -> None:
    """Raises UserError unless the data have the vocabulary that a model was trained with, if it was trained."""
    if trained_with not in (None, found):
        raise UserError(
            f"the data were binarized with vocabulary {found} but the model was trained with {trained_with}; "
            "binarize them with the dict.*.txt of the training data"
        )


def carried_vocabulary(
    dictionary: PretrainedDictionary, pretrained: Optional[Pretrained], added: Sequence[str]
) -> Dict[str, Any]:
    """The part of the task's state that checkpoints carry: dictionary and vocabulary files."""
    source = pretrained.directory if pretrained and pretrained.vocabulary else None
    return {checkpoint_vocabulary.KEY: checkpoint_vocabulary.pack(dictionary, source=source, added=added)}


def build(planned: NewModel) -> S2SFTModel:
    """Makes the model: its pretrained tensors, and what of it is trained."""
    on_meta = torch.device("meta") if planned.pretrained else nullcontext()
    with on_meta:  # pretrained tensors become the model's own, so that there is one copy in memory
        model = S2SFTModel(planned.options, Transformer(planned.shape), planned.layout)
    if planned.pretrained:
        initialize_from_pretrained(model.transformer, planned.pretrained, planned.copies)
    prepare_tuning(model, planned.pretrained)
    return model


def prepare_tuning(model: S2SFTModel, pretrained: Optional[Pretrained]) -> None:
    """Adds adapters, freezes what is not to be trained, and notes what the optimizer and checkpoints ask for."""
    options, transformer = model.cfg, model.transformer
    if has_adapters(options):
        apply_adapters(transformer, options, frozen_layers=options.freeze_layers)
    apply_freezing(transformer, options)
    mark_parameters(transformer)
    if options.save_adapter_only and pretrained:
        model.part = trained_part(transformer, pretrained.shapes)
