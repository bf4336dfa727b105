"""Fine-tunes an encoder on a table of pairs in one command: tokenizes, binarizes, trains, generates and scores.

    python -m s2sft_fairseq.finetune --train train.jsonl --valid valid.jsonl --test test.jsonl \\
        --source-column document --target-column summary --pretrained PRETRAINED_DIR --to RUN

The tables are JSON Lines, JSON, CSV, TSV or Parquet files, compressed (.gz) or not, or two text files each, with one
text per line: --train train.src train.tgt. Rows without a source or a target are left out, counted and listed.

Lengths, batches and the number of updates are chosen from the data and shown; any flag of fairseq-train replaces the
choice: --max-update 2000 --lr 1e-4 --finetune-method infilling. At every validation, text is generated and scored;
the best checkpoint is kept, and RUN is all that is needed afterwards:

    python -m s2sft_fairseq.generate --checkpoint RUN --input articles.txt --output summaries.txt

Each command is shown as you would type it. Interrupted, the same command goes on where it stopped.
"""

import argparse
import itertools
import json
import signal
import sys
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
import torch
from fairseq import options
from tqdm import tqdm

from .common.atomic_files import write_columns, write_line_files
from .common.command_line import command_parser
from .common.command_steps import Steps
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import read_lines
from .data.pair_table import TWO_FILES, Columns, PairTable, choose_columns
from .metrics.rouge155 import stemmed_words
from .pretrained import checkpoint
from .training import run_commands
from .training.run_commands import SIDES, Run
from .training.suggested_flags import METRICS, Encoder, Flags, PairLengths, given_flags, suggest

SPLITS = ("train", "valid", "test")
OWN = ("save-dir", "user-dir", "task", "arch", "pretrained", "source-lang", "target-lang")
"""Flags of fairseq-train that this command sets itself."""

SEARCH = "eval-generation-args"
SAMPLED = 1000
"""Number of targets by which the kind of words is chosen."""


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Runs the command.

    Raises:
        UserError: an option, a table or the encoder cannot be used, or one of the commands failed.
    """
    args, words = parser().parse_known_args(argv)
    check_flags(words)
    encoder = read_encoder(args.pretrained)
    tables = {split: getattr(args, split) for split in SPLITS if getattr(args, split)}
    columns = {split: columns_of(paths, args) for split, paths in tables.items()}
    with Steps(args.to / "steps", again=f"remove {args.to}, or name another folder with --to") as steps:
        pairs = {split: PairTable(paths, columns[split]) for split, paths in tables.items()}
        steps.work("pairs", inputs(pairs), lambda: write_pairs(pairs, args.to))
        run_commands_of(steps, args, encoder, words)


def parser() -> argparse.ArgumentParser:
    """The parser of this command's own options; all others are flags of fairseq-train."""
    whole = command_parser(
        "finetune",
        __doc__,
        usage="%(prog)s --train FILE --valid FILE [--test FILE] --pretrained DIR --to RUN [flags of fairseq-train]",
        allow_abbrev=False,
    )
    for flag, required in (("--train", True), ("--valid", True), ("--test", False)):
        whole.add_argument(
            flag,
            type=Path,
            nargs="+",
            required=required,
            metavar="FILE",
            help="table of this split, or the file of its sources and that of its targets",
        )
    whole.add_argument("--source-column", metavar="NAME", help="column to read (default: a usual name, shown)")
    whole.add_argument("--target-column", metavar="NAME", help="column to write (default: a usual name, shown)")
    whole.add_argument("--pretrained", type=Path, required=True, metavar="DIR", help="directory of the encoder")
    whole.add_argument("--to", type=Path, required=True, metavar="RUN", help="folder for everything that is written")
    whole.add_argument(
        "--metric", choices=sorted(METRICS), default="rouge", help="decides which checkpoint is best (default: rouge)"
    )
    return whole


def check_flags(words: Sequence[str]) -> None:
    """Refuses, before anything is read, what fairseq-train would refuse, and what this command sets itself.

    Raises:
        UserError: a flag does not exist, has no such value, or is not to be given.
    """
    for name in given_flags(words):
        if name in OWN:
            raise UserError(f"--{name} is set by this command (--to, --pretrained); leave it out")
    training = options.get_training_parser()

    def refuse(message: str) -> None:
        raise UserError(f"{message}; expected options of this command (--help) or flags of fairseq-train")

    vars(training)["error"] = refuse
    known = ["DATA", "--task", "s2s_ft", "--arch", "s2s_ft"]
    for name, value in (("criterion", "s2s_ft_label_smoothed"), ("optimizer", "s2s_ft_adamw")):
        known += [f"--{name}", value]
    options.parse_args_and_arch(training, input_args=[*known, "--lr-scheduler", "polynomial_decay", *words])


