"""Copies the vocabulary files of a pretrained directory, and adds tokens to them."""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from ..common.text_lines import read_json
from . import vocabulary

FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
"""The description of an added token in Hugging Face's files, if it is an ordinary word."""


def with_added(tokens: List[str], added: Sequence[str]) -> List[str]:
    """A vocabulary, followed by those of the added tokens that are not yet in it."""
    known = set(tokens)
    return tokens + [token for token in added if token not in known]


def copy_vocabulary(source: Path, destination: Path, added: Sequence[str]) -> None:
    """Copies the vocabulary files of a directory; new tokens are added in the way of Hugging Face's files.

    A vocabulary with one token per line is rewritten as vocab.txt in BERT's format, which every reader understands.
    """
    tokens = vocabulary.read(source)
    for file in vocabulary.files(source):
        if not file.name.endswith("vocab.txt"):
            shutil.copy(file, destination)
    if vocabulary.find(source).name.endswith("vocab.txt"):
        (destination / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    added_rows = with_added(tokens, added)[len(tokens) :]
    if added_rows:
        append(destination, {token: len(tokens) + place for place, token in enumerate(added_rows)})


def append(directory: Path, rows: Mapping[str, int]) -> None:
    """Appends tokens to added_tokens.json, and to those other files that transformers may read instead of it."""
    rewrite(directory / "added_tokens.json", lambda known: {**known, **rows}, create=True)
    by_row = {str(row): {"content": token, **FLAGS} for token, row in rows.items()}
    rewrite(
        directory / "tokenizer_config.json",
        lambda config: (
            {**config, "added_tokens_decoder": {**config["added_tokens_decoder"], **by_row}}
            if "added_tokens_decoder" in config
            else config
        ),
    )
    entries = [{"id": row, "content": token, **FLAGS} for token, row in rows.items()]
    rewrite(directory / "tokenizer.json", lambda whole: {**whole, "added_tokens": [*whole["added_tokens"], *entries]})


def rewrite(path: Path, change: Callable[[Dict[str, Any]], Dict[str, Any]], *, create: bool = False) -> None:
    """Changes a JSON file; one that does not exist is skipped, or created with ``create``."""
    if path.is_file() or create:
        content = read_json(path) if path.is_file() else {}
        path.write_text(json.dumps(change(content), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
