"""Reads what fairseq-preprocess wrote: folders that alternate by epoch, and both sides of a split, framed."""

import logging
from pathlib import Path
from typing import List, Mapping, NamedTuple, Optional

from fairseq.data import FairseqDataset
from fairseq.data.data_utils import load_indexed_dataset

from ..common.errors import UserError
from ..objectives.slots import PredictionLayout
from ..text.dictionary import PretrainedDictionary
from .multi_part_sources import in_parts
from .pair_dataset import FramedText

logger = logging.getLogger(__name__)


class Pair(NamedTuple):
    """The lines of a split, int64 [l] each; the targets may be missing."""

    source: FairseqDataset
    target: Optional[FairseqDataset]


def data_folders(data: Optional[str]) -> List[Path]:
    """The data directories, one or several separated by colons.

    Raises:
        UserError: none was given, or one of them does not exist.
    """
    folders = [Path(folder) for folder in (data or "").split(":")]
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if not data or missing is not None:
        raise UserError(f"no data directory {str(missing or '')!r}; expected the --destdir of fairseq-preprocess")
    return folders


def data_folder(data: Optional[str], epoch: int = 1) -> Path:
    """The data directory of an epoch: several take turns; raises UserError as :func:`data_folders` does."""
    folders = data_folders(data)
    return folders[(epoch - 1) % len(folders)]


def shared_vocabulary(vocabularies: Mapping[Path, PretrainedDictionary]) -> PretrainedDictionary:
    """The vocabulary that all folders were binarized with.

    Raises:
        UserError: the folders have different vocabularies.
    """
    (first_folder, first), *others = vocabularies.items()
    for folder, dictionary in others:
        if dictionary.fingerprint() != first.fingerprint():
            raise UserError(
                f"{folder} was binarized with a different vocabulary than {first_folder}; run "
                "fairseq-preprocess for all of them with the same --srcdict VOCAB"
            )
    logger.info(f"vocabulary of {len(first):,} tokens, {first.fingerprint()}")
    return first


class MaxLengths(NamedTuple):
    """Maximum numbers of tokens of a source and of a target, special ones included; None: no limit."""

    source: Optional[int]
    target: Optional[int]


class BinarizedSplit(NamedTuple):
    """The files of one split.

    Attributes:
        prefix: folder and split, such as data-bin/train.
        dictionary: of the data; fairseq needs it to read some of its formats.
        implementation: the value of ``--dataset-impl``; None: detected from the files.
    """

    prefix: Path
    dictionary: PretrainedDictionary
    implementation: Optional[str]

    def lines(self, suffix: str = "") -> Optional[FairseqDataset]:
        """The binarized lines of one file, int64 [l] each; None if it does not exist.

        Raises:
            UserError: it is in another format than ``--dataset-impl``.
        """
        try:
            return load_indexed_dataset(f"{self.prefix}{suffix}", self.dictionary, self.implementation)
        except AssertionError:
            raise UserError(
                f"--dataset-impl {self.implementation}: {self.prefix}{suffix} was binarized in another format; leave "
                "it out, because the files show their format"
            ) from None

    def pair(self, source_language: str, target_language: str, *, with_target: bool) -> Pair:
        """Both sides of the split.

        Args:
            source_language, target_language: the suffixes of source and target files.
            with_target: whether there must be targets.

        Raises:
            UserError: the split is missing, or source and target differ in their number of lines.
        """
        languages, folder, split = f"{source_language}-{target_language}", self.prefix.parent, self.prefix.name
        source, target = (self.lines(f".{languages}.{name}") for name in (source_language, target_language))
        if source is None or (with_target and target is None):
            raise UserError(f"no split {split!r} ({languages}) in {folder}; expected the output of fairseq-preprocess")
        if target is not None and len(source) != len(target):
            raise UserError(
                f"{folder}: split {split!r} has {len(source):,} source lines but {len(target):,} target lines; "
                "expected one line of each per pair: correct the text files and binarize them again"
            )
        return Pair(source, target)


def frame_pair(
    pair: Pair,
    dictionary: PretrainedDictionary,
    *,
    layout: PredictionLayout,
    max_parts: Optional[int],
    max_lengths: MaxLengths,
) -> Pair:
    """Both sides with their special tokens, as a fine-tuning method lays them out.

    Args:
        pair: the binarized lines.
        dictionary: provides the special tokens.
        layout: of the method.
        max_parts: how many parts of a source the model can distinguish; None: any number.
        max_lengths: anything longer is cut.
    """
    pad, unk, eos = dictionary.pad(), dictionary.unk(), dictionary.eos()
    source = FramedText(
        in_parts(pair.source, layout, max_parts=max_parts, max_length=max_lengths.source),
        pad=pad,
        unk=unk,
        bos=dictionary.bos(),
        eos=eos if layout.source_end else None,
        max_length=max_lengths.source,
    )
    target = pair.target
    if target is not None:
        target = FramedText(target, pad=pad, unk=unk, bos=None, eos=eos, max_length=max_lengths.target)
    framed = Pair(source, target)
    log_truncation(framed)
    return framed


def log_truncation(pair: Pair) -> None:
    """Logs how many lines of each side are cut."""
    for side, lines in pair._asdict().items():
        if lines is not None and lines.cut():
            logger.info(f"{lines.cut():,} of {len(lines):,} {side}s lose their tail (--max-{side}-positions)")
