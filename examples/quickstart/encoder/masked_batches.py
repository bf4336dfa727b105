"""Batches for masked language modelling: texts of like length together, other pieces hidden each time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
import torch
from transformers import BertTokenizer

MASKED = 0.15  # of the pieces are to be predicted (Devlin et al. 2019, section 3.1); of these
HIDDEN, REPLACED = 0.8, 0.1  # stand as [MASK] and as another piece, the rest as they are
PAIRED = 0.75  # of the pairs are read as source and target, segments 0 and 1; the rest as one text, target first
FROM_START = 0.5  # of the texts that are too long are read from their start, the rest from anywhere
BUCKET = 64  # batches that are sorted by length together


Pieces = np.ndarray  # of integers, one axis
Row = tuple[Pieces, Pieces]  # pieces and segments


class Text(NamedTuple):
    """The pieces of a text, and of its summary (none where it has no summary)."""

    source: Pieces
    target: Pieces


class Batch(NamedTuple):
    """Pieces and segments [B, T], 0 at the padding; the places [B, T] and the pieces [M] to be predicted."""

    pieces: torch.Tensor
    segments: torch.Tensor
    chosen: torch.Tensor
    answers: torch.Tensor


def read_texts(tokenizer: BertTokenizer, source: Path, target: Optional[Path] = None) -> list[Text]:
    """Returns the texts of a file with one a line, with the summaries of the lines of `target`."""
    sources = _encode(tokenizer, source)
    targets = _encode(tokenizer, target) if target else [np.empty(0, np.int32)] * len(sources)
    if len(sources) != len(targets):
        raise SystemExit(f"{source} has {len(sources)} lines and {target} has {len(targets)}: they must be as many")
    return [Text(*text) for text in zip(sources, targets)]


def _encode(tokenizer: BertTokenizer, path: Path) -> list[Pieces]:
    if not path.is_file():
        raise SystemExit(f"{path}: there is no such file; make it with the scripts in preprocess/ (see README.md)")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    encoded = tokenizer.backend_tokenizer.encode_batch_fast(lines, add_special_tokens=False)
    return [np.array(line.ids, np.int32) for line in encoded]


@dataclass(frozen=True)
class Masker:
    """Makes batches of at most `max_tokens` pieces, padding included, of texts cut to `max_length` pieces."""

    tokenizer: BertTokenizer
    max_tokens: int
    max_length: int

    def batches(self, texts: Sequence[Text], rng: np.random.Generator) -> Iterator[Batch]:
        """Yields every text once, in an order and hidden in places that `rng` draws."""
        order = rng.permutation(len(texts))
        step = BUCKET * max(1, self.max_tokens // self.max_length)
        for start in range(0, len(order), step):
            rows = [self._row(texts[index], rng) for index in order[start : start + step]]
            groups = list(self._groups(sorted(rows, key=lambda row: len(row[0]))))
            for index in rng.permutation(len(groups)):
                yield self._masked(groups[index], rng)

    def _row(self, text: Text, rng: np.random.Generator) -> Row:
        """Returns pieces and segments of one text with [CLS] and [SEP]; of a long one, a part."""
        begin, end = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id]
        paired = len(text.target) > 0 and rng.random() < PAIRED
        first = text.source if paired else np.concatenate([text.target, text.source])
        second = np.concatenate([text.target[: self.max_length // 2], end]) if paired else text.target[:0]
        room = self.max_length - 2 - len(second)
        start = rng.integers(0, max(0, len(first) - room) + 1) if rng.random() >= FROM_START else 0
        pieces = np.concatenate([begin, first[start : start + room], end, second])
        return pieces, (np.arange(len(pieces)) >= len(pieces) - len(second)).astype(np.int64)

    def _groups(self, rows: list[Row]) -> Iterator[list[Row]]:
        group: list[Row] = []
        for row in rows:
            if group and (len(group) + 1) * len(row[0]) > self.max_tokens:
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    def _masked(self, rows: list[Row], rng: np.random.Generator) -> Batch:
        shape = (len(rows), max(len(pieces) for pieces, _ in rows))
        pieces, segments = np.full(shape, self.tokenizer.pad_token_id), np.zeros(shape, np.int64)
        for n, (row, kinds) in enumerate(rows):
            pieces[n, : len(row)], segments[n, : len(row)] = row, kinds
        chosen = (rng.random(shape) < MASKED) & ~np.isin(pieces, self.tokenizer.all_special_ids)
        chosen[0, 1] |= not chosen.any()
        answers, fate = pieces[chosen], rng.random(chosen.sum())
        other = rng.integers(len(self.tokenizer.all_special_ids), len(self.tokenizer), len(answers))
        hidden = np.where(fate < HIDDEN + REPLACED, other, answers)
        hidden[fate < HIDDEN] = self.tokenizer.mask_token_id
        pieces[chosen] = hidden
        return Batch(*map(torch.from_numpy, (pieces, segments, chosen, answers)))
