"""Registers: classes by name, each of which registers itself in a file of a folder that is imported whole."""

import importlib
import pkgutil
from typing import Any, Callable, Dict, Sequence, TypeVar

Registered = TypeVar("Registered", bound=type)


def registrar(register: Dict[str, Any], kind: str) -> Callable[[str], Callable[[Registered], Registered]]:
    """What makes a decorator of a name: it puts a class into the register, where no two of the kind share a name."""

    def named(name: str) -> Callable[[Registered], Registered]:
        def put(cls: Registered) -> Registered:
            assert name not in register, f"two {kind}s are named {name}"
            register[name] = cls
            return cls

        return put

    return named


def import_all(package: str, folders: Sequence[str]) -> None:
    """Imports every module of a package, so that its classes register themselves.

    Args:
        package: its name, ``__name__``.
        folders: where it lies, ``__path__``.
    """
    for module in pkgutil.iter_modules(folders):
        importlib.import_module(f"{package}.{module.name}")
