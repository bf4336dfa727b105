"""The command line of ``python -m s2sft_fairseq.generate``: files, speed, and fairseq's own search options."""

import argparse
from typing import Any, Optional, Sequence

from fairseq.data.encoders import BPE_REGISTRY, TOKENIZER_REGISTRY
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.registry import REGISTRIES

from .__main__ import HelpFormatter
from .common.text_lines import STANDARD
from .hub_loading import BATCH
from .search.keyword_options import text_generation
from .search.options import SearchOptions


class TeachingFormatter(HelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves the description as it is written, and tells only defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def arguments(argv: Optional[Sequence[str]], description: Optional[str]) -> argparse.Namespace:
    """The command line, with the options of the encoder and the tokenizer that it names."""
    parser = argparse.ArgumentParser(
        prog="python -m s2sft_fairseq.generate",
        usage="%(prog)s --checkpoint CHECKPOINT [--input FILE] [--output FILE] [options]",
        description=description,
        formatter_class=TeachingFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    add_files(parser.add_argument_group("files"))
    add_speed(parser.add_argument_group("speed and memory"))
    gen_parser_from_dataclass(parser.add_argument_group("search"), SearchOptions())
    gen_parser_from_dataclass(parser.add_argument_group("search (fairseq's options)"), text_generation())
    add_text(parser.add_argument_group("text (where the checkpoint does not tell)"), argv)
    parser.add_argument("-h", "--help", action="help", help="show this text, with the options of the --bpe given")
    return parser.parse_args(argv)


def add_files(group: Any) -> None:
    """What is read and written."""
    group.add_argument("--checkpoint", required=True, help="file, directory with one, or an ensemble: A.pt:B.pt")
    group.add_argument("--input", default=STANDARD, help="UTF-8 text, a source a line; -: standard input")
    group.add_argument("--output", default=STANDARD, help="a line for each line; -: standard output")
    group.add_argument("--skip-existing", action="store_true", help="keep what an earlier run has written; go on there")
    group.add_argument(
        "--scores", action="store_true", help="SCORE<TAB>TEXT: the log-probability over the length penalty"
    )


def add_speed(group: Any) -> None:
    """How it is computed."""
    group.add_argument("--cpu", action="store_true", help="leave a GPU alone")
    for flag, precision in (("--bf16", "bfloat16"), ("--int8", "int8")):
        short = f"the same as --inference-precision {precision}"
        constant = dict(action="store_const", const=precision, default=argparse.SUPPRESS)
        group.add_argument(flag, dest="inference_precision", help=short, **constant)
    group.add_argument("--batch-size", type=int, default=BATCH["batch_size"], help="most sources of a batch")
    group.add_argument("--max-tokens", type=int, default=BATCH["max_tokens"], help="most source tokens of a batch")
    group.add_argument("--seed", type=int, default=1, help="of --sampling")


def add_text(group: Any, argv: Optional[Sequence[str]]) -> None:
    """How text is split; the options of an encoder are there when it is named."""
    chooser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group.add_argument("--data", help="directory of the dictionary (dict.*.txt)")
    for each in (group, chooser):
        each.add_argument("--bpe", choices=sorted(BPE_REGISTRY), help="encoder (default: as the checkpoint tells)")
        each.add_argument("--tokenizer", choices=sorted(TOKENIZER_REGISTRY), help="before it (default: none)")
    chosen, _ = chooser.parse_known_args(argv)
    for registry, choice in (("bpe", chosen.bpe or "s2s_ft"), ("tokenizer", chosen.tokenizer)):
        options = REGISTRIES[registry]["dataclass_registry"].get(choice)
        if options is not None:
            gen_parser_from_dataclass(group, options())
