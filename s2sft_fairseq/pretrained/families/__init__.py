"""Families of pretrained checkpoints, each a table of names; a new file in this folder adds a family."""

from typing import Collection, List

from ...common.registry import import_all
from .family import FAMILIES, Config, Family, model_type, register_family

import_all(__name__, __path__)

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
"""The token table of Hugging Face's BERT-like models that were saved without a head."""


def recognise(config: Config, names: Collection[str]) -> List[Family]:
    """The families that match a checkpoint's configuration and tensor names; exactly one for a supported checkpoint.

    What the tensors show counts, whatever config.json calls it, unless that is a known family that computes otherwise.
    If the names show none, as in models saved without a head, config.json determines the family.
    """
    called = model_type(config)
    fitting = [family for family in FAMILIES.values() if family.fits(config, names)] or named(called, config, names)
    refined = {family.refines for family in fitting}
    return [family for family in fitting if family.name not in refined and not contradicts(family, called)]


def named(called: str, config: Config, names: Collection[str]) -> List[Family]:
    """The family that config.json names; BERT if it names none that is known, and nothing shows another one.

    RoBERTa and its descendants have one segment, and their tensors the same names: without a known name they could not
    be told from BERT, whose positions begin at another row.
    """
    if is_known(called):
        return [family for family in FAMILIES.values() if not family.signs and family.model_type == called]
    is_like_bert = WORD_EMBEDDINGS in names and config.get("type_vocab_size", 2) > 1
    return [FAMILIES["bert"]] if is_like_bert or not called else []


def is_known(called: str) -> bool:
    """Whether this is a family's name in config.json."""
    return bool(called) and any(family.model_type == called for family in FAMILIES.values())


def contradicts(family: Family, called: str) -> bool:
    """Whether config.json names another family than the tensors show, one that computes otherwise."""
    if not (family.model_type and is_known(called)) or called == family.refines:
        return False
    return all(other.computes != family.computes for other in FAMILIES.values() if other.model_type == called)


__all__ = ["FAMILIES", "Family", "recognise", "register_family"]
