"""A model's vocabulary files: its dictionary, and the files that define its tokenization.

A checkpoint contains them, so that it can be copied to another machine and used alone. For a checkpoint without them
(trained from random weights, or by an older version), they are searched for in the usual places.
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
"""The key of the files in the task state of a checkpoint."""

TOKENIZATION_FILES = (*(name for name in vocabulary.NAMES if name != "dict.txt"), "encoder.json")
"""Files that define the tokenization."""


def write_files(
    folder: Path, dictionary: PretrainedDictionary, *, source: Optional[Path], added: Sequence[str]
) -> None:
    """Writes dict.txt, and the vocabulary files of the pretrained directory `source` with the added tokens."""
    if source is not None:
        copy_vocabulary(source, folder, added)
    dictionary.save(str(folder / "dict.txt"))


def pack(dictionary: PretrainedDictionary, *, source: Optional[Path], added: Sequence[str]) -> Dict[str, Tensor]:
    """The files that :func:`write_files` writes, as bytes by file name, uint8 [n]."""
    with TemporaryDirectory() as name:
        write_files(Path(name), dictionary, source=source, added=added)
        return {file.name: torch.from_numpy(np.fromfile(file, np.uint8)) for file in sorted(Path(name).iterdir())}


@contextmanager
def unpacked(task_state: Mapping[str, Any]) -> Iterator[Path]:
    """A temporary folder with the files that a checkpoint contains; empty if there are none.

    Raises:
        UserError: the checkpoint has anything but bytes by file name there.
    """
    files = task_state.get(KEY, {})
    if not (isinstance(files, Mapping) and all(is_file(name, content) for name, content in files.items())):
        raise UserError(f"the vocabulary files in the checkpoint ({KEY}) are damaged; expected bytes by file name")
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content.numpy().tobytes())
        yield Path(folder)


def is_file(name: Any, content: Any) -> bool:
    """Whether these are the name of a file, without a folder, and its bytes, uint8 [n]."""
    if not (isinstance(name, str) and name.isprintable() and name not in ("", "..") and name == Path(name).name):
        return False
    return isinstance(content, Tensor) and content.layout is torch.strided and content.dtype is torch.uint8


class CheckpointVocabulary(NamedTuple):
    """Where to look for the vocabulary files of a trained model.

    Attributes:
        carried: the folder with the unpacked files of the checkpoint.
        folders: other folders to search.
        options: the model's options.
    """

    carried: Path
    folders: Sequence[Path]
    options: Mapping[str, Any]

    def dictionary(self) -> PretrainedDictionary:
        """The model's dictionary.

        Raises:
            UserError: it is in none of the folders.
        """
        for folder in (self.carried, *self.folders):
            for tokens in self.vocabularies(folder):
                if self.is_own(tokens):
                    return PretrainedDictionary(tokens)
        raise UserError(
            f"the model's dictionary (vocabulary {self.options['vocabulary']}) is not in {self.listed()}; copy the "
            "dict.*.txt of the training data next to the checkpoint, or name its directory with data=DIR (--data DIR)"
        )

    def tokenizer(self, **options: Any) -> Tokenizer:
        """The model's tokenizer.

        Args:
            **options: of :class:`TokenizerOptions`, except for the vocabulary.

        Raises:
            UserError: the vocabulary files are in none of the folders.
        """
        for folder in (self.carried, *self.folders):
            if defines_tokenization(folder) and self.is_own(self.pretrained_vocabulary(folder)):
                return AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(folder), **options))
        raise UserError(
            f"the model's tokenizer is neither in the checkpoint nor in {self.listed()}; name the pretrained directory "
            "with s2s_ft_vocab=DIR (--s2s-ft-vocab DIR), or another encoder with bpe=NAME (--bpe NAME) and its options"
        )

    def vocabularies(self, folder: Path) -> Iterator[List[str]]:
        """All vocabularies in a folder: dictionaries of binarized data, and the vocabulary of a pretrained model."""
        for file in sorted(folder.glob("dict*.txt")):
            yield vocabulary.read(file)
        if vocabulary.files(folder):
            yield self.pretrained_vocabulary(folder)

    def pretrained_vocabulary(self, folder: Path) -> List[str]:
        """The vocabulary of a pretrained directory, with the tokens that were added for the model."""
        return with_added(vocabulary.read(folder), self.options["added_tokens"].split())

    def is_own(self, tokens: Sequence[str]) -> bool:
        """Whether a vocabulary is the model's own."""
        try:
            return PretrainedDictionary(tokens).fingerprint() == self.options["vocabulary"]
        except UserError:  # another vocabulary, without special tokens
            return False

    def listed(self) -> str:
        """The folders, for error messages."""
        return ", ".join(map(str, self.folders))


def defines_tokenization(folder: Path) -> bool:
    """Whether a folder has files that define a tokenization; a dictionary alone does not show whether case matters."""
    return any(any(folder.glob(name)) for name in TOKENIZATION_FILES)
