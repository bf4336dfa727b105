"""The commands of a recipe, stage by stage, as a user would type them."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional

from recipes import Recipe

Command = list[str]
PLUGIN = ("--user-dir", "s2sft_fairseq", "--task", "s2s_ft")
MONOLINGUAL = ("--user-dir", "s2sft_fairseq", "--task", "s2s_pretraining")
SPLITS = ("train", "valid", "test")
DEVELOPMENT = "valid"
DEVELOPMENT_SENTENCES = 2000
"""How many are generated at each validation: own choice, as many as ERNIE-GEN's authors take of CNN/DailyMail."""

MADE_BY_BINARIZE = ("pieces", "data-bin")

METRIC_OPTIONS = ("words",)
"""Options of ``evaluate`` that are those of a metric, and concern validation too."""


@dataclass(frozen=True)
class Setting:
    """What a user decides of a run.

    Attributes:
        recipe: what is repeated.
        raw: folder of the published data set.
        pretrained: folder of the encoder.
        work: folder for all that is made.
        limit: examples of a split.
        epochs: instead of the recipe's.
        strict: end at a malformed record.
        cpu: compute without a GPU, in float32.
        gpu_batch: examples that are computed at once.
        seed: of training.
        best: take the checkpoint that was best on the development set instead of the last one.
        trial: folder of one training of several, if it is one; below ``work``.
        split: scored instead of the recipe's.
    """

    recipe: Recipe
    raw: Path
    pretrained: Path
    work: Path
    limit: Optional[int] = None
    epochs: Optional[int] = None
    strict: bool = False
    cpu: bool = False
    gpu_batch: int = 8
    seed: int = 1
    best: bool = True
    trial: Optional[Path] = None
    split: Optional[str] = None

    @property
    def folder(self) -> Path:
        """The folder of what is trained, generated and scored."""
        return self.trial or self.work

    @property
    def scored(self) -> str:
        """The split that is generated and scored."""
        return self.split or self.recipe.split

    @property
    def pairs(self) -> Path:
        """The folder of the raw pairs."""
        return self.work / "raw"

    @property
    def checkpoint(self) -> Path:
        """The model that generates."""
        return self.folder / "checkpoints" / ("checkpoint_best.pt" if self.best else "checkpoint_last.pt")

    @property
    def outputs(self) -> Path:
        """What the model writes."""
        return self.folder / f"{self.scored}.out"

    @property
    def figures(self) -> Path:
        """What that is worth."""
        return self.folder / (f"figures.{self.split}.json" if self.split else "figures.json")

    @property
    def dictionary(self) -> Path:
        """What fairseq-preprocess takes the vocabulary from."""
        return self.work / "dict.txt" if self.added else self.pretrained

    @property
    def added(self) -> dict[str, Any]:
        """The tokens that the encoder lacks, if the task needs any; preprocess/raw_pairs.py has found out which."""
        return {"vocab-add": self.pairs / "added_tokens.txt"} if "tokens" in self.recipe.raw else {}

    @property
    def precision(self) -> dict[str, bool]:
        """The flags of the precision that is trained in."""
        return precision(cpu=self.cpu)

    def commands(self, stage: str) -> Iterator[Command]:
        """The commands of a stage."""
        return ALL_STAGES[stage](self)

    def folder_of(self, stage: str) -> Path:
        """The folder of what a stage makes: all trainings of a recipe share the data."""
        return self.work if stage in ("prepare", "binarize") else self.folder

    def remade(self, stage: str) -> list[Path]:
        """Folders that an interrupted stage leaves and a new run of it cannot continue."""
        return [self.work / name for name in MADE_BY_BINARIZE] if stage == "binarize" else []


def precision(*, cpu: bool) -> dict[str, bool]:
    """Half precision, where there is a GPU; flattened, biases would decay like all else."""
    return {"cpu": True} if cpu else {"fp16": True, "fp16-no-flatten-grads": True}


def prepare(run: Setting) -> Iterator[Command]:
    """From the published form to pairs."""
    yield command(
        "python preprocess/raw_pairs.py",
        **run.recipe.raw,
        raw=run.raw,
        to=run.pairs,
        s2s_ft_vocab=run.pretrained,
        max_source_positions=run.recipe.train["max-source-positions"],
        source_layout=run.recipe.train.get("source-layout"),
        limit=run.limit,
        strict=run.strict,
    )


def binarize(run: Setting) -> Iterator[Command]:
    """From pairs to pieces, and to what fairseq trains on."""
    folder = run.work / "pieces"
    for split in SPLITS:
        yield pieces(run.pretrained, sides(run.pairs, split), sides(folder, split), **run.added)
    if run.added:
        yield command("python preprocess/vocabulary.py", pretrained=run.pretrained, to=run.dictionary, **run.added)
    yield preprocess(folder, srcdict=run.dictionary, destdir=run.work / "data-bin")


def sides(folder: Path, split: str) -> list[Path]:
    """The two files of a split."""
    return [folder / f"{split}.{side}" for side in ("src", "tgt")]


