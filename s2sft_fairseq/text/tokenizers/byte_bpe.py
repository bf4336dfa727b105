"""RoBERTa's byte-level BPE as `--bpe s2s_ft_byte_bpe`."""

from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from fairseq.data.encoders import register_bpe
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, pre_tokenizers
from tokenizers.models import BPE

from ...common.errors import UserError
from ...common.text_lines import read_json
from .. import vocabulary
from .tokenizer import Tokenizer, TokenizerOptions, model_type, read_config

SPACE = "Ġ"
HUGGING_FACE, GPT2 = ("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")


@register_bpe("s2s_ft_byte_bpe", dataclass=TokenizerOptions)
class ByteBPETokenizer(Tokenizer):
    """Tokenizes text like RoBERTa's tokenizer.

    The dict.txt of fairseq's RoBERTa names the pieces by their ids in GPT-2's encoder.json; with such a dictionary, the
    pieces are these numbers, as with fairseq's `--bpe gpt2`.
    """

    model_type = "BPE"
    space_mark = SPACE

    @classmethod
    def serves(cls, path: Path) -> bool:
        """Whether there are files of pieces and merges."""
        return model_type(path) == cls.model_type or find_pair(path) is not None

    def build(self, path: Path) -> FastTokenizer:
        """Builds RoBERTa's tokenizer from vocab.json and merges.txt, or from the same under GPT-2's names."""
        pair = find_pair(path)
        if pair is None:
            names = " or ".join(map(" + ".join, (HUGGING_FACE, GPT2)))
            raise UserError(f"no byte-level BPE at {path}; expected {names} or tokenizer.json")
        read_json(pair[0])  # for clear errors
        try:
            tokenizer = FastTokenizer(BPE.from_file(*map(str, pair)))
        except Exception as error:  # its own class is a bare Exception
            raise UserError(f"{pair[1]} does not belong to {pair[0].name}, or is damaged: {error}") from None
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer

    def load(self, path: Path) -> FastTokenizer:
        """Follows tokenizer_config.json on the first word: whether it is tokenized as if after a space."""
        tokenizer, config = super().load(path), read_config(path, "tokenizer_config.json")
        if isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel) and "add_prefix_space" in config:
            tokenizer.pre_tokenizer.add_prefix_space = config["add_prefix_space"]
        return tokenizer

    def spell(self, ids: Mapping[str, int], path: Path) -> Dict[int, str]:
        """Spells pieces like the dictionary: by number if it names them so, unchanged otherwise."""
        pieces = super().spell(ids, path)
        if is_numbered(path):
            pieces.update({row: str(row) for row in ids.values() if row < self.fast_tokenizer.get_vocab_size(False)})
        return pieces

    def join(self, tokens: List[str]) -> str:
        """Turns tokens into bytes, and these into text; invalid UTF-8 becomes U+FFFD."""
        return decoders.ByteLevel().decode(tokens)

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a piece starts a word (part of the interface of fairseq's encoders)."""
        return self.tokens.get(x, x).startswith(SPACE)


def find_pair(path: Path) -> Optional[Tuple[Path, Path]]:
    """The files of pieces and merges in the directory `path`, or in that of the file `path`."""
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.suffix != ".json" and not path.name.startswith("dict."):
        return None
    for names in (GPT2,) if is_numbered(path) else (HUGGING_FACE, GPT2):
        pieces, merges = (folder / name for name in names)
        if pieces.is_file() and merges.is_file():
            return pieces, merges
    return None


def is_numbered(path: Path) -> bool:
    """Whether a dictionary names its pieces by number."""
    tokens = vocabulary.read(path)
    return 2 * sum(token.isdecimal() for token in tokens) > len(tokens)
