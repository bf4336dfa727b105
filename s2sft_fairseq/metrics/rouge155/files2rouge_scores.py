"""Scores by the package files2rouge, which runs the Perl script; it is not on PyPI and installs from its repository."""

import contextlib
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np

from ...common.errors import UserError
from .printed import Printed, read_printed

ROUGE_OPTIONS = "-c 95 -r 1000 -n 2 -m -a -d"
SENTENCE_END = "<q>"
REPOSITORY = "https://github.com/pltrdy/files2rouge"


def files2rouge_scores(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> Printed:
    """Scores texts, given as sentences, against one reference each; the examples stand in the order of the input.

    Raises:
        UserError: files2rouge is not installed.
    """
    try:
        package = importlib.import_module("files2rouge")
    except ImportError:
        raise UserError(
            f"files2rouge is not installed; install it from {REPOSITORY}, or leave the choice out"
        ) from None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        paths = [Path(folder, name) for name in ("hypotheses", "references", "scores")]
        for path, texts in zip(paths, (hypotheses, references)):
            path.write_text("".join(f"{line(sentences)}\n" for sentences in texts), encoding="utf-8")
        ours, theirs, scores = map(str, paths)
        package.run(summ_path=ours, ref_path=theirs, rouge_args=ROUGE_OPTIONS, saveto=scores, eos=SENTENCE_END)
        printed = read_printed(paths[2].read_text(encoding="utf-8"))
    return printed._replace(each=in_order(printed.each, len(hypotheses)))


def line(sentences: Sequence[str]) -> str:
    """A text in the form that files2rouge reads: on one line, sentences separated by their mark."""
    return f" {SENTENCE_END} ".join(" ".join(sentence.split()) for sentence in sentences)


def in_order(each: Dict[str, List[float]], count: int) -> Dict[str, List[float]]:
    """Undoes the order of file names, 10 before 2, in which files2rouge numbers the examples."""
    order = sorted(range(count), key=lambda number: f"s.{number}.txt")
    return {name: np.array(values)[np.argsort(order)].tolist() for name, values in each.items()}
