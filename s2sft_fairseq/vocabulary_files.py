"""The files of a vocabulary, copied from one pretrained directory to another with the tokens that were added."""

import json
import shutil
from pathlib import Path
from typing import List, Sequence

from . import vocabulary

ADDED = "added_tokens.json"


def with_added(tokens: List[str], added: Sequence[str]) -> List[str]:
    """A vocabulary and, behind it, those of the added tokens that it lacks."""
    return tokens + [token for token in added if token not in set(tokens)]


def copy_vocabulary(source: Path, destination: Path, added: Sequence[str]) -> None:
    """Copies the text side of a directory; tokens that it lacks go to added_tokens.json, as Hugging Face has it.

    A vocabulary of one token a line is written anew: under the name, and in the form, that every reader of it knows.
    """
    tokens = vocabulary.read(source)
    for file in vocabulary.files(source):
        if not file.name.endswith("vocab.txt"):
            shutil.copy(file, destination)
    if vocabulary.find(source).name.endswith("vocab.txt"):
        (destination / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    behind = with_added(tokens, added)[len(tokens) :]
    if behind:
        known = json.loads((source / ADDED).read_text("utf-8")) if (source / ADDED).is_file() else {}
        rows = {**known, **{token: len(tokens) + place for place, token in enumerate(behind)}}
        (destination / ADDED).write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")