def read_encoder(directory: Path) -> Encoder:
    """What matters of the encoder; its weights are not read yet.

    Raises:
        UserError: the directory holds no encoder that can be fine-tuned.
    """
    decided = checkpoint.read(directory).options()
    return Encoder(decided["encoder_embed_dim"], decided.get("position_rows", 0))


def columns_of(paths: Sequence[Path], args: argparse.Namespace) -> Columns:
    """The columns of a table, or those that two text files make."""
    if len(paths) > 2:
        raise UserError(f"{len(paths)} files ({', '.join(map(str, paths))}); expected a table, or sources and targets")
    if len(paths) == 2:
        return TWO_FILES
    return choose_columns(paths[0], source=args.source_column, target=args.target_column)


def inputs(tables: Mapping[str, PairTable]) -> List[str]:
    """What the pairs depend on: the files with their sizes and times, and the columns."""
    lines = []
    for split, table in tables.items():
        files = [f"{path} ({path.stat().st_size} bytes, {path.stat().st_mtime_ns})" for path in table.paths]
        lines.append(f"{split}: {', '.join(files)}, columns {table.columns.source} and {table.columns.target}")
    return lines


def write_pairs(tables: Mapping[str, PairTable], to: Path) -> List[str]:
    """Writes the pairs of all splits; returns a line for each."""
    report = []
    for split, table in tables.items():
        bar = tqdm(table, desc=split, unit=" rows", disable=None, leave=False)
        rows = ((pair.source, pair.target, str(pair.number)) for pair in bar)
        write_columns([run_commands.raw(to, split, kind) for kind in (*SIDES, "rows")], rows)
        report.append(f"{split}: {table.name}, {' -> '.join(table.columns)}: {table.described()}")
    return report


def run_commands_of(steps: Steps, args: argparse.Namespace, encoder: Encoder, words: Sequence[str]) -> None:
    """Runs the commands, from the pairs to the scores."""
    run = Run(
        args.pretrained,
        args.to,
        splits=tuple(split for split in SPLITS if getattr(args, split)),
        metric=args.metric,
        metric_options=metric_options(args),
        cpu="cpu" in given_flags(words) or not torch.cuda.is_available(),
    )
    steps.run("tokenize", [run_commands.tokenize(run, split) for split in run.splits])
    steps.run("binarize", [run_commands.binarize(run)], made=[run.binarized])
    flags = chosen_flags(run, encoder, given_flags(words))
    steps.run("train", [run_commands.train(run, flags, words)])
    if "test" in run.splits:
        search = {**flags, **given_flags(words)}[SEARCH]
        steps.run("generate", [run_commands.generate(run, json.loads(search))])
        steps.run("evaluate", [run_commands.evaluate(run)])
        write_outputs(run)
    print(f"the best checkpoint is in {run.to}: python -m s2sft_fairseq.generate --checkpoint {run.to}")


def metric_options(args: argparse.Namespace) -> Dict[str, str]:
    """Words of any script for ROUGE, if most targets have no words of A-Z or 0-9, which ROUGE-1.5.5 counts."""
    if args.metric != "rouge":
        return {}
    sample = list(itertools.islice(read_lines(run_commands.raw(args.to, "train", "tgt")), SAMPLED))
    unread = sum(not stemmed_words(text) for text in sample)
    return {"words": "any"} if unread > len(sample) / 2 else {}


def chosen_flags(run: Run, encoder: Encoder, given: Flags) -> Flags:
    """The flags of fairseq-train that suit the pairs, with the reasons on standard output."""
    lengths = PairLengths(*(count_pieces(run.pieces("train", side)) for side in SIDES))
    gpus = 0 if run.cpu else torch.cuda.device_count()
    flags, reasons = suggest(lengths, encoder, given, metric=run.metric, gpus=gpus)
    print("== choices\n" + "\n".join(reasons), flush=True)
    return flags


def count_pieces(path: Path) -> np.ndarray:
    """The number of pieces in each line of a file, int64 [lines]."""
    return np.fromiter((len(line.split(" ")) for line in read_lines(path)), dtype=np.int64)


def write_outputs(run: Run) -> None:
    """Writes what the model made of each row of the test table beside its texts, as JSON Lines."""
    names = ("row", "source", "target", "output")
    files = [*(run.raw("test", kind) for kind in ("rows", *SIDES)), run.outputs]
    rows = zip(*map(read_lines, files))
    lines = (json.dumps(dict(zip(names, (int(row), *texts))), ensure_ascii=False) for row, *texts in rows)
    write_line_files({run.to / "test.jsonl": lines})


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the command that is running, too
    run_command(main)
