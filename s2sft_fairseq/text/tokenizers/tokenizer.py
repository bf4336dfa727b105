"""What the encoders share: options, added tokens, whole batches of lines, and lines without stray whitespace.

An encoder holds a tokenizer of the package `tokenizers`, either the one in the tokenizer.json of the pretrained model
or one that is built from the family's own files as `transformers` builds it, so that ids equal those of its classes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from fairseq.dataclass import FairseqDataclass
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
        metadata={"help": "directory of the pretrained model, or the file of its vocabulary"},
    )
    vocab_add: Optional[str] = field(
        default=None,
        metadata={"help": "file of tokens to add to the pretrained vocabulary, one a line; text keeps them whole"},
    )


class Tokenizer(ABC):
    """Splits text as the tokenizer of a pretrained model does, without adding tokens to either end.

    Args:
        cfg: where the vocabulary is, and what to add to it.

    Raises:
        UserError: files are missing, cannot be read, or do not belong together.
    """

    model_type: str
    """What a tokenizer.json calls this kind of model."""

    def __init__(self, cfg: TokenizerOptions) -> None:
        path = vocabulary_path(cfg)
        self.fast_tokenizer = self.load(path)
        self.add(path, cfg.vocab_add)
        ids = self.fast_tokenizer.get_vocab()
        self.pieces = self.spell(ids, path)
        self.tokens = {self.pieces[row]: token for token, row in ids.items()}

    @classmethod
    @abstractmethod
    def serves(cls, path: Path) -> bool:
        """Whether the files at `path` are of this kind."""

    @abstractmethod
    def build(self, path: Path) -> FastTokenizer:
        """Makes the tokenizer of the family's own files."""

    @abstractmethod
    def join(self, tokens: List[str]) -> str:
        """Makes text of tokens."""

    def spell(self, ids: Mapping[str, int], path: Path) -> Dict[int, str]:
        """How the dictionary spells the tokens of the tokenizer."""
        return {row: vocabulary.spelled(token) for token, row in ids.items()}

    def load(self, path: Path) -> FastTokenizer:
        """The tokenizer in tokenizer.json if there is one, else one that is built."""
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
        """Lets the tokenizer keep whole: what the model's files add, its special tokens, what the user adds."""
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
        """Text to pieces, separated by spaces."""
        return self.encode_lines([x])[0]

    def encode_lines(self, lines: Sequence[str]) -> List[str]:
        """Many lines at once, which is much faster than one by one."""
        encodings = self.fast_tokenizer.encode_batch(list(lines), add_special_tokens=False)
        return [" ".join([self.pieces[row] for row in encoding.ids]) for encoding in encodings]

    def decode(self, x: str) -> str:
        """Pieces to one line of text."""
        text = self.join([self.tokens.get(piece, piece) for piece in x.split()])
        return " ".join(text.splitlines()).strip()


def vocabulary_path(cfg: TokenizerOptions) -> Path:
    """Where the vocabulary is; raises UserError when no option says so."""
    if cfg.s2s_ft_vocab is None:
        raise UserError("--bpe s2s_ft and its like need --s2s-ft-vocab PRETRAINED_DIR, or the file of its vocabulary")
    return Path(cfg.s2s_ft_vocab)


def locate(path: Path, pattern: str) -> Optional[Path]:
    """The file that `pattern` names: `path` itself, or one in the directory `path` or beside the dict.txt `path`."""
    if path.is_dir() or path.name == "dict.txt":
        folder = path if path.is_dir() else path.parent
        return next(iter(sorted(folder.glob(pattern))), None)
    return path if path.match(pattern) and path.is_file() else None


def read_config(path: Path, name: str) -> Mapping[str, Any]:
    """The content of a JSON file in the directory `path`, or beside the file `path`; empty if there is none."""
    file = (path if path.is_dir() else path.parent) / name
    return vocabulary.settings_in(file) if file.is_file() else {}


def model_type(path: Path) -> Optional[str]:
    """The kind of tokenizer that the tokenizer.json at `path` holds, None without such a file."""
    file = locate(path, "tokenizer.json")
    return vocabulary.settings_in(file).get("model", {}).get("type") if file else None


def check_agreement(tokenizer: FastTokenizer, path: Path) -> None:
    """Raises UserError if a tokenizer.json yields tokens that the vocabulary beside it does not have."""
    known = set(vocabulary.read(path))
    unknown = [token for token in tokenizer.get_vocab() if vocabulary.spelled(token) not in known]
    if unknown:
        file = vocabulary.find(path) if path.is_dir() else path
        raise UserError(
            f"tokenizer.json has {len(unknown):,} tokens that {file} lacks, such as {unknown[0]!r}; "
            "expected files that belong together: remove the one that is not the model's"
        )


def added_tokens(path: Path) -> Iterator[AddedToken]:
    """The tokens that Hugging Face's files of a directory add, with their way to treat the spaces around them."""
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
    """The tokens with a role, which `transformers` recognizes in a text."""
    return [AddedToken(token, special=True, normalized=False) for token in complete_spelling(set(tokens)) or ()]
