"""Pairs of source and target: assigned to splits by their origin, and written in fairseq's format."""

import argparse
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from s2sft_fairseq.common.atomic_files import write_line_files
from s2sft_fairseq.common.text_lines import on_one_line

PERCENT = {"test": 5, "valid": 3}  # of the groups; the rest are for training
SPLITS = ("train", "valid", "test")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+")
"""Each Chinese or Japanese character counts as a word. The package's own table (common/characters.py) also has rarer
characters; here the ranges are kept with which the texts of the published results were chosen."""

Splits = dict[str, list["Pair"]]


@dataclass(frozen=True, order=True)
class Pair:
    """A text and its summary.

    `group` names the origin of the pair (a module, a source package): the pairs of one group resemble each other, so
    they are always in the same split. `origin` is the pair's row in the table of origins.
    """

    group: str
    origin: tuple[str, ...]
    source: str
    target: str


def count_words(text: str) -> int:
    """Returns the number of words in `text`, without numbers and punctuation."""
    return len(WORD.findall(text))


def split_of(group: str) -> str:
    """Returns the split of a group; it only depends on the group's name, so it is the same on every machine."""
    digest = hashlib.blake2b(group.encode("utf-8"), digest_size=8).digest()
    percentile = int.from_bytes(digest, "big") % 100
    for split, percent in PERCENT.items():
        if percentile < percent:
            return split
        percentile -= percent
    return "train"


def split_pairs(pairs: Iterable[Pair]) -> Splits:
    """Returns the pairs of each split in a fixed order, without duplicates.

    A pair is dropped if an earlier one has the same two texts, and also if its source or its target alone occurs in a
    split that was filled earlier. Test is filled first and train last, so no test text is trained on.
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
    """Returns the pairs without texts in `taken`, and only the first of those with the same two texts."""
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
        files[folder / f"{split}.src"] = [on_one_line(pair.source) for pair in pairs]
        files[folder / f"{split}.tgt"] = [on_one_line(pair.target) for pair in pairs]
        files[folder / f"{split}.origin.tsv"] = ["\t".join(map(on_one_line, pair.origin)) for pair in pairs]
    return files


def write_pairs(pairs: Iterable[Pair], folder: Path) -> Splits:
    """Splits `pairs`, writes them to `folder`, prints how many there are and returns them."""
    splits = split_pairs(pairs)
    write_line_files(pair_files(splits, folder))
    print(f"{folder}: " + ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS))
    return splits


def parser_of_pairs(description: Optional[str], *, example: str) -> argparse.ArgumentParser:
    """Returns the parser of a program that writes pairs, with the option --to for their folder.

    Args:
        description: the program's ``__doc__``, shown with its line breaks.
        example: a command line to show after the options.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = "folder for {train,valid,test}.{src,tgt,origin.tsv}"
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help=where)
    return parser
