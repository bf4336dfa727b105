"""What the tokenizers share: options, added tokens, batches of lines, and the treatment of whitespace.

Each wraps a tokenizer of the package `tokenizers`: the one in the pretrained model's tokenizer.json, or one that is
built from the family's own files in the same way as in `transformers`, so that its ids equal those of `transformers`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Dict, Iterator, List, Mapping, Optional, Sequence

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from tokenizers import AddedToken
from tokenizers import Tokenizer as FastTokenizer

from ...common.errors import UserError
from .. import vocabulary
from ..special_tokens import complete_spelling

ADDED_TOKEN_FLAGS = ("lstrip", "rstrip", "normalized", "single_word", "special")


@dataclass
class TokenizerOptions(FairseqDataclass):
    s2s_ft_vocab: Optional[str] = field(
        default=None,
        metadata={"help": "directory of the pretrained model, or its vocabulary file"},
    )
    vocab_add: Optional[str] = field(
        default=None,
        metadata={
            "help": "file of tokens to add to the pretrained vocabulary, one per line; they are kept whole in text"
        },
    )
    special_tokens: ChoiceEnum(["whole", "text"]) = field(  # type: ignore[valid-type]
        default="whole",
        metadata={
            "help": "whole: [SEP], </s> and the like in a text are special tokens, as in transformers, and [SEP] "
            "separates the parts of a source; text: they are split like other text"
        },
    )
    spacing: ChoiceEnum(["restored", "published"]) = field(  # type: ignore[valid-type]
        default="restored",
        metadata={
            "help": "WordPiece outputs: restored: spaces as in written text; published: as BERT's decoder leaves them, "
            "such as $ 1, 000"
        },
    )


class Tokenizer(ABC):
    """Tokenizes text like the tokenizer of a pretrained model, without special tokens at either end.

    Args:
        cfg: the vocabulary's path, and the tokens to add to it.

    Raises:
        UserError: files are missing, cannot be read, or do not belong together.
    """

    model_type: str
    """The name of this kind of model in tokenizer.json."""

    space_mark: ClassVar[Optional[str]] = None
    """What stands for the space before a word, if the family marks it."""

    loses_spaces: ClassVar[bool] = False
    """Whether its pieces do not show which signs had spaces around them."""

    def __init__(self, cfg: TokenizerOptions) -> None:
        path = vocabulary_path(cfg)
        self.fast_tokenizer = self.load(path)
        self.special_tokens = complete_spelling(vocabulary.read(path)) or ()
        self.add(path, cfg.vocab_add)
        self.fast_tokenizer.encode_special_tokens = str(cfg.special_tokens) == "text"
        self.restores_spacing = self.loses_spaces and str(cfg.spacing) == "restored"
        ids = self.fast_tokenizer.get_vocab()
        self.pieces = self.spell(ids, path)
        self.tokens = {self.pieces[row]: token for token, row in ids.items()}

    @classmethod
    @abstractmethod
    def serves(cls, path: Path) -> bool:
        """Whether the files at `path` are of this kind."""

    @abstractmethod
    def build(self, path: Path) -> FastTokenizer:
        """Builds the tokenizer from the family's own files."""

    @abstractmethod
    def join(self, tokens: List[str]) -> str:
        """Joins tokens into text."""

    def spell(self, ids: Mapping[str, int], path: Path) -> Dict[int, str]:
        """The tokenizer's tokens as the dictionary spells them, by id."""
        return {row: vocabulary.spelled(token) for token, row in ids.items()}

    def load(self, path: Path) -> FastTokenizer:
        """The tokenizer in tokenizer.json if there is one; otherwise builds it."""
        file = locate(path, "tokenizer.json")
        if file is None:
            return self.build(path)
        try:
            tokenizer = FastTokenizer.from_file(str(file))
        except Exception as error:  # its own class is a bare Exception
            raise UserError(f"{file} cannot be read: {error}") from None
        check_agreement(tokenizer, path)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def add(self, path: Path, additions: Optional[str]) -> None:
        """Makes the tokenizer keep these tokens whole: those the model's files add, special ones, and the user's."""
        tokens = vocabulary.read(path)
        added = [*added_tokens(path), *special_tokens(tokens)]
        if additions is not None:
            added += map(AddedToken, vocabulary.read_additions(Path(additions), tokens))
        known = {token.content for token in self.fast_tokenizer.get_added_tokens_decoder().values()}
        for token in added:
            if token.content not in known:
                self.fast_tokenizer.add_tokens([token])
                known.add(token.content)

    def encode(self, x: str) -> str:
        """Tokenizes text into pieces, separated by spaces."""
        return self.encode_lines([x])[0]

    def encode_lines(self, lines: Sequence[str]) -> List[str]:
        """Tokenizes many lines at once, which is much faster than one by one."""
        encodings = self.fast_tokenizer.encode_batch(list(lines), add_special_tokens=False)
        return [" ".join([self.pieces[row] for row in encoding.ids]) for encoding in encodings]

    def decode(self, x: str) -> str:
        """Joins pieces into one line of text; leaves words apart that ``--remove-bpe`` has joined already."""
        pieces = x.split()
        if self.are_words(pieces):
            return " ".join(pieces)
        text = self.join([self.tokens.get(piece, piece) for piece in pieces])
        return " ".join(text.splitlines()).strip()

    def are_words(self, pieces: Sequence[str]) -> bool:
        """Whether these are words instead of pieces: none has a mark of a space, and some are not in the vocabulary."""
        if self.space_mark is None or any(self.space_mark in self.tokens.get(piece, piece) for piece in pieces):
            return False
        return any(piece not in self.tokens and not piece.startswith("<") for piece in pieces)


