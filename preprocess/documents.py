"""Divides plain text by whole documents into a part to train on, in shards, and one to validate on.

    python preprocess/documents.py --text wikipedia books.txt.gz --to text --shards 4

The text has one sentence or paragraph per line; an empty line, and the end of a file, end a document. Of a folder, all
files are read, in the order of their names. The output is train0.txt, train1.txt, … and valid.txt, in which
documents are separated by empty lines. Every hundredth document, two at least and 2,000 at most, is for validation,
evenly spaced over the text; the others take turns with the shards.
"""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from s2sft_fairseq.common.atomic_files import refusals_in_one_line, whole_texts
from s2sft_fairseq.common.command_line import positive
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.common.text_lines import read_lines

VALID_SHARE, FEWEST, MOST = 0.01, 2, 2000
"""Documents for validation; also, the fewest of a shard, since next-sentence prediction needs a second document."""


def text_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders, without hidden ones; raises UserError if there are none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        if path.is_dir() and not inside:
            raise UserError(f"{path} has no files; expected plain text, one sentence or paragraph per line")
        found += inside if path.is_dir() else [path]
    return found


def documents(files: Iterable[Path]) -> Iterator[list[str]]:
    """The lines of each document, without the space around them."""
    for file in files:
        lines = (line.strip() for line in read_lines(file))
        for has_words, document in itertools.groupby(lines, key=bool):
            if has_words:
                yield list(document)


def validation_count(count: int) -> int:
    """How many of so many documents are for validation."""
    return min(max(FEWEST, round(VALID_SHARE * count)), MOST)


def is_for_validation(number: int, *, count: int) -> bool:
    """Whether a document, of so many, is for validation: the last one of each of as many equal stretches.

    >>> [number for number in range(10) if is_for_validation(number, count=10)]
    [4, 9]
    """
    chosen = validation_count(count)
    return (number + 1) * chosen // count > number * chosen // count


def divide(found: Iterable[list[str]], *, count: int, shards: int, to: Path) -> None:
    """Writes ``count`` documents to the files of the splits, all files or none."""
    names = [*(f"train{shard}.txt" for shard in range(shards)), "valid.txt"]
    with refusals_in_one_line(), whole_texts([to / name for name in names]) as opened:
        *training, validation = opened
        turns = itertools.cycle(training)
        for number, document in enumerate(found):
            file = validation if is_for_validation(number, count=count) else next(turns)
            file.writelines(f"{line}\n" for line in (*document, ""))


def check(count: int, args: argparse.Namespace) -> None:
    """Raises UserError if there are too few documents for every part."""
    fewest = FEWEST * (args.shards + 1)
    if count < fewest:
        shards = f" for --shards {args.shards}" if args.shards > 1 else ""
        raise UserError(
            f"{args.text[0]}: documents found: {count:,}; expected at least {fewest}{shards}: end each document "
            "with an empty line"
        )


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, nargs="+", required=True, metavar="PATH", help="files or folders")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--shards", type=positive, default=1, metavar="N", help="parts to train on (default: %(default)s)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N documents (default: all)")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    files = text_files(args.text)
    first = itertools.islice(documents(files), args.limit)
    count = sum(1 for _ in tqdm(first, desc="counting", unit=" documents", disable=None))
    check(count, args)
    again = itertools.islice(documents(files), args.limit)
    found = tqdm(again, desc="writing", total=count, unit=" documents", disable=None)
    divide(found, count=count, shards=args.shards, to=args.to)
    print(f"{args.to}: {count:,} documents, {validation_count(count):,} of them for validation")


if __name__ == "__main__":
    run_command(main)