def pieces(encoder: Path, texts: list[Path], outputs: list[Path], **added: Any) -> Command:
    """Texts in the pieces of an encoder."""
    return command("python preprocess/pieces.py", s2s_ft_vocab=encoder, **added, inputs=texts, outputs=outputs)


def preprocess(folder: Path, *, srcdict: Path, destdir: Path) -> Command:
    """The pieces of all splits in numbers."""
    return [
        *("fairseq-preprocess", *PLUGIN, "--source-lang", "src", "--target-lang", "tgt", "--joined-dictionary"),
        *flags({f"{split}pref": folder / split for split in SPLITS}),
        *flags({"srcdict": srcdict, "destdir": destdir}),
    ]


def train(run: Setting) -> Iterator[Command]:
    """Fine-tuning with the paper's settings."""
    options: dict[str, Any] = {
        "arch": "s2s_ft",
        "pretrained": run.pretrained,
        **run.added,
        "criterion": "s2s_ft_label_smoothed",
        "optimizer": "s2s_ft_adamw",
        **run.recipe.train,
        **schedule(run),
        "seed": run.seed,
        **run.precision,
        **(validation(run.recipe) if run.best else {}),
        "save-dir": run.checkpoint.parent,
        "no-epoch-checkpoints": True,
        "log-format": "simple",
        "log-interval": 100,
    }
    yield ["fairseq-train", str(run.work / "data-bin"), *PLUGIN, *flags(options)]


def validation(recipe: Recipe) -> dict[str, Any]:
    """After every epoch, greedy outputs for the development set, whose score chooses the best checkpoint."""
    metric = recipe.evaluate["metric"]
    options = {name: recipe.evaluate[name] for name in METRIC_OPTIONS if name in recipe.evaluate}
    return {
        "eval-metric": metric,
        "eval-metric-args": json.dumps({metric: options}) if options else None,
        "eval-generation-args": json.dumps({"beam": 1, "max_len_b": recipe.generate["max-len-b"]}),
        "eval-sentences": DEVELOPMENT_SENTENCES,
        "eval-print-samples": 0,
        "best-checkpoint-metric": recipe.chosen_by,
        "maximize-best-checkpoint-metric": True,
    }


def schedule(run: Setting) -> dict[str, Any]:
    """A linear warmup and a linear decay over so many epochs, in batches of so many examples."""
    wanted = run.recipe.schedule
    at_once = math.gcd(run.gpu_batch, wanted["batch"])
    updates = (run.epochs or wanted["epochs"]) * math.ceil(examples_to_train_on(run) / wanted["batch"])
    warmup = wanted["warmup"] * updates if wanted["warmup"] < 1 else wanted["warmup"]
    return {"batch-size": at_once, "update-freq": wanted["batch"] // at_once, **linear_decay(updates, warmup)}


def linear_decay(updates: int, warmup: float) -> dict[str, Any]:
    """A linear warmup, over half of the updates at most, and a linear decay to 0."""
    return {
        "lr-scheduler": "polynomial_decay",
        "warmup-updates": min(round(warmup), updates // 2),
        "total-num-update": updates,
        "max-update": updates,
    }


def examples_to_train_on(run: Setting) -> int:
    """As many as there are; as many as the published data set has, before it is prepared."""
    pairs = run.pairs / "train.src"
    if not pairs.exists():
        return min(run.limit or run.recipe.train_examples, run.recipe.train_examples)
    with open(pairs, "rb") as lines:
        return sum(1 for _ in lines)


def generate(run: Setting) -> Iterator[Command]:
    """From raw sources to outputs, with the spaces that BERT's decoder leaves, as in the papers."""
    yield command(
        "python -m s2sft_fairseq.generate",
        checkpoint=run.checkpoint,
        input=run.pairs / f"{run.scored}.src",
        output=run.outputs,
        skip_existing=True,
        cpu=run.cpu,
        spacing="published",
        **run.recipe.generate,
    )


def evaluate(run: Setting) -> Iterator[Command]:
    """From outputs to figures."""
    yield command(
        "python -m s2sft_fairseq.evaluate",
        **run.recipe.evaluate,
        hypothesis=run.outputs,
        reference=run.pairs / f"{run.scored}.ref",
        source=run.pairs / f"{run.scored}.src",
        json=run.figures,
    )


def develop(run: Setting) -> Iterator[Command]:
    """Outputs for the development set and their figures, to choose among several trainings."""
    on_development = replace(run, split=DEVELOPMENT)
    yield from generate(on_development)
    yield from evaluate(on_development)


STAGES: dict[str, Callable[[Setting], Iterator[Command]]] = {
    "prepare": prepare,
    "binarize": binarize,
    "train": train,
    "generate": generate,
    "evaluate": evaluate,
}
"""Those of a single training."""

ALL_STAGES = {**STAGES, "develop": develop}


def command(program: str, **options: Any) -> Command:
    """A command line."""
    return [*program.split(), *flags(options)]


def flags(options: Mapping[str, Any]) -> list[str]:
    """Options as words: True is a flag alone, None and False are left out, a list is several words."""
    words: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append("--" + name.replace("_", "-"))
        words += [] if value is True else list(map(str, value if isinstance(value, list) else [value]))
    return words
