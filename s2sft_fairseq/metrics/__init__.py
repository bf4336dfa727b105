"""Metrics, one file each; a new file in this folder that registers one is a new value of ``--metric``."""

import importlib
import pkgutil

from .metric import METRICS, Examples, Means, Metric, register_metric
from .texts import Files, Texts

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

__all__ = ["METRICS", "Examples", "Files", "Means", "Metric", "Texts", "register_metric"]
