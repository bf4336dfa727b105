"""What fairseq-preprocess is asked to check of its text files before it writes anything."""

import sys
from argparse import Namespace
from typing import List

from .errors import UserError
from .text_lines import count_lines


def check_texts_first() -> None:
    """Lets fairseq-preprocess, if that is the command that runs, check the texts of this task before it writes."""
    command = sys.modules.get("fairseq_cli.preprocess")
    if command is None:
        return
    binarize = command.main

    def main(args: Namespace) -> None:
        if args.task in ("s2s_ft", "s2s_pretraining"):
            check_texts(args)
        binarize(args)

    vars(command)["main"] = main


def check_texts(args: Namespace) -> None:
    """Reads the files of every split once.

    Raises:
        UserError: a file that is missing or not UTF-8, or source and target that differ in their number of lines.
    """
    languages = [args.source_lang] if args.only_source else [args.source_lang, args.target_lang]
    suffixes = [f".{language}" if language else "" for language in languages]
    for prefix in prefixes(args):
        counts = {prefix + suffix: count_lines(prefix + suffix) for suffix in suffixes}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{name} has {count:,} lines" for name, count in counts.items())
            raise UserError(f"{found}; expected one line each a pair")


def prefixes(args: Namespace) -> List[str]:
    """The texts given, of all splits."""
    given = (args.trainpref, args.validpref, args.testpref)
    return [prefix for prefixes_of_split in given if prefixes_of_split for prefix in prefixes_of_split.split(",")]
