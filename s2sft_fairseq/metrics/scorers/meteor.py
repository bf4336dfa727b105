"""METEOR 1.5 (Denkowski and Lavie, 2014), of English: its jar aligns the texts, its formula scores any sample of them.

The jar comes with the package pycocoevalcap; it needs Java.
"""

import shutil
import sys
from argparse import _ArgumentGroup
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import List, Optional, Sequence

import numpy as np
from tqdm import tqdm

from ...common.errors import UserError

WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
"""What an exact match, one of stems, of synonyms and of paraphrases are worth."""

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
"""Weight of recall, curve and weight of fragmentation, weight of content words: the jar's own values for English."""

# Where the jar's 23 numbers are: of hypothesis and reference, where there are two.
LENGTHS, FUNCTION_WORDS, MATCHES, CHUNKS, MATCHED = slice(0, 2), slice(2, 4), slice(4, 20), 20, slice(21, 23)


class Meteor:
    """METEOR's statistics of N examples.

    Args:
        statistics: what the jar tells of each example [N, 23].
    """

    def __init__(self, statistics: np.ndarray) -> None:
        self.statistics = statistics.copy()
        complete = (statistics[:, MATCHED] == statistics[:, LENGTHS]).all(axis=1)
        # The jar takes everything in one chunk for no fragmentation at all.
        self.statistics[complete & (statistics[:, CHUNKS] == 1), CHUNKS] = 0

    def each(self) -> np.ndarray:
        """The score of every example [N], in points."""
        return points(self.statistics)

    def score(self, rows: np.ndarray) -> float:
        """The score of these examples together, in points."""
        return float(points(self.statistics[rows].sum(axis=0)))


def points(statistics: np.ndarray) -> np.ndarray:
    """The score in points from statistics, or from their sums: [..., 23] -> [...]; 0 where nothing matches."""
    credits = WEIGHTS @ statistics[..., MATCHES].reshape(*statistics.shape[:-1], len(WEIGHTS), 4)
    words, function_words = statistics[..., LENGTHS], statistics[..., FUNCTION_WORDS]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = weigh(credits[..., :2], credits[..., 2:]) / weigh(words - function_words, function_words)
        precision, recall = np.moveaxis(shares, -1, 0)
        mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
        fragmentation = statistics[..., CHUNKS] / statistics[..., MATCHED].mean(axis=-1)
        return 100 * np.nan_to_num(mean * (1 - GAMMA * fragmentation**BETA))


def weigh(content: np.ndarray, function: np.ndarray) -> np.ndarray:
    """What content words and function words count together."""
    return DELTA * content + (1 - DELTA) * function


def measure(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], *, jar: Optional[Path] = None
) -> Optional[Meteor]:
    """Aligns N hypotheses with one or more references each, or says in one line why METEOR is left out."""
    try:
        return Meteor(np.array(align(hypotheses, references, jar=jar or find_jar())))
    except UserError as error:
        print(f"METEOR is left out: {error}", file=sys.stderr)
        return None


def add_jar_option(group: _ArgumentGroup) -> None:
    """Adds where METEOR's jar is."""
    group.add_argument("--meteor-jar", type=Path, metavar="FILE", help="meteor-1.5.jar (default: pycocoevalcap's own)")


def find_jar() -> Path:
    """The jar that the package pycocoevalcap brings along.

    Raises:
        UserError: the package is not installed.
    """
    package = find_spec("pycocoevalcap")
    folders = package and package.submodule_search_locations
    if not folders:
        raise UserError("its jar comes with pycocoevalcap; pip install pycocoevalcap, or name --meteor-jar FILE")
    return Path(next(iter(folders)), "meteor", "meteor-1.5.jar")


def align(hypotheses: Sequence[str], references: Sequence[Sequence[str]], *, jar: Path) -> List[List[float]]:
    """The jar's statistics of each hypothesis beside the reference that suits it best [N][23].

    Raises:
        UserError: Java or the jar is not there, or the jar stopped.
    """
    java = shutil.which("java")
    if java is None:
        raise UserError("it needs Java, and there is no program named java; install a Java runtime (8 or later)")
    if not jar.is_file():
        raise UserError(f"{jar} is no file; expected METEOR's own meteor-1.5.jar")
    command = [java, "-Xmx2G", "-jar", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    with TemporaryFile() as questions, TemporaryFile() as complaints:
        questions.writelines(map(question, hypotheses, references))
        questions.seek(0)
        with Popen(command, cwd=jar.parent, stdin=questions, stdout=PIPE, stderr=complaints) as process:
            answers = tqdm(process.stdout, "METEOR", total=len(hypotheses), disable=None, leave=False)
            statistics = [[float(number) for number in line.split()] for line in answers]
        complaints.seek(0)
        if len(statistics) != len(hypotheses):
            raise UserError(f"{jar} answered {len(statistics)} of {len(hypotheses)} times: {complaints.read(300)!r}")
    return statistics


def question(hypothesis: str, references: Sequence[str]) -> bytes:
    """One line of the jar's protocol, with the cleaning that COCO's scorer does."""
    cleaned = hypothesis.replace("|||", "").replace("  ", " ")
    return (" ||| ".join(["SCORE", *references, cleaned]).replace("\r", " ") + "\n").encode()
