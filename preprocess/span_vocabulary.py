"""Finds significant bigrams and trigrams in text, for the span flow of ERNIE-GEN (paper 003, 3.3).

    python preprocess/span_vocabulary.py --vocab PRETRAINED_DIR --to spans.txt pieces/train.tgt
    fairseq-train ... --finetune-method infilling --word-flow-weight 0.5 --span-vocab spans.txt

The text is the input of fairseq-preprocess: pieces, one sentence or document per line. The score of an n-gram w is
t = (p(w) - Π p(w_i)) / sqrt(p(w) (1 - p(w)) / N), where p is its share of the N n-grams of its length: how far its
frequency is from chance. Each line of the output is an n-gram, a tab and its t; the best bigrams come first, then the
best trigrams. N-grams do not contain special tokens or [unusedN].

All n-grams are counted exactly, however large the text is: counts are kept on disk, next to --to, with at most 48 bytes
per token of the text, and no process uses more than about 400 MB of memory.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from math import isnan
from pathlib import Path

import numpy as np
from ngram_counts import Runs, count, spelled
from tqdm import tqdm

from s2sft_fairseq.common.atomic_files import write_line_files
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.text import vocabulary
from s2sft_fairseq.text.special_tokens import is_ordinary


def t_statistics(counts: np.ndarray, total: int, by_chance: np.ndarray) -> np.ndarray:
    """The t of n-grams with these counts [n] out of `total`, and these probabilities by chance [n].

    If there is no other n-gram, the deviation is 0: t is infinite, or 0 if the probability by chance is 1 as well.
    """
    share = counts / total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((share - by_chance) / np.sqrt(share * (1 - share) / total), nan=0.0, posinf=np.inf)


def chance(keys: np.ndarray, order: int, unigrams: np.ndarray) -> np.ndarray:
    """The product of the probabilities [V] of the tokens of each n-gram [n]."""
    product = np.ones(len(keys))
    for _ in range(order):
        keys, row = np.divmod(keys, len(unigrams))
        product *= unigrams[row]
    return product


def best(runs: Runs, order: int, unigrams: np.ndarray, *, size: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The at most `size` n-grams with the highest t that is at least `least`, with their t; ties in ascending order.

    t is rounded to nine decimals, because n-grams of the same tokens in another order differ in the last digits.
    """
    keys, rated = np.zeros(0, dtype=np.int64), np.zeros(0)
    for found, counts in tqdm(runs.merged(), desc=f"{order}-grams", unit=" parts"):
        t = t_statistics(counts, runs.total, chance(found, order, unigrams)).round(9)
        keys, rated = np.concatenate([keys, found[t >= least]]), np.concatenate([rated, t[t >= least]])
        ranks = np.lexsort((keys, -rated))[:size]
        keys, rated = keys[ranks], rated[ranks]
    return keys, rated


def shares(runs: Runs, size: int) -> np.ndarray:
    """The probability of every token, [V]."""
    counts = np.zeros(size)
    for rows, found in runs.merged():
        counts[rows] = found
    return counts / runs.total


def spans(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yields the lines of the span vocabulary; `folder` is for what does not fit into memory."""
    tokens = vocabulary.read(args.vocab)
    rows = {token: row for row, token in enumerate(tokens) if is_ordinary(token)}
    ones, twos, threes = count(args.text, rows, len(tokens), folder, orders=(1, 2, 3), workers=args.workers)
    if not ones.total:
        sys.exit(f"{args.text[0]}: the files have no token of {args.vocab}; expected pieces of that vocabulary")
    unigrams = shares(ones, len(tokens))
    for order, runs, size in ((2, twos, args.bigrams), (3, threes, args.trigrams)):
        for key, t in zip(*best(runs, order, unigrams, size=size, least=args.min_t)):
            yield f"{' '.join(spelled(int(key), order, tokens))}\t{t:.4f}"


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="+", help="UTF-8 files of pieces, separated by spaces")
    parser.add_argument(
        "--vocab", type=Path, required=True, help="directory or vocabulary file of the pretrained model"
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--bigrams", type=int, default=200_000, help="maximum number (default: %(default)s)")
    parser.add_argument("--trigrams", type=int, default=50_000, help="maximum number (default: %(default)s)")
    parser.add_argument("--min-t", type=float, default=0.0, help="minimum t of an n-gram (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="number of processes that count (default: %(default)s)")
    return parser.parse_args()


def check(args: argparse.Namespace) -> None:
    """Ends the program with a one-line message about mistakes that can be found before counting."""
    for flag, value, least in (
        ("--workers", args.workers, 1),
        ("--bigrams", args.bigrams, 0),
        ("--trigrams", args.trigrams, 0),
    ):
        if value < least:
            sys.exit(f"{flag} {value}; expected {least} or more")
    if isnan(args.min_t):
        sys.exit(f"--min-t {args.min_t}; expected a number")
    for path in args.text:
        if not path.is_file():
            sys.exit(f"{path}: {'not a file' if path.exists() else 'no such file'}; expected UTF-8 text")
    if args.to.is_dir():
        sys.exit(f"--to {args.to} is a directory; expected the file to write")


def found_spans(args: argparse.Namespace) -> list[str]:
    """The lines of the span vocabulary; what does not fit into memory is stored next to it temporarily."""
    try:
        args.to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=args.to.parent, prefix=f".{args.to.name}.") as folder:
            return list(spans(args, Path(folder)))
    except OSError as error:
        sys.exit(f"{args.to}: cannot be written: {error}")


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    check(args)
    lines = found_spans(args)
    if not lines:
        sys.exit(
            f"{args.text[0]}: no n-gram has a t of {args.min_t} or more; expected text with several tokens of "
            f"{args.vocab} per line, or a lower --min-t"
        )
    write_line_files({args.to: lines})
    print(f"{args.to}: {len(lines):,} spans")


if __name__ == "__main__":
    run_command(main)
