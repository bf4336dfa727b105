"""Reads the texts that a metric compares: files with one example per line, or the output of fairseq-generate."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..common.errors import UserError
from ..common.fairseq_output import parse_record
from ..common.text_lines import read_all_lines


class Files(NamedTuple):
    """The files that a command line names."""

    hypothesis: Path
    references: Tuple[Path, ...]
    source: Optional[Path] = None


class Texts(NamedTuple):
    """N hypotheses, one or more references for each ([N][R]), and N sources if there are any."""

    hypotheses: Sequence[str]
    references: Sequence[Sequence[str]]
    sources: Optional[Sequence[str]] = None


def read_texts(files: Files) -> Texts:
    """Reads files with one example per line; the hypotheses may be the output of fairseq-generate.

    Raises:
        UserError: a file is missing, empty or not UTF-8, or the numbers of lines differ.
    """
    hypotheses = read_hypotheses(files.hypothesis)
    others = {path: read_all_lines(path) for path in (*files.references, *filter(None, [files.source]))}
    for path, lines in others.items():
        if len(lines) != len(hypotheses):
            raise UserError(
                f"{files.hypothesis} has {len(hypotheses)} lines but {path} has {len(lines)}; expected one line of "
                "each per example"
            )
    if not hypotheses:
        raise UserError(f"{files.hypothesis} is empty; expected one line per example")
    references = list(zip(*(others[path] for path in files.references)))
    return Texts(hypotheses, references, others[files.source] if files.source else None)


def read_hypotheses(path: Path) -> List[str]:
    """Lines of text, or the best hypotheses in the output of fairseq-generate, in the order of its inputs.

    Detokenized hypotheses (D-) are preferred to those in the model's tokens (H-).

    Raises:
        UserError: the file cannot be read, or there is no hypothesis for an input.
    """
    lines = read_all_lines(path)
    outputs = best_outputs(lines)
    if not outputs:
        return lines
    missing = next((number for number in range(max(outputs)) if number not in outputs), None)
    if missing is not None:
        raise UserError(f"{path} has no output for example {missing}; expected every number up to {max(outputs)}")
    return [outputs[number] for number in range(len(outputs))]


def best_outputs(lines: Sequence[str]) -> Dict[int, str]:
    """The first hypothesis for each input in the output of fairseq-generate; empty if the lines are plain text."""
    detokenized: Dict[int, str] = {}
    tokens: Dict[int, str] = {}
    for line in lines:
        record = parse_record(line)
        if record is None or "\t" not in record.content:
            continue
        if record.kind == "D":
            detokenized.setdefault(record.number, record.text())
        elif record.kind == "H":
            tokens.setdefault(record.number, record.text())
    return detokenized or tokens
