"""Shortens long sources to the part that the model should read: the one with the answer, or closest to the question.

    python -m s2sft_fairseq.select_chunk --s2s-ft-vocab PRETRAINED_DIR --limit 446 --keep answer \\
        --input raw/train.src --query raw/train.answer --output short/train.src
    paste passages questions | python -m s2sft_fairseq.select_chunk --s2s-ft-vocab PRETRAINED_DIR --limit 446 \\
        --keep overlap > short

Writes one line per line of input: consecutive whole words of the source, unchanged, with at most --limit pieces;
--max-source-positions also counts [CLS] and [SEP], so --limit is 2 less. A source that is short enough is unchanged.

  --keep answer    the window that contains the answer, with the most context on both sides; like overlap if the
                   source does not contain the answer (question generation, paper 004 section 3.3)
  --keep overlap   the first window with the most words of the question (question answering, section 3.2)
  --keep head      the first window: plain truncation, but at a word boundary
"""

import argparse
import itertools
import sys
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple

from fairseq.dataclass.utils import gen_parser_from_dataclass
from tqdm import tqdm

from .common.atomic_files import whole_lines
from .common.command_line import command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import STANDARD, count_lines, read_lines
from .text.passage_selection import KEEP, Source, fitting
from .text.tokenizers.auto import AutoTokenizer
from .text.tokenizers.tokenizer import Tokenizer, TokenizerOptions

BATCH = 1000
"""Number of lines that are tokenized at once."""

Example = Tuple[str, str]
"""A source, with its answer or question."""


def arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("select_chunk", __doc__, allow_abbrev=False)
    gen_parser_from_dataclass(parser, TokenizerOptions())
    parser.add_argument("--limit", type=int, required=True, help="maximum number of pieces per line")
    parser.add_argument("--keep", choices=list(KEEP), required=True, help="part of the source to keep (see above)")
    parser.add_argument(
        "--input",
        default=STANDARD,
        help="sources, one per line (default: standard input); SOURCE<TAB>QUERY without --query",
    )
    parser.add_argument("--query", help="answers or questions, one per line")
    parser.add_argument("--output", default=STANDARD, help="shortened sources, one per line (default: standard output)")
    args = parser.parse_args(argv)
    if args.limit < 1:
        raise UserError(f"--limit is {args.limit}; expected a number of pieces, at least 1")
    return args


def examples(args: argparse.Namespace) -> Iterator[Example]:
    """The sources with their queries.

    Raises:
        UserError: the files have different numbers of lines, or a line has no query.
    """
    if args.query is not None:
        for number, pair in enumerate(itertools.zip_longest(read_lines(args.input), read_lines(args.query)), start=1):
            if None in pair:
                shorter = args.input if pair[0] is None else args.query
                raise UserError(
                    f"{shorter} ends before line {number}; expected as many lines in both files, one pair per line"
                )
            yield pair
        return
    for number, line in enumerate(read_lines(args.input), start=1):
        source, tab, query = line.partition("\t")
        if not tab and args.keep != "head":
            raise UserError(f"{args.input}: line {number} has no TAB; expected SOURCE<TAB>QUERY, or --query FILE")
        yield source, query


def chunks(tokenizer: Tokenizer, batch: Sequence[Example], *, limit: int, keep: str) -> Iterator[str]:
    """The part of each source that is kept."""
    encodings = tokenizer.fast_tokenizer.encode_batch([source for source, _ in batch], add_special_tokens=False)
    for (text, query), encoding in zip(batch, encodings):
        yield fitting(tokenizer, Source(text, encoding.offsets), query, limit=limit, keep=keep)


def batches(lines: Iterable[Example]) -> Iterator[List[Example]]:
    """The examples in lists of at most :data:`BATCH`."""
    rest = iter(lines)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    options = {name: getattr(args, name) for name in ("s2s_ft_vocab", "vocab_add", "special_tokens")}
    tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(**options))
    total = None if args.input == STANDARD else count_lines(args.input)
    shortened = 0
    with whole_lines(args.output) as write, tqdm(total=total, unit=" lines") as bar:
        for batch in batches(examples(args)):
            kept = list(chunks(tokenizer, batch, limit=args.limit, keep=args.keep))
            write(kept)
            bar.update(len(batch))
            shortened += sum(chunk != source for chunk, (source, _) in zip(kept, batch))
    print(f"{shortened:,} of {bar.n:,} sources had more than {args.limit:,} pieces", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
