"""Fine-tuning methods, one file each; a new file in this folder is a new value of ``--finetune-method``."""

from ...common.registry import import_all
from ..corruption import CorruptionOptions
from .objective import OBJECTIVES, FinetuningObjective, Flow, register_objective

import_all(__name__, __path__)

__all__ = ["OBJECTIVES", "CorruptionOptions", "FinetuningObjective", "Flow", "register_objective"]
