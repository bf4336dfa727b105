"""Pre-trains as a paper does: from plain text to an encoder that can be fine-tuned.

    python examples/run.py pretrain-unilm --raw text --pretrained /models/bert-large-cased --size large --work work
    python examples/run.py pretrain-unilm --raw text --from-scratch --work work
    python examples/run.py pretrain-unilm --list           lists the models with the settings of the paper
    python examples/run.py pretrain-unilm --estimate       estimates their time and memory on one GPU
    python examples/run.py pretrain-unilm ... --dry-run    only shows the commands
    python examples/run.py pretrain-unilm --raw text --from-scratch --work work --arch s2s_ft_tiny --positions 64 \\
        --updates 100 --batch 32 --cpu                     all stages in minutes

The text has one sentence or paragraph per line; an empty line ends a document. The stages are prepare, binarize, train
and export. A finished stage is not repeated, an interrupted one is continued or restarted, and --stage runs only one of
them. Every command is shown before it runs, and can also be run by hand from the root of the repository. The settings
are in examples/TASK/recipe.yaml. The result, WORK/MODEL/exported, is a directory for --pretrained.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from estimates import H200, table
from execution import do
from pretraining_recipes import Pretraining, choose_pretraining, pretraining_tasks, pretrainings
from pretraining_stages import STAGES, PretrainingRun

ARCHITECTURES = ("s2s_ft", "s2s_ft_large", "s2s_ft_minilm", "s2s_ft_tiny")


def positive(word: str) -> int:
    """Parses an integer that is at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word}; expected at least 1")
    return number


