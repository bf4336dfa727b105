"""Sources in parts: the parts are counted, and the oldest are dropped from sources that are too long."""

import logging
from typing import Optional

import numpy as np
import torch
from fairseq.data import BaseWrapperDataset, FairseqDataset
from torch import Tensor
from tqdm import tqdm

from ..common.errors import UserError
from ..objectives.slots import PredictionLayout

logger = logging.getLogger(__name__)


def in_parts(
    lines: FairseqDataset, layout: PredictionLayout, *, max_parts: Optional[int], max_length: Optional[int]
) -> FairseqDataset:
    """Sources as :class:`SourceParts`; for a layout without parts, the lines themselves, unread."""
    if not layout.segments.parts:
        return lines
    frame = 1 + int(layout.source_end)
    return SourceParts(
        lines, layout, max_parts=max_parts, max_length=None if max_length is None else max_length - frame
    )


class SourceParts(BaseWrapperDataset):
    """Binarized sources with end tokens between their parts, and one at the end.

    All are read once at the start: the length of every example must be known, and a mistake in the last one should not
    end a long run.

    Args:
        lines: int64 [l] each.
        layout: provides the end token, and says what the parts are.
        max_parts: how many parts can be distinguished; None: any number.
        max_length: the maximum number of tokens before the final end token; None: nothing is cut.

    Raises:
        UserError: a source with too many or too few parts.
    """

    def __init__(
        self, lines: FairseqDataset, layout: PredictionLayout, *, max_parts: Optional[int], max_length: Optional[int]
    ) -> None:
        super().__init__(lines)
        self.segments, self.end, self.max_parts, self.max_length = layout.segments, layout.end, max_parts, max_length
        numbers = tqdm(range(len(lines)), desc=f"counting {self.segments.parts}", unit=" lines", delay=3)
        self.kept_sizes = np.array([self.checked_size(number) for number in numbers], dtype=np.int64)
        dropped = int((self.kept_sizes < np.asarray(lines.sizes)).sum())
        if dropped:
            logger.info(f"{dropped:,} of {len(lines):,} sources lose their oldest {self.segments.parts}")

    def __getitem__(self, index: int) -> Tensor:
        line = self.dataset[index]
        if self.max_length is None:
            return line
        text = self.segments.cut(line[:-1], end=self.end, max_length=self.max_length, max_parts=self.max_parts)
        return torch.cat([text, line[-1:]])

    @property
    def sizes(self) -> np.ndarray:
        return self.kept_sizes

    def checked_size(self, index: int) -> int:
        """The length of a source after cutting; raises UserError if it has too few or too many parts."""
        found = int(self.dataset[index].eq(self.end).sum())
        is_cut = self.segments.drops_oldest and self.max_length is not None
        if found < self.segments.min_parts:
            raise UserError(
                f"source {index + 1}: number of parts ({self.segments.parts}) is {found}; expected at least "
                f"{self.segments.min_parts}, with the end token ([SEP], </s>) between them"
            )
        if self.max_parts is not None and found > self.max_parts and not is_cut:
            raise UserError(
                f"source {index + 1}: number of parts ({self.segments.parts}), separated by end tokens, is {found}; "
                f"expected at most {self.max_parts}, the number of segments or turns that the model has for them"
            )
        return len(self[index])
