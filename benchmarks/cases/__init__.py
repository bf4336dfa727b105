"""What is measured, a case a file: a docstring that says so, and ``measure(settings) -> Result``."""

from typing import NamedTuple


class Settings(NamedTuple):
    """How long to measure.

    Attributes:
        fast: only what two minutes allow.
        rounds: turns of every side.
    """

    fast: bool
    rounds: int


CASES = {
    "train": "training speed and memory against BERT2BERT and BART",
    "decode": "decoding speed and memory against BERT2BERT and BART",
}
"""All of them, in the order in which they run."""

FAST_CASES = ["train", "decode"]
