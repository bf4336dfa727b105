"""Compares methods on real text: every table of experiments.yaml, all its corpora, systems and seeds.

    python examples/experiments.py run --work work --jobs 2            all of them; goes on where it stopped
    python examples/experiments.py run --work work --table methods     one table
    python examples/experiments.py run --work work --dry-run           the commands alone
    python examples/experiments.py report --work work                  the tables, in Markdown

Each job computes with one thread. Every command is shown before it runs and can be typed by hand, from the root of the
repository; its output is in log.txt beside what it makes. RESULTS.md is what came out here.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from experiment_report import report
from experiment_table import Corpus, Experiments, Options, Start, Trial
from run import is_finished, write_whole
from stages import PLUGIN, SPLITS, Command, command, flags
from tqdm import tqdm

SIDES = ("src", "tgt")
ROOT = Path(__file__).resolve().parents[1]
MONOLINGUAL = ("--user-dir", "s2sft_fairseq", "--task", "s2s_pretraining")


class Step(NamedTuple):
    """Commands that are run once, and the folder that they fill."""

    folder: Path
    commands: Sequence[Command]


def prepare(corpus: Corpus) -> Iterator[Step]:
    """From the machine's text to pairs, to an encoder if the corpus has one of its own, and to what fairseq reads."""
    yield Step(corpus.raw, [[*f"python {corpus.text}".split(), "--to", str(corpus.raw)]])
    if corpus.vocabulary:
        yield from own_encoder(corpus)
    files = [
        [folder / f"{split}.{side}" for split in SPLITS for side in SIDES] for folder in (corpus.raw, corpus.pieces)
    ]
    prefixes = {f"{split}pref": corpus.pieces / split for split in SPLITS}
    binarize = ["fairseq-preprocess", *PLUGIN, "--source-lang", "src", "--target-lang", "tgt", "--joined-dictionary"]
    yield Step(corpus.pieces, [pieces(corpus, *files)])
    yield Step(
        corpus.data_bin, [[*binarize, *flags({**prefixes, "srcdict": corpus.encoder, "destdir": corpus.data_bin})]]
    )


def own_encoder(corpus: Corpus) -> Iterator[Step]:
    """A vocabulary of the training pairs, and the quickstart's encoder trained on with it."""
    vocab, pairs = corpus.work / "vocabulary" / "vocab.txt", [str(corpus.raw / f"train.{side}") for side in SIDES]
    count = command("python preprocess/wordpiece_vocabulary.py", to=vocab, **corpus.vocabulary)
    yield Step(vocab.parent, [[*count, *pairs]])
    quickstart = Path("examples", "quickstart", "encoder")
    files = {"pairs": corpus.raw, "vocab": vocab, "start-from": quickstart, "to": corpus.encoder}
    yield Step(corpus.encoder, [command(f"python {quickstart}/pretrain.py", **files, **corpus.pretrain)])


def pieces(corpus: Corpus, texts: Sequence[Path], outputs: Sequence[Path]) -> Command:
    """Texts in the pieces of a corpus' encoder."""
    return command("python preprocess/pieces.py", s2s_ft_vocab=corpus.encoder, inputs=texts, outputs=outputs)


def monolingual(start: Start) -> Iterator[Step]:
    """The text that models are trained on, a shard a file, and its spans."""
    corpus, texts = start.corpus, [start.text / f"{number}.txt" for number in range(len(start.texts))]
    commands = [pieces(corpus, [corpus.work / name for name in start.texts], texts)]
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


def do(step: Step, *, dry: bool) -> None:
    """Runs the commands of a step, unless they have been run."""
    lines = [shlex.join(words) for words in step.commands]
    if dry:
        print("\n".join(lines))
        return
    finished = step.folder.with_name(f"{step.folder.name}.done")
    if is_finished(finished, lines):
        return
    step.folder.mkdir(parents=True, exist_ok=True)
    for line in lines:
        tqdm.write(f"$ {line}")
        execute(line, step.folder / "log.txt")
    write_whole(finished, "".join(f"{line}\n" for line in lines))


def execute(line: str, log: Path) -> None:
    """Runs a command from the root of the repository, with this interpreter's programs first; its failure is ours."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"$ {line}\n")
        file.flush()
        words = shlex.split(line)
        status = subprocess.run(words, cwd=ROOT, env=environment, stdout=file, stderr=file, check=False).returncode
    if status:
        raise SystemExit(f"this command ended with status {status}, its output is in {log}: {line}")


def run(args: argparse.Namespace) -> None:
    """All commands: what others read first, the rest side by side."""
    experiments = Experiments(args.work)
    trials = [*experiments.trials(args.table)]
    corpora = [corpus for corpus in experiments.corpora.values() if any(trial.corpus is corpus for trial in trials)]
    starts = [start for start in experiments.starts.values() if any(trial.start is start for trial in trials)]
    stages = [map(prepare, corpora), map(monolingual, starts[:1]), map(pretrain, starts), map(fine_tune, trials)]
    for plans in stages:
        side_by_side(list(plans), args)


def side_by_side(plans: Sequence[Iterator[Step]], args: argparse.Namespace) -> None:
    """Runs several plans at once, each step by step."""

    def follow(plan: Iterator[Step]) -> None:
        for step in plan:
            do(step, dry=args.dry_run)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(tqdm(pool.map(follow, plans), total=len(plans), disable=args.dry_run or None))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--work", type=lambda text: Path(text).resolve(), required=True, help="a folder for all of it")
    parser.add_argument("--table", help="one table of experiments.yaml (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="show the commands and run none")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = arguments()
    if args.action == "run":
        run(args)
    else:
        experiments = Experiments(args.work)
        print(report(experiments, [*experiments.trials(args.table)]))


if __name__ == "__main__":
    main()
