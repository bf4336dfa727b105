"""What fairseq-preprocess wrote: folders that take turns, and the two sides of a split, framed for the model."""

import logging
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from fairseq.data import FairseqDataset

from ..common.errors import UserError
from ..objectives.slots import PredictionLayout
from ..text.dictionary import PretrainedDictionary
from .multi_part_sources import in_parts
from .pair_dataset import FramedText

logger = logging.getLogger(__name__)


class Pair(NamedTuple):
    """The lines of a split, int64 [l] each; there may be no targets."""

    source: FairseqDataset
    target: Optional[FairseqDataset]


def data_folders(data: Optional[str]) -> List[Path]:
    """The data directories, one or several with colons between them.

    Raises:
        UserError: none was given, or one of them does not exist.
    """
    folders = [Path(folder) for folder in (data or "").split(":")]
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if not data or missing is not None:
        raise UserError(f"no data directory {str(missing or '')!r}; expected the --destdir of fairseq-preprocess")
    return folders


def data_folder(data: Optional[str], epoch: int = 1) -> Path:
    """The data directory of an epoch, for several take turns; raises UserError as :func:`data_folders` does."""
    folders = data_folders(data)
    return folders[(epoch - 1) % len(folders)]


def shared_vocabulary(folders: Sequence[Path], read: Callable[[Path], PretrainedDictionary]) -> PretrainedDictionary:
    """The vocabulary that all folders were binarized with; ``read`` finds that of one.

    Raises:
        UserError: there are different ones.
    """
    first, *others = map(read, folders)
    for folder, dictionary in zip(folders[1:], others):
        if dictionary.fingerprint() != first.fingerprint():
            raise UserError(
                f"{folder} was binarized with another vocabulary than {folders[0]}; run "
                "fairseq-preprocess for all of them with the same --srcdict VOCAB"
            )
    logger.info(f"vocabulary of {len(first):,} tokens, {first.fingerprint()}")
    return first


class MaxLengths(NamedTuple):
    """Most tokens of a source and of a target, special ones included; None: any number."""

    source: Optional[int]
    target: Optional[int]


Read = Callable[[Path], Optional[FairseqDataset]]
"""Opens a binarized file; None if it is not there."""


def read_pair(prefix: Path, languages: Tuple[str, str], read: Read, *, paired: bool) -> Pair:
    """The binarized lines of a split.

    Args:
        prefix: folder and split, such as data-bin/train.
        languages: what the sources and the targets are called in the names of the files.
        read: opens one of these files.
        paired: there must be targets.

    Raises:
        UserError: the split is missing, or source and target differ in their number of lines.
    """
    pair, folder, split = "-".join(languages), prefix.parent, repr(prefix.name)
    source, target = (read(Path(f"{prefix}.{pair}.{language}")) for language in languages)
    if source is None or (paired and target is None):
        raise UserError(f"no split {split} ({pair}) in {folder}; expected the output of fairseq-preprocess")
    if target is not None and len(source) != len(target):
        raise UserError(
            f"{folder}: split {split} has {len(source):,} source lines but {len(target):,} target lines; "
            "expected one line each a pair: mend the text files and binarize them again"
        )
    return Pair(source, target)


def framed(
    pair: Pair,
    dictionary: PretrainedDictionary,
    *,
    layout: PredictionLayout,
    parts: Optional[int],
    max_lengths: MaxLengths,
) -> Pair:
    """Both sides with their special tokens, as a fine-tuning method lays them out.

    Args:
        sides: the binarized lines.
        dictionary: the special tokens.
        convention: of the method.
        parts: how many parts of a source the model can tell apart.
        longest: what is longer is cut.
    """
    pad, unk, eos = dictionary.pad(), dictionary.unk(), dictionary.eos()
    source = FramedText(
        in_parts(pair.source, layout, max_parts=parts, max_length=max_lengths.source),
        pad=pad,
        unk=unk,
        bos=dictionary.bos(),
        eos=eos if layout.source_end else None,
        max_length=max_lengths.source,
    )
    target = pair.target
    if target is not None:
        target = FramedText(target, pad=pad, unk=unk, bos=None, eos=eos, max_length=max_lengths.target)
    return log_truncation(Pair(source, target))


def log_truncation(pair: Pair) -> Pair:
    """The sides, once the log says how many lines are cut."""
    for side, lines in pair._asdict().items():
        if lines is not None and lines.cut():
            logger.info(f"{lines.cut():,} of {len(lines):,} {side}s lose their tail (--max-{side}-positions)")
    return pair
