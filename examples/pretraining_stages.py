"""The commands of a pre-training, stage by stage, as a user would type them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from pretraining_recipes import Pretraining
from stages import MONOLINGUAL, Command, command, flags, linear_decay, pieces, precision

ARCHITECTURES = {"base": "s2s_ft", "large": "s2s_ft_large"}
SAVE_EVERY = 5000
"""Updates between checkpoints: own choice."""


@dataclass(frozen=True)
class PretrainingRun:
    """What a user decides of a pre-training.

    Attributes:
        recipe: what is repeated.
        raw: file or folder of plain text.
        work: folder for all that is made.
        pretrained: folder of the encoder to start from; None: random weights.
        vocab: folder of the vocabulary of random weights; None: it is made from the text.
        arch: ``--arch`` of random weights; None: of the recipe's size.
        shards: parts of the text, which take turns.
        limit: documents.
        updates, batch, positions: instead of the recipe's.
        cpu: compute without a GPU, in float32.
        gpu_batch: texts that a GPU computes at once, at most.
        gpus: their number.
        seed: of training.
    """

    recipe: Pretraining
    raw: Path
    work: Path
    pretrained: Optional[Path] = None
    vocab: Optional[Path] = None
    arch: Optional[str] = None
    shards: int = 1
    limit: Optional[int] = None
    updates: Optional[int] = None
    cpu: bool = False
    gpu_batch: int = 8
    gpus: int = 1
    seed: int = 1

    @property
    def vocabulary(self) -> Path:
        """The folder of the vocabulary files."""
        return self.pretrained or self.vocab or self.work / "vocabulary"

    @property
    def training_texts(self) -> list[str]:
        """The names of the shards."""
        return [f"train{shard}.txt" for shard in range(self.shards)]

    @property
    def spans(self) -> Path:
        """The spans of ERNIE-GEN's span flow."""
        return self.work / "spans.txt"

    @property
    def checkpoint(self) -> Path:
        """The trained model."""
        return self.work / "checkpoints" / "checkpoint_last.pt"

    @property
    def exported(self) -> Path:
        """What fine-tuning takes as --pretrained."""
        return self.work / "exported"

    def commands(self, stage: str) -> Iterator[Command]:
        """The commands of a stage."""
        return STAGES[stage](self)

    def folder_of(self, stage: str) -> Path:
        """The folder of what a stage makes."""
        return self.work

    def remade(self, stage: str) -> list[Path]:
        """Folders that an interrupted stage leaves and a new run of it cannot continue."""
        return [self.work / name for name in ("pieces", "data-bin")] if stage == "binarize" else []


def prepare(run: PretrainingRun) -> Iterator[Command]:
    """From text to shards and a validation part, and to a vocabulary if there is none."""
    folder = run.work / "text"
    yield command("python preprocess/documents.py", text=run.raw, to=folder, shards=run.shards, limit=run.limit)
    if run.vocabulary == run.work / "vocabulary":
        count = command(
            "python preprocess/wordpiece_vocabulary.py", to=run.vocabulary / "vocab.txt", **run.recipe.vocabulary
        )
        yield [*count, *(str(folder / name) for name in run.training_texts)]


def binarize(run: PretrainingRun) -> Iterator[Command]:
    """From text to pieces, to what fairseq trains on, and to spans."""
    folder = run.work / "pieces"
    for name in (*run.training_texts, "valid.txt"):
        yield pieces(run.vocabulary, [run.work / "text" / name], [folder / name])
    for shard, name in enumerate(run.training_texts):
        files = {"trainpref": folder / name, "validpref": folder / "valid.txt", "srcdict": run.vocabulary}
        destination = {"destdir": run.work / "data-bin" / str(shard)}
        yield ["fairseq-preprocess", *MONOLINGUAL, "--only-source", *flags({**files, **destination})]
    if run.recipe.spans:
        spans = command("python preprocess/span_vocabulary.py", vocab=run.vocabulary, to=run.spans, **run.recipe.spans)
        yield [*spans, *(str(folder / name) for name in run.training_texts)]


def train(run: PretrainingRun) -> Iterator[Command]:
    """Pre-training with the paper's settings."""
    shards = ":".join(str(run.work / "data-bin" / str(shard)) for shard in range(run.shards))
    options: dict[str, Any] = {
        "arch": run.arch or ARCHITECTURES[run.recipe.size],
        "pretrained": run.pretrained,
        "objective": run.recipe.objective,
        "criterion": "s2s_ft_label_smoothed",
        "optimizer": "s2s_ft_adamw",
        **run.recipe.train,
        "span-vocab": run.spans if run.recipe.spans else None,
        **schedule(run),
        "seed": run.seed,
        **precision(cpu=run.cpu),
        "save-dir": run.checkpoint.parent,
        "save-interval-updates": SAVE_EVERY,
        "keep-interval-updates": 1,
        "no-epoch-checkpoints": True,
        "log-format": "simple",
        "log-interval": 100,
    }
    yield ["fairseq-train", shards, *MONOLINGUAL, *flags(options)]


def schedule(run: PretrainingRun) -> dict[str, Any]:
    """A linear warmup and a linear decay, in batches of so many texts, or of so many tokens.

    Ends the program if the batch cannot be divided among the GPUs.
    """
    recipe, gpus = run.recipe, run.gpus
    if recipe.batch % gpus:
        sys.exit(f"--gpus {gpus}: a batch of {recipe.batch} texts cannot be divided by it; expected a divisor")
    at_once = recipe.at_once(run.gpu_batch, gpus=gpus)
    in_tokens = "batch-tokens" in recipe.schedule
    return {
        **({"max-tokens": at_once * recipe.longest} if in_tokens else {"batch-size": at_once}),
        "update-freq": recipe.batch // (at_once * gpus),
        "distributed-world-size": None if run.cpu else gpus,
        **linear_decay(run.updates or recipe.schedule["updates"], recipe.schedule["warmup"]),
    }


def export(run: PretrainingRun) -> Iterator[Command]:
    """A folder for --pretrained."""
    yield command(
        "python -m s2sft_fairseq.export_pretrained", checkpoint=run.checkpoint, to=run.exported, vocab=run.vocabulary
    )


STAGES: dict[str, Callable[[PretrainingRun], Iterator[Command]]] = {
    "prepare": prepare,
    "binarize": binarize,
    "train": train,
    "export": export,
}
