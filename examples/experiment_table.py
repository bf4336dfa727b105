"""The experiments: what experiments.yaml says of corpora, models to start from, and systems to compare."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import yaml

TABLES = Path(__file__).resolve().parent / "experiments.yaml"
Options = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pairs of text.

    Attributes:
        work: folder for all that is made of it.
        title: what is written from what.
        text: the program that reads it from the machine.
        encoder: what is fine-tuned.
        vocabulary: options of preprocess/wordpiece_vocabulary.py, if the encoder is made here.
        pretrain: options of that encoder's training.
        train: options of fairseq-train.
        evaluate: options of the metric.
        before_prose: regular expression of what comes before the first sentence of a source.
    """

    work: Path
    title: str
    text: str
    encoder: Path
    vocabulary: Options
    pretrain: Options
    train: Options
    evaluate: Options
    before_prose: str

    @property
    def raw(self) -> Path:
        """The folder of the pairs."""
        return self.work / "raw"

    @property
    def pieces(self) -> Path:
        """The pairs in pieces."""
        return self.work / "pieces"

    @property
    def data_bin(self) -> Path:
        """The pairs in numbers."""
        return self.work / "data-bin"


@dataclass(frozen=True, eq=False)
class Start:
    """A model that is trained on text alone before it is fine-tuned.

    Attributes:
        folder: of its checkpoints.
        corpus: whose encoder and text it is made of.
        texts: files in the folder of the corpus.
        train: options of fairseq-train.
    """

    folder: Path
    corpus: Corpus
    texts: list[str]
    train: Options

    @property
    def encoder(self) -> Path:
        """The model in the form of a published one."""
        return self.folder / "exported"

    @property
    def text(self) -> Path:
        """The folder of the text, the same for all."""
        return self.corpus.work / "monolingual"

    @property
    def shards(self) -> list[Path]:
        """What fairseq reads, a folder a file."""
        return [self.text / f"bin{number}" for number in range(len(self.texts))]

    @property
    def spans(self) -> Path:
        """The spans of the text."""
        return self.text / "spans.txt"


@dataclass(frozen=True, eq=False)
class Trial:
    """A system of a table, on a corpus, with a seed.

    Attributes:
        table: what it is compared in.
        system: what it is called there.
        corpus: what it learns.
        seed: of training.
        folder: of its checkpoints and outputs.
        start: what it is trained from, if not the encoder of the corpus.
        train: options of fairseq-train.
        generate: options of python -m s2sft_fairseq.generate.
    """

    table: str
    system: str
    corpus: Corpus
    seed: int
    folder: Path
    start: Optional[Start]
    train: Options
    generate: Options

    @property
    def outputs(self) -> Path:
        """What the model writes."""
        return self.folder / "test.out"


class Experiments:
    """All that experiments.yaml describes, made in a folder."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.settings = yaml.safe_load(TABLES.read_text(encoding="utf-8"))
        self.corpora = {name: self.corpus(name, **options) for name, options in self.settings["corpora"].items()}
        texts = self.settings["pretraining"]
        self.starts = {name: self.begin(name, options, **texts) for name, options in texts["starts"].items()}

    def corpus(self, name: str, *, title: str, text: str, **options: Any) -> Corpus:
        """One corpus."""
        work = self.work / name
        made = {key: options.get(key, {}) for key in ("vocabulary", "pretrain", "train", "evaluate")}
        encoder, before = Path(options.get("encoder", work / "encoder")), options.get("before-prose", "^")
        return Corpus(work, title, text.format(work=work), encoder, **made, before_prose=before)

    def begin(self, name: str, own: Options, *, corpus: str, texts: list[str], train: Options, **_: Any) -> Start:
        """One model to start from."""
        folder = self.work / corpus / f"start-{name}"
        return Start(folder, self.corpora[corpus], texts, {**self.settings["train"], **train, **own})

    def trials(self, table: Optional[str] = None) -> Iterator[Trial]:
        """Those of a table, or of all; a seed of all systems before the next seed."""
        for name, contents in self.settings["tables"].items():
            if table in (None, name):
                for corpus in contents["corpora"]:
                    for seed in self.settings["seeds"]:
                        for system, options in contents["systems"].items():
                            yield self.trial(name, system, corpus, seed, contents.get("train", {}), **options)

    def trial(self, table: str, system: str, corpus: str, seed: int, shared: Options, **own: Any) -> Trial:
        """One training."""
        start = self.starts[own.pop("start")] if "start" in own else None
        folder = self.work / corpus / table / "-".join(system.replace(",", "").split()) / f"seed{seed}"
        pairs = self.corpora[corpus]
        train = {**self.settings["train"], **pairs.train, **shared, **own, "seed": seed}
        return Trial(table, system, pairs, seed, folder, start, train, self.settings["generate"])
