"""Pre-training objectives, one file each; a new file in this folder is a new value of ``--objective``."""

from ...common.registry import import_all
from .objective import PRETRAINING, PretrainingObjective, register_pretraining

import_all(__name__, __path__)

__all__ = ["PRETRAINING", "PretrainingObjective", "register_pretraining"]
