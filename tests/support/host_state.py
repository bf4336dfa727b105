"""What an import might change in its process: hooks, filters, streams, loggers, random numbers, others' functions."""

import logging
import os
import random
import signal
import sys
import warnings
from typing import Dict, List

import numpy as np
import torch

WATCHED = ("fairseq", "fairseq_cli", "torch.serialization", "argparse", "logging", "shutil", "os", "warnings")
"""Modules whose functions, and whose classes' methods, are compared, and those below them."""


def host_state() -> Dict[str, object]:
    """All of it by name; each value equals a later one if nothing has changed."""
    return {**settings(), **functions()}


def settings() -> Dict[str, object]:
    """What Python, torch and numpy are set to."""
    root = logging.getLogger()
    return {
        "sys.excepthook": sys.excepthook,
        "sys.stdin": (sys.stdin.encoding, sys.stdin.errors),
        "warnings.filters": list(warnings.filters),
        "logging": (root.level, list(root.handlers), root.manager.disable),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "environment": dict(os.environ),
        "safe types": set(torch.serialization.get_safe_globals()),
        "torch": (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()),
        "torch's random numbers": torch.get_rng_state().tolist(),
        "numpy's random numbers": str(np.random.get_state()),
        "Python's random numbers": random.getstate(),
    }


def functions() -> Dict[str, object]:
    """The functions of the watched modules and the members of their classes."""
    found: Dict[str, object] = {}
    for module in filter(is_watched, list(sys.modules)):
        for name, value in list(vars(sys.modules[module]).items()):
            if callable(value):
                found[f"{module}.{name}"] = value
            if isinstance(value, type) and value.__module__ == module:
                found.update({f"{module}.{name}.{member}": inner for member, inner in vars(value).items()})
    return found


def is_watched(module: str) -> bool:
    """Whether a module is one of those watched, or below one."""
    return any(module == name or module.startswith(f"{name}.") for name in WATCHED)


def changes(before: Dict[str, object], after: Dict[str, object]) -> List[str]:
    """The names of what is not as it was."""
    return [name for name, value in before.items() if name not in after or not same(value, after[name])]


def same(one: object, other: object) -> bool:
    """Whether they are one object or equal; what cannot be compared to itself counts as one object only."""
    return one is other or (type(one) in (tuple, list, dict, set, str) and one == other)
