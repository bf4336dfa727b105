"""Makes pairs of source and target from a published data set, one file per split and side.

    python preprocess/raw_pairs.py --format squad --raw squad --to raw \\
        --s2s-ft-vocab PRETRAINED_DIR --max-source-positions 464

writes raw/train.src, raw/train.tgt, the same for valid and test, and raw/SPLIT.ref, the references for the metrics
(several references of one example are separated by tabs). Parts of a source are separated by the pretrained model's
separator. With --max-source-positions, long texts are shortened as in the papers: to the part with the answer, or
closest to the question, and to the latest turns of a dialogue. Without it, the model cuts the end. With
--source-layout grounded_dialogue, as in the model, the text comes first, and its separator is kept even without a text.
Those of --tokens that are not in the model's vocabulary are written to raw/added_tokens.txt, for --vocab-add. Words of
--unknown are replaced by the model's own unknown token, except in the references.

A data set that is no longer in its published format may consist of SPLIT.tsv (source, tab, target), SPLIT.csv or
SPLIT.jsonl (article and highlights, document and summary, src and tgt), or SPLIT.src with SPLIT.tgt; any file may be
compressed (.gz). Malformed records are left out, counted and reported with their position.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import re
import string
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Optional

from raw_formats import FORMATS
from raw_formats.records import SENTENCE_END, Example, Records
from tqdm import tqdm

from s2sft_fairseq.common.atomic_files import write_columns, write_line_files
from s2sft_fairseq.common.command_line import positive
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.metrics.postprocessing.penn_treebank import penn_tokens
from s2sft_fairseq.metrics.postprocessing.steps import REFERENCE_SENTENCE_END
from s2sft_fairseq.objectives.source_layouts import LAYOUTS
from s2sft_fairseq.text import vocabulary
from s2sft_fairseq.text.passage_selection import Source, fitting
from s2sft_fairseq.text.special_tokens import nearest_spelling
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import Tokenizer, TokenizerOptions

SPLITS = ("train", "valid", "test")
SIDES = ("src", "tgt", "ref")
KNOWLEDGE_FIRST = "grounded_dialogue"
ENDS = 2  # [CLS] and [SEP]
AT_ONCE = 2048  # minimum number of examples for using more than one process
CHUNK = 32  # number of examples that are passed to a process together
MOST_WORKERS = 8
NO_PENN_TOKENS = re.compile(r"""["()\[\]{}]|\w[,;:?](?=\s|$)|\w\w\.$""")
"""What differs from Penn Treebank tokens: quotes and brackets, and punctuation that is not separated."""
PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


