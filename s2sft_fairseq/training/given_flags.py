"""The flags of fairseq-train among the words of a command line, with the values that fairseq reads."""

from typing import Any, List, Sequence

from fairseq import options

from ..common.errors import UserError
from .suggested_flags import Flags
from .validation_options import generation_config

OWN = ("save-dir", "user-dir", "task", "arch", "pretrained", "source-lang", "target-lang")
"""Flags that the command sets itself."""

ALWAYS = {
    "task": "s2s_ft",
    "arch": "s2s_ft",
    "criterion": "s2s_ft_label_smoothed",
    "optimizer": "s2s_ft_adamw",
    "lr-scheduler": "polynomial_decay",
}
"""What decides which other flags fairseq-train has; with these values, it counts as not given."""


def given_flags(words: Sequence[str]) -> Flags:
    """The flags that were given, each by its first name, whichever of its names was used.

    >>> given_flags(["--max-update=7", "--max-sentences", "4", "--cpu"])
    {'batch-size': 4, 'cpu': True, 'max-update': 7}

    Raises:
        UserError: fairseq-train would refuse them, or the command sets one of them itself.
    """
    refuse_own(word[2:].partition("=")[0] for word in words if word.startswith("--"))
    found = parsed(["DATA", *(part for name, value in ALWAYS.items() for part in (f"--{name}", value)), *words])
    names = {name.replace("_", "-"): value for name, value in sorted(vars(found).items())}
    flags = {name: value for name, value in names.items() if name != "data" and value not in (False, ALWAYS.get(name))}
    refuse_own(flags)
    if "no-save" in flags:
        raise UserError("--no-save: what follows the training, and going on with it, needs checkpoints; leave it out")
    if "eval-generation-args" in flags:
        generation_config(flags["eval-generation-args"])
    return flags


def refuse_own(names: Any) -> None:
    """Raises UserError if a flag of :data:`OWN` is among the names."""
    for name in names:
        if name in OWN:
            raise UserError(f"--{name} is set by this command (--to, --pretrained); leave it out")


def parsed(words: List[str]) -> Any:
    """The values that fairseq reads from words, without any defaults."""
    parser = options.get_training_parser()

    def refuse(message: str) -> None:
        raise UserError(f"{message}; expected options of this command (--help) or flags of fairseq-train")

    vars(parser)["error"] = refuse
    return options.parse_args_and_arch(parser, input_args=words, suppress_defaults=True)