def vocabulary_path(cfg: TokenizerOptions) -> Path:
    """The vocabulary's path; raises UserError if the option is missing."""
    if cfg.s2s_ft_vocab is None:
        raise UserError("--bpe s2s_ft and its variants need --s2s-ft-vocab PRETRAINED_DIR, or its vocabulary file")
    return Path(cfg.s2s_ft_vocab)


def locate(path: Path, pattern: str) -> Optional[Path]:
    """The file that matches `pattern`: `path` itself, or one in the directory `path` or in that of dict.txt `path`."""
    if path.is_dir() or path.name == "dict.txt":
        folder = path if path.is_dir() else path.parent
        return next(iter(sorted(folder.glob(pattern))), None)
    return path if path.match(pattern) and path.is_file() else None


def read_config(path: Path, name: str) -> Mapping[str, Any]:
    """The content of a JSON file in the directory `path`, or in that of the file `path`; empty if there is none."""
    file = (path if path.is_dir() else path.parent) / name
    return vocabulary.settings_in(file) if file.is_file() else {}


def model_type(path: Path) -> Optional[str]:
    """The kind of tokenizer in the tokenizer.json at `path`; None if there is no such file."""
    file = locate(path, "tokenizer.json")
    return vocabulary.settings_in(file).get("model", {}).get("type") if file else None


def check_agreement(tokenizer: FastTokenizer, path: Path) -> None:
    """Raises UserError if a tokenizer.json has tokens that are not in the vocabulary."""
    known = set(vocabulary.read(path))
    unknown = [token for token in tokenizer.get_vocab() if vocabulary.spelled(token) not in known]
    if unknown:
        file = vocabulary.find(path) if path.is_dir() else path
        raise UserError(
            f"tokenizer.json has {len(unknown):,} tokens that are not in {file}, such as {unknown[0]!r}; "
            "expected files that belong together: remove the one that is not the model's"
        )


def added_tokens(path: Path) -> Iterator[AddedToken]:
    """The tokens that Hugging Face's files in a directory add, with their treatment of surrounding spaces."""
    if not path.is_dir():
        return
    config, special = (read_config(path, name) for name in ("tokenizer_config.json", "special_tokens_map.json"))
    described = [*config.get("added_tokens_decoder", {}).values(), *config.values(), *special.values()]
    for token in described:
        if isinstance(token, dict) and "content" in token:
            yield AddedToken(token["content"], **{flag: token[flag] for flag in ADDED_TOKEN_FLAGS if flag in token})
    for content in read_config(path, "added_tokens.json"):
        is_special = content in (*special.values(), *config.values())
        yield AddedToken(content, special=is_special, normalized=not is_special)


def special_tokens(tokens: Sequence[str]) -> List[AddedToken]:
    """The special tokens, which `transformers` recognizes in text."""
    return [AddedToken(token, special=True, normalized=False) for token in complete_spelling(set(tokens)) or ()]
