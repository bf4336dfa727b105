"""Registries of what users choose by name. Each file in a folder registers its own; the whole folder is imported.

Fine-tuning methods, pre-training objectives, metrics and families of checkpoints are all registered in this way.
"""

import importlib
import pkgutil
from typing import Any, Callable, Dict, Sequence, TypeVar

Registered = TypeVar("Registered")


def registrar(register: Dict[str, Any], kind: str) -> Callable[[str], Callable[[Registered], Registered]]:
    """A function that returns a decorator for a name, which registers the decorated object under that name.

    Args:
        register: the registered objects by name.
        kind: what the objects are, for the error message if a name is taken.

    >>> penalties = {}
    >>> @registrar(penalties, "length penalty")("none")
    ... def no_penalty(length):
    ...     return 1.0
    >>> penalties["none"] is no_penalty
    True
    """

    def named(name: str) -> Callable[[Registered], Registered]:
        def put(registered: Registered) -> Registered:
            assert name not in register, f"two {kind}s are named {name}"
            register[name] = registered
            return registered

        return put

    return named


def import_all(package: str, folders: Sequence[str]) -> None:
    """Imports every module of a package, so that everything in it is registered.

    Args:
        package: the package's ``__name__``.
        folders: the package's ``__path__``.
    """
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"{package}.{module.name}")
