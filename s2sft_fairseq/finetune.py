"""Fine-tunes an encoder on a table of pairs in one command: tokenizes, binarizes, trains, generates and scores.

    python -m s2sft_fairseq.finetune --train train.jsonl --valid valid.jsonl --test test.jsonl \\
        --source-column document --target-column summary --pretrained PRETRAINED_DIR --to RUN

The tables are JSON Lines, JSON, CSV, TSV or Parquet files, compressed (.gz) or not, or two text files each, with one
text per line: --train train.src train.tgt. Rows without a source or a target are left out, counted and listed.

Lengths, batches and the number of updates are chosen from the data and shown; any flag of fairseq-train replaces the
choice: --max-update 2000 --lr 1e-4 --finetune-method infilling. At every validation, text is generated and scored;
the best checkpoint is kept, and RUN is all that is needed afterwards:

    python -m s2sft_fairseq.generate --checkpoint RUN --input articles.txt --output summaries.txt

Each command is shown as you would type it. If it is interrupted, the same command resumes.
"""

import argparse
import itertools
import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
import torch
from tqdm import tqdm

from .common.atomic_files import write_columns, write_line_files
from .common.command_line import command_parser
from .common.command_steps import Steps
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.tables import is_table
from .common.text_lines import read_lines
from .data.pair_table import TWO_FILES, Columns, PairTable, choose_columns
from .metrics.rouge155 import stemmed_words
from .pretrained import checkpoint
from .training import run_commands
from .training.given_flags import given_flags
from .training.run_commands import SIDES, Run
from .training.suggested_flags import METRICS, Encoder, Flags, PairLengths, suggest

SPLITS = ("train", "valid", "test")
SEARCH = "eval-generation-args"
SAMPLED = 1000
"""Number of targets by which the kind of words is chosen."""


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Runs the command.

    Raises:
        UserError: an option, a table or the encoder cannot be used, or one of the commands failed.
    """
    args, words = parser().parse_known_args(argv)
    given = given_flags(words)
    encoder = read_encoder(args.pretrained)
    tables = {split: getattr(args, split) for split in SPLITS if getattr(args, split)}
    columns = columns_by_split(tables, args)
    with Steps(args.to / "steps", again=f"remove {args.to}, or name another folder with --to") as steps:
        pairs = {split: PairTable(paths, columns[split]) for split, paths in tables.items()}
        steps.work("pairs", inputs(pairs), lambda: write_pairs(pairs, args.to))
        run_commands_of(steps, args, encoder, given, words)


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
    whole.add_argument(
        "--special-tokens",
        choices=("whole", "text"),
        default="whole",
        help="[SEP], </s> and the like in a text are special tokens (whole), or letters like any others (text)",
    )
    return whole


def read_encoder(directory: Path) -> Encoder:
    """What matters of the encoder; its weights are not read yet.

    Raises:
        UserError: the directory holds no encoder that can be fine-tuned.
    """
    decided = checkpoint.read(directory).options()
    return Encoder(decided["encoder_embed_dim"], decided.get("position_rows", 0))


def columns_by_split(tables: Mapping[str, Sequence[Path]], args: argparse.Namespace) -> Dict[str, Columns]:
    """The columns of each split; where no flag says otherwise, those of the first that the others have, too."""
    columns: Dict[str, Columns] = {}
    for split, paths in tables.items():
        columns[split] = columns_of(paths, args, usual=columns.get(SPLITS[0]))
    return columns


def columns_of(paths: Sequence[Path], args: argparse.Namespace, *, usual: Optional[Columns]) -> Columns:
    """The columns of a table, or those that two text files make."""
    if len(paths) == 1:
        return choose_columns(paths[0], source=args.source_column, target=args.target_column, usual=usual)
    names = ", ".join(map(str, paths))
    if len(paths) > 2:
        raise UserError(f"{len(paths)} files ({names}); expected a table, or sources and targets")
    if any(map(is_table, paths)):
        raise UserError(f"{names} are named as tables; expected one table, or the text file of sources and of targets")
    if args.source_column or args.target_column:
        raise UserError(f"{names}: text files have no columns; leave --source-column and --target-column out")
    return TWO_FILES


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


def run_commands_of(
    steps: Steps, args: argparse.Namespace, encoder: Encoder, given: Flags, words: Sequence[str]
) -> None:
    """Runs the commands, from the pairs to the scores; ``given`` are the flags in the user's ``words``."""
    run = Run(
        args.pretrained,
        args.to,
        splits=tuple(split for split in SPLITS if getattr(args, split)),
        metric=args.metric,
        metric_options=metric_options(args),
        cpu="cpu" in given or not torch.cuda.is_available(),
        special_tokens=args.special_tokens,
    )
    steps.run("tokenize", [run_commands.tokenize(run, split) for split in run.splits])
    steps.run("binarize", [run_commands.binarize(run)], made=[run.binarized])
    flags = chosen_flags(run, encoder, given)
    steps.run("train", [run_commands.train(run, flags, words)])
    if "test" in run.splits:
        search = {**flags, **given}[SEARCH]
        steps.run("generate", [run_commands.generate(run, json.loads(search))])
        steps.run("evaluate", [run_commands.evaluate(run)])
        write_outputs(run)
    print(f"the best checkpoint is in {run.to}; to write with it: {shlex.join(run_commands.write(run))} --input FILE")


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
