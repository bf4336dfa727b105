"""What the package's commands share: the parser of ``python -m s2sft_fairseq.COMMAND``, and formats of help."""

import argparse
from typing import Any, Optional

from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.registry import REGISTRIES


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Appends the default to every help text that does not state it."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        stated = "(default:" in (action.help or "")
        return action.help if stated else super()._get_help_string(action)


class GuideFormatter(HelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the description, and appends defaults except None and False."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def command_parser(command: str, description: Optional[str], **options: Any) -> argparse.ArgumentParser:
    """Creates the parser of one of this package's commands, to which the command adds its arguments.

    Args:
        command: the name of the command's module.
        description: the module's ``__doc__``, which ``--help`` shows with its line breaks.
        **options: further arguments of ``ArgumentParser``.
    """
    options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
    return argparse.ArgumentParser(prog=f"python -m s2sft_fairseq.{command}", description=description, **options)


def positive(word: str) -> int:
    """Parses an integer that is at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word}; expected at least 1")
    return number


def add_registered_options(group: Any, registry: str, choice: Optional[str]) -> None:
    """Adds the options that are registered with fairseq for the chosen encoder or tokenizer, if there are any.

    Args:
        group: a parser, or a group of arguments.
        registry: ``bpe`` or ``tokenizer``.
        choice: the name of the encoder or tokenizer, or None.
    """
    options = REGISTRIES[registry]["dataclass_registry"].get(choice)
    if options is not None:
        gen_parser_from_dataclass(group, options())
