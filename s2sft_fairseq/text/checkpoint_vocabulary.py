"""The text side of a model: its dictionary and the files that tell how text is split.

A checkpoint carries them, so that it can be copied to another machine and used alone; for one that does not (trained
from random weights, or by an older version) they are looked for where they usually lie.
"""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from ..common.errors import UserError
from . import vocabulary
from .dictionary import PretrainedDictionary
from .tokenizers.auto import AutoTokenizer
from .tokenizers.tokenizer import Tokenizer, TokenizerOptions
from .vocabulary_copy import copy_vocabulary, with_added

KEY = "text_side"
"""Where in the task's state a checkpoint carries it."""

TOKENIZATION_FILES = (*(name for name in vocabulary.NAMES if name != "dict.txt"), "encoder.json")
"""Files that tell how text is split."""


def write_files(
    folder: Path, dictionary: PretrainedDictionary, *, source: Optional[Path], added: Sequence[str]
) -> None:
    """Writes dict.txt, and the vocabulary's files of the pretrained directory `source` with the added tokens."""
    if source is not None:
        copy_vocabulary(source, folder, added)
    dictionary.save(str(folder / "dict.txt"))


def pack(dictionary: PretrainedDictionary, *, source: Optional[Path], added: Sequence[str]) -> Dict[str, Tensor]:
    """What :func:`write_files` writes: the bytes of each file by its name, uint8 [n]."""
    with TemporaryDirectory() as name:
        write_files(Path(name), dictionary, source=source, added=added)
        return {file.name: torch.from_numpy(np.fromfile(file, np.uint8)) for file in sorted(Path(name).iterdir())}


@contextmanager
def unpacked(task_state: Mapping[str, Any]) -> Iterator[Path]:
    """A temporary folder with the files that a checkpoint carries; it is empty if there are none."""
    with TemporaryDirectory() as name:
        for file, content in task_state.get(KEY, {}).items():
            Path(name, Path(file).name).write_bytes(content.numpy().tobytes())
        yield Path(name)


class CheckpointVocabulary(NamedTuple):
    """Where the text side of a trained model may lie.

    Attributes:
        carried: the unpacked files of the checkpoint.
        folders: where else to look.
        options: of the model.
    """

    carried: Path
    folders: Sequence[Path]
    options: Mapping[str, Any]

    def dictionary(self) -> PretrainedDictionary:
        """The dictionary that the model belongs to.

        Raises:
            UserError: none of the folders has it.
        """
        for folder in (self.carried, *self.folders):
            for tokens in self.vocabularies(folder):
                if self.is_own(tokens):
                    return PretrainedDictionary(tokens)
        raise UserError(
            f"no dictionary of the model (vocabulary {self.options['vocabulary']}) in {self.listed()}; copy the "
            "dict.*.txt of the training data beside the checkpoint, or name their directory with data=DIR (--data DIR)"
        )

    def tokenizer(self) -> Tokenizer:
        """The encoder of text that belongs to the model.

        Raises:
            UserError: none of the folders has the vocabulary's files.
        """
        for folder in (self.carried, *self.folders):
            if defines_tokenization(folder) and self.is_own(self.pretrained_vocabulary(folder)):
                return AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(folder)))
        raise UserError(
            f"how text is split stands neither in the checkpoint nor in {self.listed()}; name the pretrained directory "
            "with s2s_ft_vocab=DIR (--s2s-ft-vocab DIR), or another encoder with bpe=NAME (--bpe NAME) and its options"
        )

    def vocabularies(self, folder: Path) -> Iterator[List[str]]:
        """All vocabularies in a folder: the dictionaries of binarized data, and that of a pretrained model."""
        for file in sorted(folder.glob("dict*.txt")):
            yield vocabulary.read(file)
        if vocabulary.files(folder):
            yield self.pretrained_vocabulary(folder)

    def pretrained_vocabulary(self, folder: Path) -> List[str]:
        """The vocabulary of a pretrained directory, with the tokens that were added to the model's."""
        return with_added(vocabulary.read(folder), self.options["added_tokens"].split())

    def is_own(self, tokens: Sequence[str]) -> bool:
        """Whether a vocabulary is that of the model."""
        try:
            return PretrainedDictionary(tokens).fingerprint() == self.options["vocabulary"]
        except UserError:  # some other vocabulary, without special tokens
            return False

    def listed(self) -> str:
        """The folders in a message."""
        return ", ".join(map(str, self.folders))


def defines_tokenization(folder: Path) -> bool:
    """Whether the files of a folder tell how text is split; a dictionary alone does not tell whether case counts."""
    return any(any(folder.glob(name)) for name in TOKENIZATION_FILES)
