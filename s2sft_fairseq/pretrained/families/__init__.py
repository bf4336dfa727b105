"""Families of pretrained checkpoints, each a table of names; a new one is one more file here."""

from typing import Collection, List

from ...common.registry import import_all
from .family import FAMILIES, Config, Family, register_family

import_all(__name__, __path__)


def recognise(config: Config, names: Collection[str]) -> List[Family]:
    """The families that a checkpoint with this configuration and these tensors may be of: one, if all is well.

    A checkpoint whose names show none, as models saved without a head are, is what its config.json calls itself.
    """
    fitting = [family for family in FAMILIES.values() if family.fits(config, names)]
    called = config.get("model_type")
    fitting = fitting or [
        family for family in FAMILIES.values() if not family.signs and family.model_type == (called or "bert")
    ]
    refined = {family.refines for family in fitting}
    return [family for family in fitting if family.name not in refined and not (called and contradicts(family, called))]


def contradicts(family: Family, called: str) -> bool:
    """Whether config.json calls a checkpoint otherwise than its tensors show."""
    return bool(family.model_type) and called not in (family.model_type, family.refines)


__all__ = ["FAMILIES", "Family", "recognise", "register_family"]
