"""Reads the vocabulary files of all families of checkpoints: their tokens, in the order of the model's rows.

Whitespace in a token (some byte-level vocabularies have tokens of several spaces) is written as `<0x20>`, because
fairseq separates the tokens of a line by spaces and the lines of a dictionary by line feeds.
"""

import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from ..common.errors import UserError
from ..common.parsed_once import parsed_once
from ..common.text_lines import read_all_lines, read_json, read_text, split_lines
from .special_tokens import BERT_TOKENS, PLACEHOLDER, ROBERTA_TOKENS, complete_spelling

COUNTED = re.compile(r"(.*) (\d+)( #fairseq:overwrite)?", re.DOTALL)
NUMBERED = re.compile(r"(.*)\t(\d+)", re.DOTALL)

NAMES = (
    *("vocab.txt", "vocab.json", "dict.txt", "tokenizer.json"),
    *("sentencepiece.bpe.model", "*vocab.txt", "*.model"),
)
"""Patterns of vocabulary file names; in a directory, the first pattern that matches counts."""

COMPANIONS = (
    *("merges.txt", "encoder.json", "vocab.bpe"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
"""Files that define the tokenization in addition to the vocabulary itself."""


def read(path: Union[str, os.PathLike], *, add: Optional[Union[str, os.PathLike]] = None) -> List[str]:
    """The tokens of a pretrained vocabulary; the index of a token in the list is its row in the tables.

    Args:
        path: the directory of a pretrained model, or a file that matches :data:`NAMES`. For a directory, the tokens
            that Hugging Face's files add (added_tokens.json and the like) are included.
        add: a file of tokens to append, one per line.

    Raises:
        UserError: there is no vocabulary, there are several, or it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"no vocabulary at {path}; expected a directory or file with {', '.join(NAMES)}")
    file = find(path) if path.is_dir() else path
    tokens = list(tokens_in(file))
    if path.is_dir():
        tokens = place(added_tokens(path), tokens, path)
    return tokens if add is None else tokens + read_additions(Path(add), tokens)


@parsed_once
def tokens_in(file: Path) -> Tuple[str, ...]:
    """The tokens of one file."""
    return tuple(reader_of(file)(file))


@parsed_once
def settings_in(file: Path) -> Mapping[str, Any]:
    """The object in a tokenizer's JSON file; raises UserError if it cannot be read or holds something else."""
    return read_json(file)


def find(directory: Path) -> Path:
    """The vocabulary file of a directory: the one that matches the first possible pattern of :data:`NAMES`.

    Raises:
        UserError: nothing matches, or several files match the same pattern.
    """
    for pattern in NAMES:
        found = sorted(directory.glob(pattern))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UserError(f"{directory} has several vocabularies, {names}; name the file instead of the directory")
        if found:
            return found[0]
    raise UserError(f"no vocabulary in {directory}; looked for {', '.join(NAMES)}")


def files(directory: Path) -> List[Path]:
    """The files of a directory that define a model's tokenization: vocabulary, merges, configuration."""
    return sorted({path for pattern in (*NAMES, *COMPANIONS) for path in directory.glob(pattern)})


def reader_of(file: Path) -> Callable[[Path], List[str]]:
    """The function that reads a file, by the file's name; by default it reads lines of tokens."""
    if file.name == "tokenizer.json":
        return read_tokenizer
    return {".json": read_json_map, ".model": read_sentencepiece}.get(file.suffix, read_token_lines)


def read_token_lines(file: Path) -> List[str]:
    """The tokens of a vocab.txt or a dict.txt."""
    return parse(read_text(file), file.name)


def parse(text: str, name: str = "the vocabulary") -> List[str]:
    """The tokens of a text file with one token per line, in any of three formats.

    These are plain lines (BERT), `token<TAB>id` (ERNIE) and `token count` (fairseq; see :func:`with_special_tokens`).
    A token on two lines keeps both rows.

    >>> parse("[PAD]\\nthe\\n")
    ['[PAD]', 'the']
    >>> parse("[PAD]\\t0\\nthe\\t1\\n")
    ['[PAD]', 'the']
    >>> parse("the 20\\nof 10\\n")
    ['<s>', '<pad>', '</s>', '<unk>', 'the', 'of', '<mask>']

    Raises:
        UserError: an id differs from its line number.
    """
    lines = split_lines(text)
    if counted := match_all(COUNTED, lines):
        return with_special_tokens([token for token, _, _ in counted], overwrites=any(flag for *_, flag in counted))
    numbered = match_all(NUMBERED, lines)
    for row, (token, number) in enumerate(numbered):
        if row != int(number):
            raise UserError(f"{name}: line {row + 1}, {token!r}, has the id {number}; expected {row}")
    return [token for token, _ in numbered] or lines


def match_all(pattern: "re.Pattern[str]", lines: Sequence[str]) -> List[Tuple[str, ...]]:
    """The groups of every line if all lines match, or else an empty list."""
    matches = []
    for line in lines:
        match = pattern.fullmatch(line)
        if match is None:
            return []
        matches.append(match.groups())
    return matches


def with_special_tokens(tokens: List[str], *, overwrites: bool) -> List[str]:
    """Adds the special tokens that fairseq's classic dict.txt leaves out: four at the start, `<mask>` at the end.

    A dictionary with special tokens of its own (such as this plugin writes) is already complete, unless it has lines
    with fairseq's overwrite flag, which repeat the implicit four.
    """
    if not overwrites and (complete_spelling(tokens) or not set(BERT_TOKENS).isdisjoint(tokens)):
        return tokens
    *first, mask = ROBERTA_TOKENS
    return [*first, *tokens] if mask in tokens else [*first, *tokens, mask]


def read_json_map(file: Path) -> List[str]:
    """The tokens of a vocab.json, `{token: id}`."""
    return rows(read_json(file), file)


def read_tokenizer(file: Path) -> List[str]:
    """The tokens of a tokenizer.json: its model's, and the added ones."""
    content = settings_in(file)
    vocabulary = content.get("model", {}).get("vocab")
    if isinstance(vocabulary, list):  # Unigram: pieces and their scores
        vocabulary = {piece: row for row, (piece, _) in enumerate(vocabulary)}
    added = {token["content"]: token["id"] for token in content.get("added_tokens", ())}
    return place(added, rows(vocabulary, file), file)


def read_sentencepiece(file: Path) -> List[str]:
    """The tokens of a SentencePiece model in XLM-R's order: four special tokens, the pieces from id 3 on, `<mask>`.

    Source: fairseq's dictionary of XLM-R, which has one more special token than the SentencePiece model's three.
    """
    model = load_sentencepiece(file)
    pieces = [model.id_to_piece(row) for row in range(len(model))]
    if pieces[:3] != ["<unk>", "<s>", "</s>"]:
        raise UserError(f"{file} begins with {', '.join(pieces[:3])}; expected <unk>, <s>, </s>, as XLM-R's does")
    *first, mask = ROBERTA_TOKENS
    return [*first, *map(spelled, pieces[3:]), mask]


def load_sentencepiece(file: Path) -> Any:
    """Loads a model with the package sentencepiece.

    Raises:
        UserError: the package is missing, or the file is not a SentencePiece model.
    """
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise UserError(f"{file} needs the package sentencepiece: pip install sentencepiece") from None
    try:
        return SentencePieceProcessor(model_file=str(file))
    except RuntimeError:
        raise UserError(f"{file} is not a SentencePiece model or is damaged; copy it again") from None


def rows(ids: Any, file: Path) -> List[str]:
    """`{token: id}` as a list in the order of the ids; ids without a token get a placeholder.

    Raises:
        UserError: it is not such a mapping, two tokens share an id, or more ids lack a token than have one.
    """
    if not isinstance(ids, dict) or not all(isinstance(row, int) and row >= 0 for row in ids.values()):
        raise UserError(f"{file} is not a vocabulary; expected {{token: id, ...}}, ids from 0")
    tokens = {row: spelled(token) for token, row in ids.items()}
    count = max(tokens, default=-1) + 1
    if len(tokens) < len(ids) or count > 2 * len(ids):
        raise UserError(
            f"{file}: {len(ids):,} tokens have {len(tokens):,} ids below {count:,}; expected one id per token"
        )
    return [tokens.get(row, placeholder(row)) for row in range(count)]


def place(added: Mapping[str, int], tokens: List[str], source: Path) -> List[str]:
    """Puts added tokens into their rows: rows after the vocabulary, placeholders, or rows that already have them."""
    tokens = list(tokens)
    for token, row in sorted(added.items(), key=lambda item: item[1]):
        tokens += [placeholder(missing) for missing in range(len(tokens), row + 1)]
        if tokens[row] != spelled(token) and not PLACEHOLDER.fullmatch(tokens[row]):
            raise UserError(f"{source}: the added token {token!r} has the id {row}, but that row is {tokens[row]!r}")
        tokens[row] = spelled(token)
    return tokens


def added_tokens(directory: Path) -> Dict[str, int]:
    """The tokens that Hugging Face's files in a directory add to the vocabulary, with their ids."""
    whole, config, legacy = (
        settings_in(directory / name) if (directory / name).is_file() else {}
        for name in ("tokenizer.json", "tokenizer_config.json", "added_tokens.json")
    )
    return {
        **{token["content"]: token["id"] for token in whole.get("added_tokens", ())},
        **{token["content"]: int(row) for row, token in config.get("added_tokens_decoder", {}).items()},
        **legacy,
    }


def read_additions(file: Path, tokens: Iterable[str]) -> List[str]:
    """The tokens in the file of `--vocab-add`, one per line.

    Raises:
        UserError: a line is empty, a token contains whitespace, or a token is already in the vocabulary.
    """
    known, added = set(tokens), []
    for number, line in enumerate(read_all_lines(file), start=1):
        if line.split() != [line]:
            raise UserError(f"--vocab-add {file}: line {number} is {line!r}; expected one token without whitespace")
        if line in known:
            raise UserError(f"--vocab-add {file}: line {number}, {line!r}, is already in the vocabulary; remove it")
        known.add(line)
        added.append(line)
    return added


def placeholder(row: int) -> str:
    """The token of an unused row, named as in fairseq."""
    return f"madeupword{row:04d}"


def spelled(token: str) -> str:
    """A token as it is written in dictionaries and tokenized lines: without whitespace."""
    if token.split() == [token]:
        return token
    return "".join(f"<0x{ord(sign):02X}>" if sign.isspace() else sign for sign in token)
