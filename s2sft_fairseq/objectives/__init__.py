"""Fine-tuning methods, one file each; a new file in this folder is a new value of ``--finetune-method``."""

import importlib
import pkgutil

from .corruption import CorruptionOptions
from .objective import OBJECTIVES, Objective, register_objective

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

__all__ = ["OBJECTIVES", "CorruptionOptions", "Objective", "register_objective"]
