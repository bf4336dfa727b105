"""What is measured, a case a file: a docstring that says so, and ``measure(settings) -> Result``."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

Load = TypeVar("Load")

SMALLEST, FAST, FULL = "smallest", "fast", "full"


class Settings(NamedTuple):
    """How long to measure.

    Attributes:
        scale: of the models and the text; SMALLEST only shows that everything runs.
        rounds: turns of every side.
    """

    scale: str
    rounds: int

    def pick(self, loads: Mapping[str, Load]) -> Load:
        """The load of this scale; a case that has no fast one is measured in full."""
        return loads.get(self.scale, loads[FULL])


CASES = {
    "train": "training speed and memory against BERT2BERT and BART",
    "decode": "decoding speed and memory against BERT2BERT and BART",
    "pretraining": "UniLMv2's two objectives in one pass against two passes; slots a second against fine-tuning",
    "precision": "CPU inference in int8 and bfloat16 against our float32 and BART",
    "vocabulary": "memory of the loss over 250,002 tokens",
    "text": "text to data-bin: pairs a second, memory",
    "startup": "what the plugin adds to the start of fairseq's commands",
    "profile": "where the time goes, and how near products are to the CPU's limit",
    "growth": "cost against source, target and output length and beam",
    "gpu": "share of a card's peak in training, decoding against BERT2BERT (needs a GPU)",
}
"""All of them, in the order in which they run."""

MAIN_CASES = ["train", "decode"]
"""Those of the fast mode."""
