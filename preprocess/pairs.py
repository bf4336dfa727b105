"""Source and target texts, split by what they come from and written as fairseq reads them."""

import argparse
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from text_files import one_line, write_files

PERCENT = {"test": 5, "valid": 3}  # of the groups; the rest is for training
SPLITS = ("train", "valid", "test")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+")
"""A letter of Chinese or Japanese counts as one. The package's own table (common/characters.py) has rarer letters too;
here the ranges stay as they were when the texts of the published results were chosen by them."""

Splits = dict[str, list["Pair"]]


@dataclass(frozen=True, order=True)
class Pair:
    """A text and its summary.

    `group` names what the pair was taken from (a module, a source package): the pairs of one group resemble
    each other and so always fall into the same split. `origin` is the pair's row of the table of origins.
    """

    group: str
    origin: tuple[str, ...]
    source: str
    target: str


def count_words(text: str) -> int:
    """Returns how many words `text` has, numbers and punctuation not counted."""
    return len(WORD.findall(text))


def split_of(group: str) -> str:
    """Returns the split of a group; it depends on the name alone and so is the same on every machine."""
    digest = hashlib.blake2b(group.encode("utf-8"), digest_size=8).digest()
    percentile = int.from_bytes(digest, "big") % 100
    for split, percent in PERCENT.items():
        if percentile < percent:
            return split
        percentile -= percent
    return "train"


def split_pairs(pairs: Iterable[Pair]) -> Splits:
    """Returns the pairs of each split in a fixed order, without repetitions.

    A pair is dropped when the same two texts were taken already, and also when its source or its target alone
    stands in a split taken before it. Test is taken first and train last, so nothing trained on is tested.
    """
    members: Splits = {split: [] for split in SPLITS}
    for pair in sorted(pairs):
        members[split_of(pair.group)].append(pair)
    taken: set[str] = set()
    for split in reversed(SPLITS):
        members[split] = _first_of_each(members[split], taken=taken)
        taken |= texts_of(members[split])
    return members


def _first_of_each(pairs: Iterable[Pair], *, taken: set[str]) -> list[Pair]:
    """Returns the pairs none of whose texts is `taken`, the first of those with the same two texts."""
    unique: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        if pair.source not in taken and pair.target not in taken:
            unique.setdefault((pair.source, pair.target), pair)
    return list(unique.values())


def texts_of(pairs: Iterable[Pair]) -> set[str]:
    """Returns every source and every target."""
    return {text for pair in pairs for text in (pair.source, pair.target)}


def pair_files(splits: Splits, folder: Path) -> dict[Path, list[str]]:
    """Returns the lines of each file of `folder`: SPLIT.src, SPLIT.tgt and the origins, SPLIT.origin.tsv.

    Line n of the three files of a split is about the same pair; no file has a heading.
    """
    files: dict[Path, list[str]] = {}
    for split, pairs in splits.items():
        files[folder / f"{split}.src"] = [one_line(pair.source) for pair in pairs]
        files[folder / f"{split}.tgt"] = [one_line(pair.target) for pair in pairs]
        files[folder / f"{split}.origin.tsv"] = ["\t".join(map(one_line, pair.origin)) for pair in pairs]
    return files


def write_pairs(pairs: Iterable[Pair], folder: Path) -> Splits:
    """Splits `pairs`, writes them below `folder`, says how many there are and returns them.

    Without a single pair to train on the program ends with one line and writes nothing.
    """
    splits = split_pairs(pairs)
    write_files(pair_files(splits, folder))
    print(f"{folder}: " + ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS))
    return splits


def parser_of_pairs(description: Optional[str], *, example: str) -> argparse.ArgumentParser:
    """Returns the parser of a program that writes pairs; it has --to, the folder for them.

    Args:
        description: the program's ``__doc__``, shown as it is written.
        example: a command line to show below the options.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = "where {train,valid,test}.{src,tgt,origin.tsv} go"
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help=where)
    return parser
