"""Imports libraries that only some metrics need."""

import importlib
from typing import Any

from ..common.errors import UserError


def load(module: str, *, package: str, purpose: str) -> Any:
    """Imports a module of an optional package.

    Raises:
        UserError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(f"{purpose} needs {package}, which is not installed; pip install {package}") from None
