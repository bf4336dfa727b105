"""Reproduces a figure of a paper: from the published data set to the metrics that the paper reports.

    python examples/run.py xsum --raw /data/xsum --pretrained /models/roberta-base --encoder roberta-base --work work
    python examples/run.py xsum --list                     lists a task's systems with their published figures
    python examples/run.py xsum --estimate                 estimates their time and memory on one GPU
    python examples/run.py xsum ... --dry-run              only shows the commands
    python examples/run.py xsum ... --limit 64 --cpu       runs all stages in minutes

The stages are prepare, binarize, train, generate and evaluate. A finished stage is not repeated, an interrupted one is
continued or restarted, and --stage runs only one of them. Every command is shown before it runs, and can also be run by
hand from the root of the repository. The settings of a task are in examples/TASK/recipe.yaml, those of a paper in
examples/papers.yaml.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Optional

from estimates import H200, table
from recipes import EXAMPLES, Recipe, choose, recipes, tasks
from stages import STAGES, Setting

MADE_BY_BINARIZE = ("pieces", "data-bin")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=tasks(), help="a folder of examples/")
    parser.add_argument("--list", action="store_true", help="list the task's systems and their figures")
    parser.add_argument("--estimate", action="store_true", help="estimate their time and memory")
    parser.add_argument(
        "--flops",
        type=float,
        default=H200,
        metavar="N",
        help="operations per second, for --estimate (default: %(default).2g)",
    )
    add_choice(parser.add_argument_group("what to reproduce (default: the first system of --list)"))
    files = parser.add_argument_group("files")
    files.add_argument("--raw", type=Path, metavar="DIR", help="the published data set")
    files.add_argument("--pretrained", type=Path, metavar="DIR", help="the published encoder")
    files.add_argument("--work", type=Path, metavar="DIR", help="folder for everything that is written")
    add_run(parser.add_argument_group("how to run it"))
    args = parser.parse_args()
    missing = [name for name in ("raw", "pretrained", "work") if getattr(args, name) is None]
    shows = args.list or args.estimate
    if missing and not shows:
        parser.error("expected " + ", ".join(f"--{name} DIR" for name in missing) + " (or --list, --estimate)")
    for name in ("raw", "pretrained") if not (shows or args.dry_run) else ():
        if not getattr(args, name).is_dir():
            parser.error(f"--{name} {getattr(args, name)} is not a folder")
    return args


def add_choice(group: argparse._ArgumentGroup) -> None:
    """Adds the options that choose a system."""
    group.add_argument("--paper", help="a key of papers.yaml")
    group.add_argument("--encoder", help="an encoder of the paper; --pretrained may name a different one")
    group.add_argument("--method", help="fine-tuning method")
    group.add_argument("--variant", help="distinguishes further figures: dev, beam-5")


def add_run(group: argparse._ArgumentGroup) -> None:
    """Adds the options for what to run, and on which device."""
    group.add_argument("--stage", choices=list(STAGES), help="run only this stage (default: all)")
    group.add_argument("--dry-run", action="store_true", help="show the commands without running them")
    group.add_argument("--limit", type=positive, metavar="N", help="number of examples per split (default: all)")
    group.add_argument("--epochs", type=positive, metavar="N", help="number of epochs (default: the paper's)")
    group.add_argument("--strict", action="store_true", help="stop at the first malformed record")
    group.add_argument("--cpu", action="store_true", help="use no GPU, and float32")
    group.add_argument(
        "--gpu-batch", type=positive, default=8, metavar="N", help="examples per forward pass (default: %(default)s)"
    )
    group.add_argument("--seed", type=int, default=1, help="random seed of training (default: %(default)s)")


def positive(word: str) -> int:
    """Parses an integer that is at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word}; expected at least 1")
    return number


