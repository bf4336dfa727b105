"""Pre-training objectives, one file each; a new file in this folder is a new value of ``--objective``."""

import importlib
import pkgutil

from .pretraining_objective import PRETRAINING, PretrainingObjective, register_pretraining

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

__all__ = ["PRETRAINING", "PretrainingObjective", "register_pretraining"]
