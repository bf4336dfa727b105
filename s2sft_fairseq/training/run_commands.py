"""The commands of a run, from pairs of texts to scores, as a user would type them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .suggested_flags import Flags, as_words

Command = List[str]

PLUGIN = ("--user-dir", "s2sft_fairseq", "--task", "s2s_ft")
SIDES = ("src", "tgt")


@dataclass(frozen=True)
class Run:
    """What the commands of a run have in common.

    Attributes:
        pretrained: directory of the encoder.
        to: folder for everything that is written; the checkpoints are at its top.
        splits: ``train``, ``valid``, and ``test`` if there is one.
        metric: for validation, and for the test split.
        metric_options: of that metric.
        cpu: compute without a GPU.
        special_tokens: ``text`` if the texts' own ``[SEP]`` and the like are ordinary text, else ``whole``.
    """

    pretrained: Path
    to: Path
    splits: Tuple[str, ...]
    metric: str
    metric_options: Mapping[str, Any]
    cpu: bool
    special_tokens: str = "whole"

    def raw(self, split: str, kind: str) -> Path:
        """A file of pairs: ``src``, ``tgt``, or ``rows``, the numbers of their rows in the user's table."""
        return raw(self.to, split, kind)

    def pieces(self, split: str, side: str) -> Path:
        """A side of a split in pieces."""
        return self.to / "data" / "pieces" / f"{split}.{side}"

    def tokenizing(self) -> List[str]:
        """How the commands that read text tokenize it."""
        return [] if self.special_tokens == "whole" else ["--special-tokens", self.special_tokens]

    @property
    def binarized(self) -> Path:
        """What fairseq-preprocess makes."""
        return self.to / "data" / "bin"

    @property
    def outputs(self) -> Path:
        """What the model writes for the sources of the test split."""
        return self.to / "test.txt"

    @property
    def scores(self) -> Path:
        """What these outputs are worth."""
        return self.to / "test.json"


def raw(to: Path, split: str, kind: str) -> Path:
    """A file of pairs in the folder of a run."""
    return to / "data" / "raw" / f"{split}.{kind}"


def tokenize(run: Run, split: str) -> Command:
    """From text to pieces."""
    inputs = [str(run.raw(split, side)) for side in SIDES]
    outputs = [str(run.pieces(split, side)) for side in SIDES]
    command = ["python", "-m", "s2sft_fairseq.pieces", "--s2s-ft-vocab", str(run.pretrained)]
    return [*command, *run.tokenizing(), "--inputs", *inputs, "--outputs", *outputs]


def binarize(run: Run) -> Command:
    """From pieces to what fairseq trains on."""
    options = {
        "source-lang": SIDES[0],
        "target-lang": SIDES[1],
        **{f"{split}pref": run.pieces(split, "src").with_suffix("") for split in run.splits},
        "srcdict": run.pretrained,
        "joined-dictionary": True,
        "destdir": run.binarized,
    }
    return ["fairseq-preprocess", *PLUGIN, *as_words(options)]


def train(run: Run, suggested: Flags, given: Sequence[str]) -> Command:
    """Fine-tuning; the flags that the user gave come last."""
    options = {"arch": "s2s_ft", "pretrained": run.pretrained, "save-dir": run.to, **suggested}
    if run.metric_options:
        options["eval-metric-args"] = json.dumps({run.metric: run.metric_options})
    options.update({"log-format": "simple", "log-interval": 10})
    return ["fairseq-train", str(run.binarized), *PLUGIN, *as_words(options), *given]


def generate(run: Run, search: Mapping[str, Any]) -> Command:
    """From the sources of the test split to outputs, with fairseq's search options by name."""
    options: Dict[str, Any] = {
        "input": run.raw("test", "src"),
        "output": run.outputs,
        "skip-existing": True,
        **{name.replace("_", "-"): value for name, value in search.items() if value is not False},
    }
    return [*write(run), *as_words(options), *(["--cpu"] if run.cpu else [])]


def write(run: Run) -> Command:
    """From text to text with the model of a run; with the options ``--input`` and ``--output``."""
    return ["python", "-m", "s2sft_fairseq.generate", "--checkpoint", str(run.to), *run.tokenizing()]


def evaluate(run: Run) -> Command:
    """From outputs to scores."""
    options = {
        "metric": run.metric,
        **run.metric_options,
        "hypothesis": run.outputs,
        "reference": run.raw("test", "tgt"),
        "json": run.scores,
    }
    return ["python", "-m", "s2sft_fairseq.evaluate", *as_words(options)]
