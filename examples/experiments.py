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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from execution import execute, is_finished, write_finished
from experiment_commands import Step, fine_tune, monolingual, prepare, pretrain
from experiment_report import groups, report
from experiment_table import Experiments
from tqdm import tqdm

from s2sft_fairseq.common.fairseq_patches import run_command


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
    write_finished(finished, lines)


def run(args: argparse.Namespace) -> None:
    """All commands: what others read first, the rest side by side."""
    os.environ["OMP_NUM_THREADS"] = "1"
    experiments = Experiments(args.work)
    trials = [*experiments.trials(args.table)]
    corpora = [corpus for corpus in experiments.corpora.values() if any(trial.corpus is corpus for trial in trials)]
    starts = [start for start in experiments.starts.values() if any(trial.start is start for trial in trials)]
    stages = [map(prepare, corpora), map(monolingual, starts[:1]), map(pretrain, starts), map(fine_tune, trials)]
    for plans in stages:
        side_by_side(list(plans), args)


def side_by_side(plans: Sequence[Iterator[Step]], args: argparse.Namespace) -> None:
    """Runs several plans at once, each step by step; begins no other when one fails."""

    def follow(plan: Iterator[Step]) -> None:
        for step in plan:
            do(step, dry=args.dry_run)

    with ThreadPoolExecutor(args.jobs) as pool:
        begun = [pool.submit(follow, plan) for plan in plans]
        try:
            for finished in tqdm(as_completed(begun), total=len(plans), disable=args.dry_run or None):
                finished.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--work", type=lambda text: Path(text).resolve(), required=True, help="a folder for all of it")
    parser.add_argument("--table", help="one table of experiments.yaml (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="report: draw it, too (extra [bench])")
    parser.add_argument("--dry-run", action="store_true", help="show the commands and run none")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = arguments()
    if args.action == "run":
        run(args)
    else:
        show(args)


def show(args: argparse.Namespace) -> None:
    """Prints what came out so far, and draws it."""
    experiments = Experiments(args.work)
    found = list(groups([*experiments.trials(args.table)]))
    print(report(experiments.settings["tables"], found))
    if args.picture:
        from experiment_picture import draw  # here: matplotlib is an extra

        draw(found, args.picture)


if __name__ == "__main__":
    run_command(main)
