"""Makes pairs of text and summary from the docstrings of Python and of installed packages.

The summary line of a function, a class or a module is the target. The source consists of its name, its parameters
and the prose after that line. Files are only parsed; nothing is imported or downloaded. All pairs of one module are
in the same split, chosen by a hash of the module's name, so the same text is held out on every machine.
"""

import argparse
import itertools
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePath

from docstrings import Docstring, read_docstrings
from pairs import Pair, count_words, parser_of_pairs, split_of, texts_of, write_pairs
from tqdm import tqdm

from s2sft_fairseq.common.atomic_files import write_line_files
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.common.text_lines import on_one_line

STANDARD_LIBRARY = "python"
PACKAGES = (
    f"{STANDARD_LIBRARY} torch fairseq numpy sympy networkx mpmath hydra-core omegaconf sacrebleu "
    "fsspec jinja2 filelock "
    "cython cffi pycparser lxml pyyaml regex setuptools tqdm portalocker tabulate typing-extensions"
).split()
SKIPPED = {
    "test",
    "tests",
    "idle_test",
    "testing",
    "_vendor",
    "_vendored_packages",
    "vendored",
    "site-packages",
    "lib2to3",
}
MIN_PROSE_WORDS = 15
MIN_SUMMARY_WORDS, MAX_SUMMARY_WORDS = 3, 40


@dataclass(frozen=True)
class Module:
    """A Python file of a package, by its dotted name."""

    package: str
    version: str
    name: str
    path: Path


@dataclass(frozen=True)
class Entry:
    """A docstring and its module."""

    module: Module
    doc: Docstring

    @property
    def name(self) -> str:
        """The dotted name, the module's included."""
        return ".".join(filter(None, (self.module.name, self.doc.name)))

    @property
    def has_pair(self) -> bool:
        """Whether there is a summary sentence and enough prose below it."""
        summary = self.doc.summary
        sentence = MIN_SUMMARY_WORDS <= count_words(summary) <= MAX_SUMMARY_WORDS and summary[-1] != ":"
        signature = summary.startswith(f"{self.doc.name.split('.')[-1]}(")
        return sentence and not signature and count_words(self.doc.prose) >= MIN_PROSE_WORDS

    def pair(self) -> Pair:
        """The pair of this docstring."""
        module = self.module
        origin = (module.package, module.version, module.name, self.doc.name, str(self.doc.line))
        source = on_one_line(f"{self.name}{self.doc.signature} {self.doc.prose}")
        return Pair(module.name, origin, source, on_one_line(self.doc.summary))


def modules_of(package: str) -> list[Module]:
    """Returns the Python files of an installed package or of the standard library, without tests.

    Raises `importlib.metadata.PackageNotFoundError` when it is not installed.
    """
    files, version = _standard_library() if package == STANDARD_LIBRARY else _installed(package)
    named = ((file, relative) for file, relative in files if not SKIPPED.intersection(relative.parts))
    return sorted((Module(package, version, _dotted(relative), file) for file, relative in named), key=lambda m: m.name)


def _standard_library() -> tuple[list[tuple[Path, PurePath]], str]:
    root = Path(sysconfig.get_paths()["stdlib"])
    return [(path, path.relative_to(root)) for path in root.rglob("*.py")], platform.python_version()


def _installed(package: str) -> tuple[list[tuple[Path, PurePath]], str]:
    distribution = metadata.distribution(package)
    listed = [file for file in distribution.files or () if file.suffix == ".py" and ".." not in file.parts]
    return [(Path(str(file.locate())), file) for file in listed], distribution.version


def _dotted(relative: PurePath) -> str:
    parts = relative.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def read_entries(modules: Sequence[Module]) -> Iterator[Entry]:
    """Yields every docstring of the modules, with a progress bar."""
    for module in tqdm(modules, desc="reading docstrings", unit=" files", disable=None):
        for doc in read_docstrings(module.path):
            yield Entry(module, doc)


def find_modules(packages: Iterable[str], *, required: bool) -> list[Module]:
    """Returns the modules of all packages; a missing package is an error if `required`, otherwise a warning."""
    modules: list[Module] = []
    for package in packages:
        try:
            modules += modules_of(package)
        except metadata.PackageNotFoundError:
            message = f"{package}: no installed package has this name; `pip list` shows those that exist"
            if required:
                sys.exit(message)
            print(f"{message} (left out)", file=sys.stderr)
    return modules


def unpaired_texts(entries: Iterable[Entry], *, held_out: Iterable[str]) -> Iterator[str]:
    """Yields the text of docstrings without a pair in training modules, except texts that are held out."""
    seen = set(held_out)
    for entry in entries:
        text = on_one_line(f"{entry.doc.summary} {entry.doc.prose}")
        if entry.has_pair or split_of(entry.module.name) != "train" or on_one_line(entry.doc.summary) in seen:
            continue
        if text not in seen:
            seen.add(text)
            yield text


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = parser_of_pairs(
        __doc__, example="python preprocess/python_docs.py --to text/docs --monolingual text/unpaired.txt"
    )
    parser.add_argument(
        "--packages",
        nargs="+",
        metavar="NAME",
        help=f"installed packages, by their names in pip; {STANDARD_LIBRARY} is the standard library "
        f"(default: those of {', '.join(PACKAGES)} that are installed)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="read only the first N docstrings, for a quick look")
    parser.add_argument(
        "--monolingual",
        type=Path,
        metavar="FILE",
        help="also write the training modules' other docstrings, for a vocabulary or for pre-training",
    )
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    modules = find_modules(args.packages or PACKAGES, required=args.packages is not None)
    entries = list(itertools.islice(read_entries(modules), args.limit))
    splits = write_pairs((entry.pair() for entry in entries if entry.has_pair), args.to)
    if args.monolingual:
        held_out = texts_of(splits["valid"]) | texts_of(splits["test"])
        write_line_files({args.monolingual: unpaired_texts(entries, held_out=held_out)})


if __name__ == "__main__":
    run_command(main)
