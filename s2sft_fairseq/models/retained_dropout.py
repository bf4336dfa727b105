"""Dropout at work in generation and scoring (``--retain-dropout``), as for Monte Carlo estimates of uncertainty.

Every pass draws masks of its own (Gal & Ghahramani 2016, section 3): the source once per batch, the target at each step
of the search. Results depend on the random seed.
"""

import re
from typing import Any, Dict, List

from ..common.errors import UserError
from .layers.dropout import Dropout
from .layers.transformer import Transformer


def apply_retained_dropout(transformer: Transformer, *, retain: bool, modules: Any = None) -> None:
    """Keeps dropout at work, if ``retain`` says so.

    Args:
        transformer: the one to change.
        retain: the value of ``--retain-dropout``.
        modules: the classes whose dropout is meant, in a list or in text as the command line passes it; None: all.

    Raises:
        UserError: an unknown class, none of the dropouts has a rate above 0, or modules without ``--retain-dropout``.
    """
    if not retain:
        if modules is not None:
            raise UserError(f"--retain-dropout-modules {modules} needs --retain-dropout; add it, or leave both out")
        return
    known = dropouts(transformer)
    chosen = [dropout for name in chosen_names(modules, known) for dropout in known[name]]
    if not any(dropout.p for dropout in chosen):
        raise UserError(
            "--retain-dropout: the model was trained without dropout there, so nothing would be dropped; leave it out, "
            "or set a rate: --model-overrides \"{'dropout': 0.1, 'attention_dropout': 0.1}\""
        )
    for dropout in chosen:
        dropout.retained = True


def dropouts(transformer: Transformer) -> Dict[str, List[Dropout]]:
    """The dropouts of a Transformer by the class of the module that has them."""
    found: Dict[str, List[Dropout]] = {}
    for module in transformer.modules():
        dropout = getattr(module, "dropout", None)
        if isinstance(dropout, Dropout):
            found.setdefault(type(module).__name__, []).append(dropout)
    return found


def chosen_names(modules: Any, known: Dict[str, List[Dropout]]) -> List[str]:
    """The names in ``--retain-dropout-modules``; None: all.

    Raises:
        UserError: one of them is unknown, or there is none.
    """
    if modules is None:
        return list(known)
    names = re.findall(r"\w+", str(modules))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"--retain-dropout-modules {modules}: expected some of {','.join(known)}")
    return names
