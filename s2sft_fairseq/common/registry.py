"""Registers: what a user chooses by name. Each file of a folder registers its own, and the folder is imported whole.

Fine-tuning methods, pre-training objectives, metrics and families of checkpoints are all found in this way.
"""

import importlib
import pkgutil
from typing import Any, Callable, Dict, Sequence, TypeVar

Registered = TypeVar("Registered")


def registrar(register: Dict[str, Any], kind: str) -> Callable[[str], Callable[[Registered], Registered]]:
    """A function that makes a decorator of a name; what is decorated is put into the register under that name.

    Args:
        register: the names, and what was registered by them.
        kind: what is in it, for the complaint of a name that is taken.
    """

    def named(name: str) -> Callable[[Registered], Registered]:
        def put(registered: Registered) -> Registered:
            assert name not in register, f"two {kind}s are named {name}"
            register[name] = registered
            return registered

        return put

    return named


def import_all(package: str, folders: Sequence[str]) -> None:
    """Imports every module of a package, so that all it holds is registered.

    Args:
        package: its name, ``__name__``.
        folders: where it lies, ``__path__``.
    """
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"{package}.{module.name}")