class Packer:
    """Joins the parts of a source into one line.

    Args:
        pretrained: directory of the pretrained model that will read them, if known.
        longest: maximum number of pieces of a source, including both special tokens; None: no limit.
        layout: the model's ``--source-layout``.
        unknown: words that stand for unknown words.
    """

    def __init__(
        self,
        pretrained: Optional[Path],
        longest: Optional[int],
        *,
        layout: str = "plain",
        unknown: Collection[str] = (),
    ) -> None:
        self.tokens = vocabulary.read(pretrained) if pretrained else []
        spelling = nearest_spelling(self.tokens)
        self.separator = spelling.eos
        self.unknown = dict.fromkeys(unknown, spelling.unk)
        self.room = longest - ENDS if longest else None
        self.grounded = layout == KNOWLEDGE_FIRST
        self.tokenizer: Optional[Tokenizer] = None
        if pretrained and longest:
            self.tokenizer = AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(pretrained)))

    def pair(self, example: Example) -> tuple[str, str]:
        """Source and target."""
        return self.with_own_unknown(self.source(example)), self.with_own_unknown(example.target)

    def with_own_unknown(self, text: str) -> str:
        """A text with the model's own token for unknown words."""
        return " ".join(self.unknown.get(word, word) for word in text.split(" ")) if self.unknown else text

    def source(self, example: Example) -> str:
        """The text and the turns, shortened to the maximum length, with separators between them."""
        if self.tokenizer is not None and self.room is not None and example.turns:
            example = self.fitted(example, self.tokenizer, self.room)
        if self.grounded:
            return f" {self.separator} ".join([example.text, *example.turns]).lstrip()
        parts = [*example.turns, example.text] if example.text_last else [example.text, *example.turns]
        return f" {self.separator} ".join(filter(None, parts))

    def fitted(self, example: Example, tokenizer: Tokenizer, room: int) -> Example:
        """Keeps the last turn, earlier ones that fit into half of the room, and as much of the text as fits then."""
        sizes = [len(tokenizer.encode(turn).split()) + 1 for turn in example.turns]
        totals = list(itertools.accumulate(reversed(sizes)))
        kept = max(1, sum(total <= (room // 2 if example.text else room) for total in totals))
        left = room - totals[kept - 1]
        text = self.chunk(example, tokenizer, left) if example.text and left > 0 else ""
        return example._replace(text=text, turns=example.turns[-kept:])

    @staticmethod
    def chunk(example: Example, tokenizer: Tokenizer, limit: int) -> str:
        """The part of the text that is kept."""
        offsets = tokenizer.fast_tokenizer.encode(example.text, add_special_tokens=False).offsets
        return fitting(tokenizer, Source(example.text, offsets), example.query, limit=limit, keep=example.keep)


def in_penn_tokens(example: Example) -> Example:
    """An example in Penn Treebank tokens, separated by spaces, like the papers' CNN/DailyMail.

    Text that is already in such tokens, as published by the authors of several papers, is not changed.
    """
    sentences = example.target.split(SENTENCE_END)
    if not any(map(NO_PENN_TOKENS.search, (example.text, *sentences))):
        return example
    return example._replace(text=tokenized(example.text), target=f" {SENTENCE_END} ".join(map(tokenized, sentences)))


def tokenized(text: str) -> str:
    """A text in Penn Treebank tokens."""
    return penn_tokens(PUNCTUATION.sub(r" \g<0> ", text))


def reference(example: Example) -> str:
    """The reference for scoring; several texts are separated by tabs."""
    return "\t".join((example.target, *example.others)).replace(f" {SENTENCE_END} ", REFERENCE_SENTENCE_END)


class Lines:
    """Makes the lines of an example, one for each of :data:`SIDES`, by the options of the command line."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.penn = args.penn_tokens
        self.packer = Packer(
            args.s2s_ft_vocab, args.max_source_positions, layout=args.source_layout, unknown=args.unknown
        )

    def __call__(self, example: Example) -> tuple[str, str, str]:
        """Source, target and reference."""
        example = in_penn_tokens(example) if self.penn else example
        return (*self.packer.pair(example), reference(example))


class Worker:
    """The state of a worker process, which creates its :class:`Lines` once."""

    lines: Lines

    @classmethod
    def begin(cls, args: argparse.Namespace) -> None:
        """Runs when the process starts."""
        cls.lines = Lines(args)

    @classmethod
    def work(cls, example: Example) -> tuple[str, str, str]:
        """The lines of an example."""
        return cls.lines(example)


def in_order(found: Iterator[Example], lines: Lines, args: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """The lines of each example in the order of the examples; several processes work on many examples."""
    first = list(itertools.islice(found, AT_ONCE))
    if args.workers == 1 or len(first) < AT_ONCE:
        yield from map(lines, itertools.chain(first, found))
        return
    with multiprocessing.Pool(args.workers, Worker.begin, (args,)) as pool:
        while first:
            yield from pool.imap(Worker.work, first, chunksize=CHUNK)
            first = list(itertools.islice(found, AT_ONCE))


def chosen(found: Iterator[Example], args: argparse.Namespace, split: str) -> Iterator[Example]:
    """As many examples as are wanted."""
    drawn = args.train_examples if split == "train" else None
    return itertools.islice(draw(found, drawn, random.Random(args.seed)) if drawn else found, args.limit)


def draw(found: Iterator[Example], count: int, rng: random.Random) -> Iterator[Example]:
    """A uniform random sample of ``count`` examples; no more than these are in memory at once."""
    kept = list(itertools.islice(found, count))
    for number, example in enumerate(found, len(kept) + 1):
        place = rng.randrange(number)
        if place < count:
            kept[place] = example
    return iter(kept)


def check_split(args: argparse.Namespace, split: str) -> None:
    """Ends the program with a one-line message if there is no such split, or no example in it."""
    records = Records(strict=args.strict, silent=True)
    if next(FORMATS[args.format](args.raw, split, records), None) is None:
        malformed = (
            f"; {records.malformed:,} malformed records, the first: {records.first}" if records.malformed else ""
        )
        sys.exit(f"{args.raw} has no example of the {split} split in it{malformed}")


def write_split(args: argparse.Namespace, split: str, lines: Lines) -> None:
    """Writes the files of a split, and prints how many examples there are and how many were left out."""
    records = Records(strict=args.strict)
    found = chosen(FORMATS[args.format](args.raw, split, records), args, split)
    rows = tqdm(in_order(found, lines, args), desc=split, unit=" examples", mininterval=1, delay=3)
    count = write_columns([args.to / f"{split}.{side}" for side in SIDES], rows)
    print(f"{split}: {count:,} examples; malformed records left out: {records.malformed:,}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, choices=sorted(FORMATS), help="format of the data set")
    parser.add_argument("--raw", type=Path, required=True, metavar="DIR", help="directory of the data set")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="directory for the pairs")
    parser.add_argument("--s2s-ft-vocab", type=Path, metavar="DIR", help="directory of the pretrained model")
    parser.add_argument("--max-source-positions", type=positive, metavar="N", help="maximum pieces per source")
    parser.add_argument("--tokens", nargs="+", default=[], metavar="TOKEN", help="tokens that the model needs")
    parser.add_argument("--unknown", nargs="+", default=[], metavar="WORD", help="words that mean an unknown one")
    parser.add_argument("--source-layout", choices=sorted(LAYOUTS), default="plain", help="the model's layout")
    parser.add_argument("--penn-tokens", action="store_true", help="write Penn Treebank tokens")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N examples per split")
    parser.add_argument("--train-examples", type=positive, metavar="N", help="draw N examples for training")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the draw (default: %(default)s)")
    parser.add_argument(
        "--workers",
        type=positive,
        default=min(MOST_WORKERS, os.cpu_count() or 1),
        metavar="N",
        help="number of processes; it does not affect the files (default: %(default)s)",
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first malformed record")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = arguments()
    lines = Lines(args)
    for split in SPLITS:
        check_split(args, split)
    for split in SPLITS:
        write_split(args, split, lines)
    if args.tokens:
        write_line_files(
            {args.to / "added_tokens.txt": [token for token in args.tokens if token not in lines.packer.tokens]}
        )


if __name__ == "__main__":
    run_command(main)