def main() -> None:
    """Runs the command."""
    args = arguments()
    if args.list:
        print("\n".join(map(described, recipes(args.task))))
    if args.estimate:
        print("\n".join(table(recipes(args.task), flops=args.flops, gpu_batch=args.gpu_batch)))
    if args.list or args.estimate:
        return
    recipe = choose(args.task, **{name: getattr(args, name) for name in ("paper", "encoder", "method", "variant")})
    options = {name: getattr(args, name) for name in ("limit", "epochs", "strict", "cpu", "gpu_batch", "seed")}
    work = args.work.resolve() / recipe.name
    run = Setting(recipe, args.raw.resolve(), args.pretrained.resolve(), work, **options)
    for stage in [args.stage] if args.stage else STAGES:
        do(stage, run, dry=args.dry_run)
    if run.figures.exists() and not args.dry_run:
        print(comparison(run, json.loads(run.figures.read_text(encoding="utf-8"))["figures"]))


def described(recipe: Recipe) -> str:
    """One line about a system."""
    figures = ", ".join(f"{name} {value}" for name, value in recipe.expected.items())
    choice = f"--paper {recipe.paper} --encoder {recipe.encoder} --method {recipe.method}"
    choice += f" --variant {recipe.variant}" if recipe.variant else ""
    return f"{choice}   {recipe.split}: {figures} ({recipe.where})"


def do(stage: str, run: Setting, *, dry: bool) -> None:
    """Runs the commands of a stage, unless it is finished."""
    commands = [shlex.join(words) for words in STAGES[stage](run)]
    finished = run.work / f"{stage}.done"
    print(f"== {stage}", flush=True)
    if not dry and is_finished(finished, commands):
        print(f"already finished; {finished} lists the commands")
        return
    if not dry:
        clear(stage, run)
    for line in commands:
        print(f"$ {line}", flush=True)
        if not dry:
            execute(line)
    if not dry:
        write_finished(finished, commands)


def is_finished(finished: Path, commands: list[str]) -> bool:
    """Whether a stage has been run with these commands; ends the program if it was run with different ones."""
    if not finished.exists():
        return False
    if finished.read_text(encoding="utf-8").splitlines() != commands:
        sys.exit(
            f"{finished.parent} was made with other options (see {finished.name}); name another --work, or remove it"
        )
    return True


def write_finished(finished: Path, commands: list[str]) -> None:
    """Records the commands of a finished stage, for :func:`is_finished`."""
    from s2sft_fairseq.common.atomic_files import write_text  # here: --list and --dry-run do not wait for torch

    write_text(finished, "".join(f"{line}\n" for line in commands))


def clear(stage: str, run: Setting) -> None:
    """Prepares the folder for a stage: removes what an interrupted run left and a new one cannot continue."""
    run.work.mkdir(parents=True, exist_ok=True)
    if stage == "binarize":
        for name in MADE_BY_BINARIZE:
            shutil.rmtree(run.work / name, ignore_errors=True)


def execute(line: str, log: Optional[Path] = None) -> None:
    """Runs a command from the root of the repository, with this interpreter's programs first in PATH.

    Its output goes to ``log``, if given. If it fails, so does this program.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    words, environment, root = shlex.split(line), {**os.environ, "PATH": path}, EXAMPLES.parent
    with open(log, "a", encoding="utf-8") if log else nullcontext() as out:
        status = subprocess.run(words, cwd=root, env=environment, stdout=out, stderr=out, check=False).returncode
    if status:
        where = f"; its output is in {log}" if log else ""
        sys.exit(f"this command failed with status {status}{where}: {line}")


def comparison(run: Setting, figures: dict[str, dict[str, float]]) -> str:
    """A table of the published figures and those of this run."""
    recipe, less = run.recipe, {"--limit": run.limit, "--epochs": run.epochs}
    rows = [f"\n{recipe.task}, {recipe.split} split: {recipe.encoder} as in {recipe.paper}, {recipe.where}"]
    rows.append(f"{'':<16}{'published':>12}{'here':>12}")
    for name, expected in recipe.expected.items():
        here = figures.get(name, {}).get("value")
        rows.append(f"{name:<16}{expected:>12.3f}" + (f"{here:>12.3f}" if here is not None else f"{'not scored':>12}"))
    words = ", ".join(f"{name} {count}" for name, count in less.items() if count)
    return "\n".join([*rows, *([f"not comparable: {words}"] if words else [])])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # lets `| head` end the program quietly
    main()
