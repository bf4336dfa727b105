"""What of a filled model is trained: all of it, what is not frozen, or adapters."""

from typing import Optional

from ..models.adapters import apply_adapters, has_adapters
from ..models.freezing import apply_freezing
from ..models.partial_checkpoints import trained_part
from ..models.seq2seq_model import S2SFTModel
from ..pretrained.checkpoint import Pretrained
from .optimizer import mark_parameters


def prepare_tuning(model: S2SFTModel, opened: Optional[Pretrained]) -> None:
    """Gives a model its adapters, freezes what is not to be trained, and notes what optimizer and checkpoints ask for.

    Args:
        model: as its options shape it, filled if it is new.
        opened: the weights that it was filled with.
    """
    options, transformer = model.cfg, model.transformer
    if has_adapters(options):
        apply_adapters(transformer, options, frozen_layers=options.freeze_layers)
    apply_freezing(transformer, options)
    mark_parameters(transformer)
    if options.save_adapter_only and opened:
        model.part = trained_part(transformer, opened)
