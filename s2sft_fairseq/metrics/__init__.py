"""Metrics, one per file; a new file in this folder that registers a metric adds a value of ``--metric``."""

from ..common.registry import import_all
from .metric import METRICS, Examples, Means, Metric, register_metric
from .texts import Files, Texts

import_all(__name__, __path__)

__all__ = ["METRICS", "Examples", "Files", "Means", "Metric", "Texts", "register_metric"]
