"""Splits text into the WordPiece pieces of a pretrained vocabulary, line by line, as `--bpe s2s_ft_wordpiece` does.

    python preprocess/wordpiece.py --vocab PRETRAINED_DIR \
        --inputs raw/train.src raw/train.tgt --outputs pieces/train.src pieces/train.tgt

One line in gives one line out, an empty one included. Files given together must have the same number of lines.
"""

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from text_files import read_lines, write_files
from tqdm import tqdm

from s2sft_fairseq.errors import UserError
from s2sft_fairseq.wordpiece import WordPiece, WordPieceOptions

BATCH = 2000  # lines


def arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", required=True, help="pretrained directory with vocab.txt, or the vocab.txt itself")
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, help="UTF-8 text, a record a line")
    parser.add_argument("--outputs", type=Path, nargs="+", required=True, help="as many files for the pieces")
    args = parser.parse_args()
    if len(args.inputs) != len(args.outputs):
        parser.error(f"{len(args.inputs)} inputs but {len(args.outputs)} outputs; expected one output an input")
    return args


def check_line_counts(paths: Iterable[Path]) -> None:
    """Ends the program with one line when the files differ in their number of lines."""
    counts = {path: sum(1 for _ in read_lines(path)) for path in paths}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{path} has {count:,}" for path, count in counts.items())
        sys.exit(f"the files differ in their number of lines: {found}; expected line n of each to be one record")


def pieces(bpe: WordPiece, path: Path) -> Iterator[str]:
    """Yields the pieces of every line of a file, separated by spaces."""
    lines = iter(tqdm(read_lines(path), desc=str(path), unit=" lines", mininterval=1))
    while batch := list(itertools.islice(lines, BATCH)):
        yield from bpe.encode_lines(batch)


def main() -> None:
    """Runs the command."""
    args = arguments()
    try:
        bpe = WordPiece(WordPieceOptions(s2s_ft_vocab=args.vocab))
    except UserError as error:
        sys.exit(str(error))
    check_line_counts(args.inputs)
    write_files({output: pieces(bpe, path) for path, output in zip(args.inputs, args.outputs)})


if __name__ == "__main__":
    main()
