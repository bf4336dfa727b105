"""Tokenizes text into pieces, line by line, with the same options as fairseq-generate, which joins them again.

With the tokenizer of a pretrained model of any family (BERT, RoBERTa, XLM-R, ...), from its directory:

    python -m s2sft_fairseq.pieces --s2s-ft-vocab PRETRAINED_DIR \\
        --inputs raw/train.src raw/train.tgt --outputs pieces/train.src pieces/train.tgt

In fairseq's classic way, Moses and then BPE codes, with one command per language:

    python -m s2sft_fairseq.pieces --tokenizer moses --source-lang de --bpe subword_nmt --bpe-codes codes \\
        --inputs raw/train.de --outputs pieces/train.de

Each line of input, even an empty one, gives one line of output. All inputs must have the same number of lines.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from fairseq.data.encoders import BPE_REGISTRY, TOKENIZER_REGISTRY, build_bpe, build_tokenizer
from tqdm import tqdm

from .common.atomic_files import write_line_files
from .common.binarized_words import SpecialLines
from .common.command_line import add_registered_options, command_parser
from .common.fairseq_patches import run_command
from .common.text_lines import check_line_counts, read_lines

BATCH = 2000  # lines
INSTALL = {"fastbpe": "pip install cython && pip install --no-build-isolation fastBPE"}


class Pipeline:
    """A tokenizer, if one was chosen, followed by an encoder.

    Args:
        args: the result of :func:`arguments`.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.tokenizer, self.bpe = build_tokenizer(args), build_bpe(args)

    def encode_lines(self, lines: list[str]) -> list[str]:
        """Returns the pieces of each line, separated by single spaces."""
        if self.tokenizer is not None:
            lines = [self.tokenizer.encode(line) for line in lines]
        if hasattr(self.bpe, "encode_lines"):
            return self.bpe.encode_lines(lines)
        return [" ".join(self.bpe.encode(line).split()) for line in lines]

    def special_tokens(self) -> tuple[str, ...]:
        """The spellings that a text may have of the vocabulary's special tokens, if the encoder knows them."""
        return tuple(getattr(self.bpe, "special_tokens", ()))


def arguments(words: Optional[list[str]] = None) -> argparse.Namespace:
    """Returns the command line, with the options of the --bpe and --tokenizer that it names."""
    parser = command_parser("pieces", __doc__, add_help=False, allow_abbrev=False)
    parser.add_argument("--bpe", choices=sorted(BPE_REGISTRY), default="s2s_ft", help="encoder (default: %(default)s)")
    parser.add_argument("--tokenizer", choices=sorted(TOKENIZER_REGISTRY), help="applied before --bpe (default: none)")
    chosen, _ = parser.parse_known_args(words)
    for registry, choice in (("bpe", chosen.bpe), ("tokenizer", chosen.tokenizer)):
        add_registered_options(parser.add_argument_group(f"--{registry} {choice}"), registry, choice)
    files = parser.add_argument_group("files")
    files.add_argument("--inputs", type=Path, nargs="+", required=True, help="UTF-8 text files, one record per line")
    files.add_argument("--outputs", type=Path, nargs="+", required=True, help="files for the pieces, one per input")
    parser.add_argument("-h", "--help", action="help", help="show this help, with the options of the --bpe given")
    args = parser.parse_args(words)
    for name in (name for name, value in vars(args).items() if value == "???"):
        parser.error(f"--bpe {args.bpe} needs --{name.replace('_', '-')}")
    if len(args.inputs) != len(args.outputs):
        parser.error(f"{len(args.inputs)} inputs but {len(args.outputs)} outputs; expected one output per input")
    return args


def build_pipeline(args: argparse.Namespace) -> Pipeline:
    """Builds the pipeline; ends the program with a one-line message if a package or a file is missing."""
    try:
        return Pipeline(args)
    except ImportError as error:
        command = INSTALL.get(args.bpe)
        sys.exit(f"--bpe {args.bpe} needs a package that is missing: {command}" if command else str(error))
    except OSError as error:
        sys.exit(str(error))


def pieces(pipeline: Pipeline, path: Path) -> Iterator[str]:
    """Yields the pieces of every line of a file; warns at the end if some are special tokens that the text spells."""
    lines = iter(tqdm(read_lines(path), desc=str(path), unit=" lines", mininterval=1))
    special = SpecialLines(pipeline.special_tokens())
    while batch := list(itertools.islice(lines, BATCH)):
        for line, found in zip(batch, pipeline.encode_lines(batch)):
            special.read(line, found)
            yield found
    special.warn(str(path))


def main(argv: Optional[list[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    pipeline = build_pipeline(args)
    check_line_counts(args.inputs)
    write_line_files({output: pieces(pipeline, path) for path, output in zip(args.inputs, args.outputs)})


if __name__ == "__main__":
    run_command(main)
