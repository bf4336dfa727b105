"""Reproduces a figure of a paper: from the published data set to the metrics that the paper reports.

    python examples/run.py xsum --raw /data/xsum --pretrained /models/roberta-base --encoder roberta-base --work work
    python examples/run.py xsum --list                     lists a task's systems with their published figures
    python examples/run.py xsum --estimate                 estimates their time and memory on one GPU
    python examples/run.py xsum ... --grid --runs 3        every point of the paper's grid, three seeds each
    python examples/run.py xsum ... --dry-run              only shows the commands
    python examples/run.py xsum ... --limit 64 --cpu       runs all stages in minutes

The stages are prepare, binarize, train, generate and evaluate. A finished stage is not repeated, an interrupted one is
continued or restarted, and --stage runs only one of them. Every command is shown before it runs, and can also be run by
hand from the root of the repository. The settings of a task are in examples/TASK/recipe.yaml, those of a paper in
examples/papers.yaml. For a pre-training, such as pretrain-unilm, --help lists other options:
python examples/run.py pretrain-unilm --help.

As in the papers, the development set chooses: of a training the checkpoint (--checkpoint last does without), and of
--grid the point. Then `develop` scores every training on the development set, and only those of the best point, by the
mean of their --runs, are scored on the test set. What came out is shown as mean ± standard deviation, and written to
report.json.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pretraining_run
from estimates import table
from execution import do, write_whole
from pretraining_recipes import pretraining_tasks
from pretraining_run import add_listing, positive
from recipes import Recipe, choose, recipes, tasks
from stages import ALL_STAGES, STAGES, Setting
from trials import Figures, Point, averaged, best, cell, grid_rows, points, scored


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=[*tasks(), *pretraining_tasks()], help="a folder of examples/")
    add_listing(parser)
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
    if args.stage == "develop" and args.grid is None:
        parser.error("--stage develop scores the trainings of --grid on the development set; add --grid")
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
    group.add_argument("--stage", choices=list(ALL_STAGES), help="run only this stage (default: all)")
    group.add_argument(
        "--grid",
        nargs="*",
        metavar="NAME=VALUE,…",
        help="train with every combination of these settings, such as lr=5e-5,1e-4 epochs=10,20 (default: the paper's)",
    )
    group.add_argument("--runs", type=positive, default=1, metavar="N", help="trainings with N seeds, from --seed on")
    group.add_argument(
        "--checkpoint",
        choices=["best", "last"],
        default="best",
        help="of a training: the one that is best on the development set, or the last one (default: %(default)s)",
    )
    group.add_argument("--dry-run", action="store_true", help="show the commands without running them")
    group.add_argument("--limit", type=positive, metavar="N", help="number of examples per split (default: all)")
    group.add_argument("--epochs", type=positive, metavar="N", help="number of epochs (default: the paper's)")
    group.add_argument("--strict", action="store_true", help="stop at the first malformed record")
    group.add_argument("--cpu", action="store_true", help="use no GPU, and float32")
    group.add_argument(
        "--gpu-batch", type=positive, default=8, metavar="N", help="examples per forward pass (default: %(default)s)"
    )
    group.add_argument("--seed", type=int, default=1, help="random seed of training (default: %(default)s)")


def main() -> None:
    """Runs the command."""
    if sys.argv[1:2] and sys.argv[1] in pretraining_tasks():
        pretraining_run.main(sys.argv[1:])
        return
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
    run = Setting(
        recipe, args.raw.resolve(), args.pretrained.resolve(), work, best=args.checkpoint == "best", **options
    )
    if args.grid is None and args.runs == 1:
        run_once(run, args)
    else:
        run_several(run, args)


def run_once(run: Setting, args: argparse.Namespace) -> None:
    """Runs the stages of one training, and shows what came out."""
    for stage in [args.stage] if args.stage else STAGES:
        do(stage, run, dry=args.dry_run)
    if run.figures.exists() and not args.dry_run:
        print(comparison(run, scored(run)))


def run_several(run: Setting, args: argparse.Namespace) -> None:
    """Runs the stages of every training, lets the development set choose among them, and shows what came out."""
    grid = points(run, args.grid, runs=args.runs)
    print(f"== {len(grid) * args.runs} trainings: {len(grid)} points, {args.runs} seeds each", flush=True)
    for stage in ("prepare", "binarize"):
        if args.stage in (None, stage):
            do(stage, run, dry=args.dry_run)
    for stage in ("train", "develop"):
        if args.stage in (None, stage) and (stage == "train" or len(grid) > 1):
            for trial in (trial for point in grid for trial in point.runs):
                do(stage, trial, dry=args.dry_run)
    if args.stage in (None, "generate", "evaluate"):
        finish(grid, args)


def finish(grid: Sequence[Point], args: argparse.Namespace) -> None:
    """Generates and scores with the trainings of the best point."""
    chosen = grid[0] if args.dry_run else best(grid)
    if args.dry_run and len(grid) > 1:
        print(f"== the point that is best on the development set; these are the commands of {chosen.name}")
    for trial in chosen.runs:
        for stage in ("generate", "evaluate"):
            if args.stage in (None, stage):
                do(stage, trial, dry=args.dry_run)
    if not args.dry_run and all(trial.figures.exists() for trial in chosen.runs):
        report(grid, chosen)


def report(grid: Sequence[Point], chosen: Point) -> None:
    """Shows the figures of all points on the development set and those of the chosen one, and writes them to a file."""
    found = averaged(map(scored, chosen.runs))
    if len(grid) > 1:
        print("\n".join(grid_rows(grid, chosen)))
    print(comparison(chosen.runs[0], found))
    if len(chosen.runs) > 1:
        print(f"mean ± standard deviation of {len(chosen.runs)} runs")
    development = {point.name: averaged(point.on_development()) for point in grid if len(grid) > 1}
    content = {"chosen": chosen.name, "figures": found, "development": development}
    write_whole(chosen.runs[0].work / "report.json", json.dumps(content, indent=2) + "\n")


def described(recipe: Recipe) -> str:
    """One line about a system."""
    figures = ", ".join(f"{name} {value}" for name, value in recipe.expected.items())
    choice = f"--paper {recipe.paper} --encoder {recipe.encoder} --method {recipe.method}"
    choice += f" --variant {recipe.variant}" if recipe.variant else ""
    return f"{choice}   {recipe.split}: {figures} ({recipe.where})"


def comparison(run: Setting, figures: Figures) -> str:
    """A table of the published figures and those of this run, or the mean of several."""
    recipe, less = run.recipe, {"--limit": run.limit, "--epochs": run.epochs}
    rows = [f"\n{recipe.task}, {recipe.split} split: {recipe.encoder} as in {recipe.paper}, {recipe.where}"]
    cells = {name: cell(figures.get(name)) for name in recipe.expected}
    width = max(12, *(len(text) + 3 for text in cells.values()))
    rows.append(f"{'':<16}{'published':>12}{'here':>{width}}")
    rows += [f"{name:<16}{recipe.expected[name]:>12.3f}{text:>{width}}" for name, text in cells.items()]
    words = ", ".join(f"{name} {count}" for name, count in less.items() if count)
    return "\n".join([*rows, *([f"not comparable: {words}"] if words else [])])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # lets `| head` end the program quietly
    main()
