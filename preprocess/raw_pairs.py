"""Makes pairs of source and target of a published data set, one file a split and side.

    python preprocess/raw_pairs.py --format squad --raw squad --to raw \\
        --s2s-ft-vocab PRETRAINED_DIR --max-source-positions 464

writes raw/train.src, raw/train.tgt, the same for valid and test, and raw/SPLIT.ref, the references as the metrics want
them (several of one example stand between tabs). A source of several parts has the separator of the pretrained model
between them. With --max-source-positions the part of a long text is kept that the papers keep: that with the answer, or
nearest to the question; of what was said before, the latest turns. Without it the model cuts the end. For a model with
--source-layout grounded_dialogue say so: the text then stands first, and its separator stays even if there is no text.
Of --tokens, those that the model's vocabulary lacks are written to raw/added_tokens.txt, for --vocab-add. Words of
--unknown become the model's own token for what it does not know, but not in the references.

A data set that is no longer in its published form may be SPLIT.tsv (source, tab, target), SPLIT.csv or SPLIT.jsonl
(article and highlights, document and summary, src and tgt), or SPLIT.src with SPLIT.tgt; any file may be compressed
(.gz). Malformed records are left out, counted and reported with their place.
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
from text_files import write_columns, write_files
from tqdm import tqdm

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
AT_ONCE = 2048  # examples, of which there must be so many for more than one process to begin
CHUNK = 32  # examples that are handed to a process together
MOST_WORKERS = 8
NO_PENN_TOKENS = re.compile(r"""["()\[\]{}]|\w[,;:?](?=\s|$)|\w\w\.$""")
"""What the Penn Treebank writes otherwise: quotes and brackets, and marks that are not apart."""
PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


class Packer:
    """Makes one line of the parts of a source.

    Args:
        pretrained: directory of the model that is to read them, if it is known.
        longest: pieces of a source, both ends included; None: the model may cut it.
        layout: ``--source-layout`` of that model.
        unknown: words that stand for a word that is not known.
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
        """A text with the model's own token for words that are not known."""
        return " ".join(self.unknown.get(word, word) for word in text.split(" ")) if self.unknown else text

    def source(self, example: Example) -> str:
        """The text and the turns, shortened to what the model reads, with separators between them."""
        if self.tokenizer is not None and self.room is not None and example.turns:
            example = self.fitted(example, self.tokenizer, self.room)
        if self.grounded:
            return f" {self.separator} ".join([example.text, *example.turns]).lstrip()
        parts = [*example.turns, example.text] if example.text_last else [example.text, *example.turns]
        return f" {self.separator} ".join(filter(None, parts))

    def fitted(self, example: Example, tokenizer: Tokenizer, room: int) -> Example:
        """Keeps the latest turns that fit in half of the room, the last in any case, and of the text what fits then."""
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
    """An example in tokens of the Penn Treebank between spaces, as the CNN/DailyMail of the papers is.

    What is in such tokens already, as the authors of several papers publish it, stays as it is.
    """
    sentences = example.target.split(SENTENCE_END)
    if not any(map(NO_PENN_TOKENS.search, (example.text, *sentences))):
        return example
    return example._replace(text=tokenized(example.text), target=f" {SENTENCE_END} ".join(map(tokenized, sentences)))


def tokenized(text: str) -> str:
    """One text in tokens of the Penn Treebank."""
    return penn_tokens(PUNCTUATION.sub(r" \g<0> ", text))


def reference(example: Example) -> str:
    """What an output is scored against; several texts stand between tabs."""
    return "\t".join((example.target, *example.others)).replace(f" {SENTENCE_END} ", REFERENCE_SENTENCE_END)


class Lines:
    """Makes the lines of an example, one for each of :data:`SIDES`, as the command line asks."""

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
    """What a process of its own has: it makes its :class:`Lines` once."""

    lines: Lines

    @classmethod
    def begin(cls, args: argparse.Namespace) -> None:
        """Runs when the process begins."""
        cls.lines = Lines(args)

    @classmethod
    def work(cls, example: Example) -> tuple[str, str, str]:
        """The lines of an example."""
        return cls.lines(example)


def in_order(found: Iterator[Example], lines: Lines, args: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """The lines of each example in the order of the examples; of many, so many at a time by several processes."""
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
    """So many examples, each as likely as any other; no more than these are held at once."""
    kept = list(itertools.islice(found, count))
    for number, example in enumerate(found, len(kept) + 1):
        place = rng.randrange(number)
        if place < count:
            kept[place] = example
    return iter(kept)


def check_split(args: argparse.Namespace, split: str) -> None:
    """Ends the program with one line if there is no split, or no example in it."""
    records = Records(strict=args.strict, silent=True)
    if next(FORMATS[args.format](args.raw, split, records), None) is None:
        malformed = (
            f"; {records.malformed:,} malformed records, the first: {records.first}" if records.malformed else ""
        )
        sys.exit(f"{args.raw} has no example of the {split} split in it{malformed}")


def write_split(args: argparse.Namespace, split: str, lines: Lines) -> None:
    """Writes the files of a split and says how many examples there are, and how many were left out."""
    records = Records(strict=args.strict)
    found = chosen(FORMATS[args.format](args.raw, split, records), args, split)
    rows = tqdm(in_order(found, lines, args), desc=split, unit=" examples", mininterval=1, delay=3)
    count = write_columns([args.to / f"{split}.{side}" for side in SIDES], rows)
    print(f"{split}: {count:,} examples; malformed records left out: {records.malformed:,}")


def positive(word: str) -> int:
    """A number of the command line that is 1 at least."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word}; expected 1 at least")
    return number


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, choices=sorted(FORMATS), help="how the data set is published")
    parser.add_argument("--raw", type=Path, required=True, metavar="DIR", help="the data set")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the pairs go")
    parser.add_argument("--s2s-ft-vocab", type=Path, metavar="DIR", help="the pretrained model that is to read them")
    parser.add_argument("--max-source-positions", type=positive, metavar="N", help="pieces of a source that it reads")
    parser.add_argument("--tokens", nargs="+", default=[], metavar="TOKEN", help="tokens that the model must have")
    parser.add_argument("--unknown", nargs="+", default=[], metavar="WORD", help="words that stand for an unknown one")
    parser.add_argument("--source-layout", choices=sorted(LAYOUTS), default="plain", help="that of the model")
    parser.add_argument("--penn-tokens", action="store_true", help="tokenize as the Penn Treebank does")
    parser.add_argument("--limit", type=positive, metavar="N", help="examples of a split, the first (default: all)")
    parser.add_argument("--train-examples", type=positive, metavar="N", help="draw so many to train on (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of that draw (default: %(default)s)")
    parser.add_argument(
        "--workers",
        type=positive,
        default=min(MOST_WORKERS, os.cpu_count() or 1),
        metavar="N",
        help="processes that make lines of many examples; the files are the same (default: %(default)s)",
    )
    parser.add_argument("--strict", action="store_true", help="end at the first malformed record")
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
        write_files(
            {args.to / "added_tokens.txt": [token for token in args.tokens if token not in lines.packer.tokens]}
        )


if __name__ == "__main__":
    run_command(main)