def add_listing(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only show something."""
    parser.add_argument("--list", action="store_true", help="list the task's systems and what is published of them")
    parser.add_argument("--estimate", action="store_true", help="estimate their time and memory")
    parser.add_argument(
        "--flops",
        type=float,
        default=H200,
        metavar="N",
        help="operations per second, for --estimate (default: %(default).2g)",
    )


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=pretraining_tasks(), help="a folder of examples/")
    add_listing(parser)
    add_files(parser.add_argument_group("files"))
    add_model(parser.add_argument_group("what to train (default: the first system of --list)"))
    add_run(parser.add_argument_group("how to run it"))
    args = parser.parse_args(words)
    if not (args.list or args.estimate):
        check(parser, args)
    return args


def add_files(group: argparse._ArgumentGroup) -> None:
    """Adds the options for what is read and written."""
    group.add_argument("--raw", type=Path, metavar="PATH", help="plain text: a file, or a folder of files")
    group.add_argument("--work", type=Path, metavar="DIR", help="folder for everything that is written")
    group.add_argument("--pretrained", type=Path, metavar="DIR", help="the encoder to start from")
    group.add_argument("--from-scratch", action="store_true", help="start from random weights")
    group.add_argument(
        "--vocab",
        type=Path,
        metavar="DIR",
        help="folder of vocabulary files, for --from-scratch (default: WordPieces of the text)",
    )


def add_model(group: argparse._ArgumentGroup) -> None:
    """Adds the options that choose a system."""
    group.add_argument("--size", help="base or large")
    group.add_argument("--variant", help="distinguishes further models: ablations, a larger corpus")
    group.add_argument(
        "--arch", choices=ARCHITECTURES, help="sizes of the model, for --from-scratch (default: those of --size)"
    )


def add_run(group: argparse._ArgumentGroup) -> None:
    """Adds the options for what to run, and on which device."""
    group.add_argument("--stage", choices=list(STAGES), help="run only this stage (default: all)")
    group.add_argument("--dry-run", action="store_true", help="show the commands without running them")
    group.add_argument("--shards", type=positive, default=1, metavar="N", help="parts of the text that take turns")
    group.add_argument("--limit", type=positive, metavar="N", help="number of documents (default: all)")
    group.add_argument("--updates", type=positive, metavar="N", help="number of updates (default: the paper's)")
    group.add_argument("--batch", type=positive, metavar="N", help="texts of an update (default: the paper's)")
    group.add_argument("--positions", type=positive, metavar="N", help="length of the texts (default: the paper's)")
    group.add_argument("--cpu", action="store_true", help="use no GPU, and float32")
    group.add_argument(
        "--gpu-batch", type=positive, default=8, metavar="N", help="texts per forward pass (default: %(default)s)"
    )
    group.add_argument("--gpus", type=positive, default=1, metavar="N", help="number of GPUs (default: %(default)s)")
    group.add_argument("--seed", type=int, default=1, help="random seed of training (default: %(default)s)")


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends the program with one line about a command that cannot work."""
    missing = [flag for flag, path in (("--raw PATH", args.raw), ("--work DIR", args.work)) if path is None]
    if missing:
        parser.error(f"expected {', '.join(missing)} (or --list, --estimate)")
    if args.from_scratch == bool(args.pretrained):
        parser.error("expected either --pretrained DIR, the encoder to start from, or --from-scratch")
    for flag, value in (("--vocab", args.vocab), ("--arch", args.arch)):
        if value and args.pretrained:
            parser.error(f"{flag} {value}: --pretrained decides this; expected one of the two")
    if args.dry_run:
        return
    if not args.raw.exists():
        parser.error(f"--raw {args.raw} does not exist; expected a text file, or a folder of text files")
    for name in ("pretrained", "vocab"):
        if getattr(args, name) and not getattr(args, name).is_dir():
            parser.error(f"--{name} {getattr(args, name)} is not a folder")


def main(words: list[str]) -> None:
    """Runs the command."""
    args = arguments(words)
    found = pretrainings(args.task)
    if args.list:
        print("\n".join(map(described, found)))
    if args.estimate:
        print("\n".join(table(found, flops=args.flops, gpu_batch=args.gpu_batch)))
    if args.list or args.estimate:
        return
    run = run_of(args)
    for stage in [args.stage] if args.stage else STAGES:
        do(stage, run, dry=args.dry_run)
    if run.exported.exists() and not args.dry_run:
        print(f"\n{run.exported} can be fine-tuned: --pretrained {run.exported}")


def run_of(args: argparse.Namespace) -> PretrainingRun:
    """What the command line asks for."""
    recipe = choose_pretraining(args.task, size=args.size, variant=args.variant)
    names = ("arch", "shards", "limit", "updates", "cpu", "gpu_batch", "gpus", "seed")
    options = {name: getattr(args, name) for name in names}
    folders = {name: getattr(args, name) and getattr(args, name).resolve() for name in ("pretrained", "vocab")}
    work = args.work.resolve() / recipe.name
    return PretrainingRun(
        smaller(recipe, positions=args.positions, batch=args.batch), args.raw.resolve(), work, **folders, **options
    )


def smaller(recipe: Pretraining, **wanted: Any) -> Pretraining:
    """The recipe with another length of texts or size of a batch, if it is wanted."""
    train: Mapping[str, Any] = recipe.train
    if wanted["positions"]:
        train = {**train, "max-source-positions": wanted["positions"]}
    return replace(recipe, train=train, schedule=with_batch(recipe, wanted["batch"]))


def with_batch(recipe: Pretraining, batch: int) -> Mapping[str, Any]:
    """The schedule with batches of so many texts."""
    kept = {name: value for name, value in recipe.schedule.items() if not name.startswith("batch")}
    return {**kept, "batch": batch} if batch else recipe.schedule


def described(recipe: Pretraining) -> str:
    """One line about a system."""
    choice = f"--size {recipe.size}" + (f" --variant {recipe.variant}" if recipe.variant else "")
    done = recipe.schedule
    batch = f"{done['batch-tokens']:,} tokens" if "batch-tokens" in done else f"{done['batch']:,} texts"
    return f"{choice}   {done['updates']:,} updates of {batch}, --lr {recipe.train['lr']} ({recipe.where})"
