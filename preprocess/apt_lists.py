"""Fetches apt's package lists, without touching the system's own, and reads them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Record = dict[str, str]


@contextmanager
def fetched_lists(language: str) -> Iterator[Path]:
    """A temporary folder with the package lists of the system's own sources and the descriptions in `language`.

    This needs no privileges, because apt-get works on private state. If it is missing or fails, the program ends
    with a one-line message.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        sys.exit("apt-get: not found; this text needs Debian or Ubuntu, or lists copied from there (--lists DIR)")
    with tempfile.TemporaryDirectory(prefix="apt-lists-") as folder:
        root = Path(folder)
        for name in ("lists/partial", "cache/archives/partial"):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)  # apt's own user writes here when root runs this
        print("apt-get: fetching the package lists ...", file=sys.stderr)
        done = subprocess.run([apt, *_options(root, language), "update"], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            sys.exit(f"apt-get update: failed with status {done.returncode}: {reason}")
        yield root / "lists"


def _options(root: Path, language: str) -> list[str]:
    settings = {
        "Dir::State::Lists": root / "lists",
        "Dir::Cache": root / "cache",
        "Acquire::GzipIndexes": "false",
        "Acquire::Languages": language if language == "en" else f"{language},en",
        "APT::Update::Post-Invoke-Success::": "",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def read_records(path: Path) -> Iterator[Record]:
    """Yields the records of a Debian control file as fields by their lower-case names.

    Continuation lines are preceded by a line feed and keep their leading space.
    """
    record: Record = {}
    key = ""
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            if line == "\n":
                if record:
                    yield record
                record, key = {}, ""
            elif line[0] in " \t":
                record[key] = record.get(key, "") + "\n" + line.rstrip("\n")
            else:
                key, _, value = line.partition(":")
                key = key.lower()
                record[key] = value.strip()
    if record:
        yield record
