"""Makes pairs of text and summary from the descriptions of the packages of Debian or Ubuntu.

The one-line synopsis of a package is the target, and its long description is the source. The package lists are
fetched with apt-get from the system's own sources into a temporary folder, or read from --lists. All packages built
from the same source package are in the same split, chosen by a hash of its name, whatever the language.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from apt_lists import Record, fetched_lists, read_records
from pairs import Pair, count_words, parser_of_pairs, write_pairs
from tqdm import tqdm

from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.common.text_lines import on_one_line

MIN_BODY_WORDS = 15
LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
NO_SUBJECT = re.compile(
    r"\b(?:transitional|dummy)\b|packaged by debcargo|\bdebug(?:ging)? symbols\b|\bfor the Rust crate\b",
    re.IGNORECASE,
)
NO_SUBJECT_NAME = re.compile(r"-(?:dbg|dbgsym|debug)$")


class Origin(NamedTuple):
    """The source package that a binary package was built from."""

    source: str
    version: str


def read_origins(lists: Path) -> dict[str, Origin]:
    """Returns source package and version of every binary package in the *_Packages files of a folder."""
    origins: dict[str, Origin] = {}
    for path in sorted(lists.glob("*_Packages")):
        for record in read_records(path):
            name = record.get("package", "")
            source = record.get("source", name).split(" ")[0]
            origins[name] = Origin(source, record.get("version", ""))
    return origins


def translations(lists: Path) -> dict[str, list[Path]]:
    """Returns the description files of a folder by language; apt writes the `_` of zh_CN as %5f."""
    found: dict[str, list[Path]] = {}
    for path in sorted(lists.glob("*_i18n_Translation-*")):
        found.setdefault(unquote(path.name).rpartition("Translation-")[2], []).append(path)
    return found


def read_descriptions(lists: Path, language: str) -> Iterator[tuple[str, str, str]]:
    """Yields name, synopsis and body of each description in the lists of a folder."""
    for path in translations(lists).get(language, []):
        records: Iterable[Record] = read_records(path)
        for record in tqdm(records, desc=f"reading {language}", unit=" packages", disable=None):
            text = record.get(f"description-{language.lower()}", "")
            synopsis, _, body = text.partition("\n")
            yield record.get("package", ""), on_one_line(synopsis), body


def paragraphs(body: str) -> tuple[str, ...]:
    """Returns the paragraphs of a long description, one line each; they are separated by lines with a single dot."""
    return tuple(filter(None, map(on_one_line, re.split(r"\n \.[ \t]*(?=\n|$)", body))))


def has_subject(name: str, synopsis: str, body: str) -> bool:
    """Whether a package has a long enough description and is neither a placeholder nor debugging symbols."""
    if NO_SUBJECT_NAME.search(name) or NO_SUBJECT.search(synopsis) or NO_SUBJECT.search(body):
        return False
    return bool(synopsis) and count_words(body) >= MIN_BODY_WORDS


def read_pairs(lists: Path, language: str) -> Iterator[Pair]:
    """Yields the pairs of a folder of package lists, one per different first paragraph of a source package.

    Packages built from one source (`-dev`, `-doc`, ...) repeat each other; the one with the shortest name is kept.
    """
    origins = read_origins(lists)
    seen: set[tuple[str, str]] = set()
    descriptions = sorted(set(read_descriptions(lists, language)), key=lambda found: (len(found[0]), found))
    for name, synopsis, body in descriptions:
        origin = origins.get(name, Origin(name, ""))
        texts = paragraphs(body)
        if not texts or (origin.source, texts[0]) in seen or not has_subject(name, synopsis, body):
            continue
        seen.add((origin.source, texts[0]))
        row = (origin.source, origin.version, name, language)
        yield Pair(origin.source, row, " ".join(texts), synopsis)


def make_pairs(lists: Path, language: str, *, to: Path) -> None:
    """Reads the lists of a folder and writes the pairs; if there are none, ends the program with a one-line message."""
    found = translations(lists)
    if language not in found:
        there = f"those there are in: {', '.join(found)}" if found else "there are none in any language"
        sys.exit(f"{lists}: no package descriptions in {language}; {there}")
    write_pairs(read_pairs(lists, language), to)


def language_code(text: str) -> str:
    """Returns `text` if it looks like a language of apt's, such as `en` or `zh_CN`."""
    if not LANGUAGE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a language code such as en, fr or zh_CN")
    return text


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = parser_of_pairs(
        __doc__, example="python preprocess/package_descriptions.py --to text/packages-fr --lang fr"
    )
    parser.add_argument(
        "--lang", type=language_code, default="en", help="language: en, fr, zh_CN, ... (default: %(default)s)"
    )
    parser.add_argument(
        "--lists",
        type=Path,
        metavar="DIR",
        help="instead of fetching the lists, read the uncompressed *_Packages and *_i18n_Translation-* files in DIR, "
        "such as /var/lib/apt/lists",
    )
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    if args.lists:
        make_pairs(args.lists, args.lang, to=args.to)
        return
    with fetched_lists(args.lang) as lists:
        make_pairs(lists, args.lang, to=args.to)


if __name__ == "__main__":
    run_command(main)
