"""Families of pretrained checkpoints, each a table of names; a new file in this folder adds a family."""

from typing import Collection, List

from ...common.registry import import_all
from .family import FAMILIES, Config, Family, register_family

import_all(__name__, __path__)


def recognise(config: Config, names: Collection[str]) -> List[Family]:
    """The families that match a checkpoint's configuration and tensor names; exactly one for a supported checkpoint.

    If the names match none, as in models saved without a head, config.json determines the family.
    """
    fitting = [family for family in FAMILIES.values() if family.fits(config, names)]
    called = config.get("model_type")
    fitting = fitting or [
        family for family in FAMILIES.values() if not family.signs and family.model_type == (called or "bert")
    ]
    refined = {family.refines for family in fitting}
    return [family for family in fitting if family.name not in refined and not (called and contradicts(family, called))]


def contradicts(family: Family, called: str) -> bool:
    """Whether config.json names a family other than the one that the tensors show."""
    return bool(family.model_type) and called not in (family.model_type, family.refines)


__all__ = ["FAMILIES", "Family", "recognise", "register_family"]
