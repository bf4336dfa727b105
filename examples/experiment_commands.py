"""The commands of the experiments, step by step, as a user would type them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiment_table import Corpus, Options, Start, Trial
from stages import MONOLINGUAL, PLUGIN, SPLITS, Command, command, flags, pieces, preprocess, sides


class Step(NamedTuple):
    """Commands that are run once, and the folder that they fill."""

    folder: Path
    commands: Sequence[Command]


def prepare(corpus: Corpus) -> Iterator[Step]:
    """From the machine's text to pairs, to an encoder if the corpus has one of its own, and to what fairseq reads."""
    yield Step(corpus.raw, [[*f"python {corpus.text}".split(), "--to", str(corpus.raw)]])
    if corpus.vocabulary:
        yield from own_encoder(corpus)
    texts = [(sides(corpus.raw, split), sides(corpus.pieces, split)) for split in SPLITS]
    yield Step(corpus.pieces, [pieces(corpus.encoder, *files) for files in texts])
    yield Step(corpus.data_bin, [preprocess(corpus.pieces, srcdict=corpus.encoder, destdir=corpus.data_bin)])


def own_encoder(corpus: Corpus) -> Iterator[Step]:
    """A vocabulary of the training pairs, and the quickstart's encoder trained on with it."""
    vocab, pairs = corpus.work / "vocabulary" / "vocab.txt", map(str, sides(corpus.raw, "train"))
    count = command("python preprocess/wordpiece_vocabulary.py", to=vocab, **corpus.vocabulary)
    yield Step(vocab.parent, [[*count, *pairs]])
    quickstart = Path("examples", "quickstart", "encoder")
    files = {"pairs": corpus.raw, "vocab": vocab, "start-from": quickstart, "to": corpus.encoder}
    yield Step(corpus.encoder, [command(f"python {quickstart}/pretrain.py", **files, **corpus.pretrain)])


def monolingual(start: Start) -> Iterator[Step]:
    """The text that models are trained on, a shard a file, and its spans."""
    corpus, texts = start.corpus, [start.text / f"{number}.txt" for number in range(len(start.texts))]
    commands = [pieces(corpus.encoder, [corpus.work / name], [text]) for name, text in zip(start.texts, texts)]
    for text, shard in zip(texts, start.shards):
        files = {"trainpref": text, "validpref": corpus.pieces / "valid.src", "srcdict": corpus.encoder}
        commands.append(["fairseq-preprocess", *MONOLINGUAL, "--only-source", *flags({**files, "destdir": shard})])
    spans = command("python preprocess/span_vocabulary.py", vocab=corpus.encoder, to=start.spans)
    yield Step(start.text, [*commands, [*spans, *map(str, texts)]])


def pretrain(start: Start) -> Iterator[Step]:
    """A model to start from, in the form of a published one."""
    spans = {"span-vocab": start.spans} if "word-flow-weight" in start.train else {}
    model = {"objective": "ernie_gen", "pretrained": start.corpus.encoder, **spans, "save-dir": start.folder}
    train = ["fairseq-train", ":".join(map(str, start.shards)), *MONOLINGUAL, *training({**model, **start.train})]
    export = {"checkpoint": start.folder / "checkpoint_last.pt", "to": start.encoder}
    yield Step(start.folder, [train, command("python -m s2sft_fairseq.export_pretrained", **export)])


def fine_tune(trial: Trial) -> Iterator[Step]:
    """The outputs of a trial for the test split."""
    encoder = trial.start.encoder if trial.start else trial.corpus.encoder
    model = {"pretrained": encoder, "save-dir": trial.folder}
    train = ["fairseq-train", str(trial.corpus.data_bin), *PLUGIN, *training({**model, **trial.train})]
    files = {"input": trial.corpus.raw / "test.src", "output": trial.outputs, "skip-existing": True}
    checkpoint = {"checkpoint": trial.folder / "checkpoint_last.pt", "cpu": True}
    generate = command("python -m s2sft_fairseq.generate", **checkpoint, **files, **trial.generate)
    yield Step(trial.folder, [train, generate])


def training(options: Options) -> list[str]:
    """The flags that every training has, and its own."""
    schedule = {"lr-scheduler": "polynomial_decay", "total-num-update": options["max-update"]}
    told = {"no-epoch-checkpoints": True, "log-format": "simple", "log-interval": 50}
    return flags({"arch": "s2s_ft", "criterion": "s2s_ft_label_smoothed", **options, **schedule, "cpu": True, **told})
