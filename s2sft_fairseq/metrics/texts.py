"""The texts that a metric compares, read from files: one example a line, or what fairseq-generate wrote."""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..common.errors import UserError
from ..text.vocabulary import split_lines

GENERATED = re.compile(r"([DH])-(\d+)\t[^\t]*\t(.*)", re.DOTALL)  # D-17 <tab> score <tab> text


class Files(NamedTuple):
    """The files that a command line names."""

    hypothesis: Path
    references: Tuple[Path, ...]
    source: Optional[Path] = None


class Texts(NamedTuple):
    """N hypotheses, one or more references for each ([N][R]), and the N sources if there are any."""

    hypotheses: Sequence[str]
    references: Sequence[Sequence[str]]
    sources: Optional[Sequence[str]] = None


def read_texts(files: Files) -> Texts:
    """Reads files of one example a line; the hypotheses may be a file that fairseq-generate wrote.

    Raises:
        UserError: a file is missing or is not UTF-8, there is nothing in it, or the numbers of lines differ.
    """
    hypotheses = read_hypotheses(files.hypothesis)
    others = {path: read_lines(path) for path in (*files.references, *filter(None, [files.source]))}
    for path, lines in others.items():
        if len(lines) != len(hypotheses):
            raise UserError(
                f"{files.hypothesis} has {len(hypotheses)} lines and {path} has {len(lines)}; expected line i of each "
                "to belong together"
            )
    if not hypotheses:
        raise UserError(f"{files.hypothesis} is empty; expected one line for each example")
    references = list(zip(*(others[path] for path in files.references)))
    return Texts(hypotheses, references, others[files.source] if files.source else None)


def read_lines(path: Path) -> List[str]:
    """The lines of a UTF-8 file, without a byte order mark; only a line feed ends a line (CRLF is taken too).

    Raises:
        UserError: the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}: {error.reason}); convert it with iconv") from None
    return split_lines(text)


def read_hypotheses(path: Path) -> List[str]:
    """Lines of text, or the best outputs in what fairseq-generate wrote, in the order of its input.

    Detokenized outputs (D-) are preferred to those in the model's tokens (H-).

    Raises:
        UserError: the file cannot be read, or an output is missing in it.
    """
    lines = read_lines(path)
    found: Dict[str, Dict[int, str]] = {"D": {}, "H": {}}
    for match in filter(None, map(GENERATED.match, lines)):
        found[match[1]].setdefault(int(match[2]), match[3])
    outputs = found["D"] or found["H"]
    if not outputs:
        return lines
    missing = next((number for number in range(max(outputs)) if number not in outputs), None)
    if missing is not None:
        raise UserError(f"{path} has no output for example {missing}; expected every number up to {max(outputs)}")
    return [outputs[number] for number in range(len(outputs))]
