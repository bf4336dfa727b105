"""Measures training, decoding, memory, preprocessing and start-up, against BERT2BERT and BART from transformers.

    python benchmarks/run.py --fast                     the main ratios, in about two minutes
    python benchmarks/run.py                            everything
    python benchmarks/run.py --only train decode        some cases

Both sides get the same text, the same lengths, models of the same shape and the same number of threads. They are
warmed, then take turns; a ratio is taken within a round, and its median, least and greatest value are shown.
Absolute figures are those of this machine and of what else it does; ratios hold elsewhere. The text is docstrings of
Python's standard library, so nothing is downloaded. It needs the extra [bench]: pip install ".[bench]".
"""

import argparse
import importlib
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import benchmarks.quiet  # noqa: F401  (before the libraries, in started processes too)
from benchmarks import machine, results
from benchmarks.cases import CASES, FAST, FULL, MAIN_CASES, SMALLEST, Settings
from benchmarks.progress import say
from benchmarks.texts import WORK
from s2sft_fairseq.common.atomic_files import whole_files

ROUNDS = {SMALLEST: 1, FAST: 3, FULL: 5}
EPILOG = "cases:\n" + "\n".join(f"  {name:12} {text}" for name, text in CASES.items())


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument(
        "--fast",
        dest="scale",
        action="store_const",
        const=FAST,
        default=FULL,
        help="small models, fewer rounds, main cases",
    )
    scale.add_argument(
        "--smallest", dest="scale", action="store_const", const=SMALLEST, help="to see that all runs; no figure counts"
    )
    parser.add_argument("--only", nargs="+", choices=list(CASES), metavar="CASE", help="cases to run, see below")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of every side (default: 5; 3 with --fast)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of every side (default: %(default)s)")
    parser.add_argument(
        "--to", type=Path, default=WORK / "results", metavar="DIR", help="results.json, results.md and plots"
    )
    return parser.parse_args()


def measure(name: str, settings: Settings) -> results.Result:
    """Runs a case, or notes why it cannot be run here."""
    case = importlib.import_module(f"benchmarks.cases.{name}")
    try:
        found: results.Result = case.measure(settings)
    except results.NotMeasuredError as reason:
        return results.Result(CASES[name], skipped=str(reason))
    return found


def write(folder: Path, found: dict[str, results.Result], facts: dict[str, str]) -> str:
    """Writes all that was found, and returns the report."""
    from benchmarks import plots

    report = results.markdown(found, facts)
    cases = {name: result.as_json() for name, result in found.items()}
    with whole_files(folder) as part:
        (part / "results.json").write_text(json.dumps({"machine": facts, "cases": cases}, indent=2) + "\n")
        (part / "results.md").write_text(report)
        plots.draw(found, part)
    return report


def check_packages() -> None:
    """Ends the program with one line if the extra is not installed."""
    missing = [name for name in ("transformers", "matplotlib") if find_spec(name) is None]
    if missing:
        sys.exit(f"the benchmarks need {' and '.join(missing)}; install the extra: pip install '.[bench]'")


def main() -> None:
    """Runs the command."""
    args = arguments()
    check_packages()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # of the processes that cases start
    torch.set_num_threads(args.threads)
    settings = Settings(args.scale, args.rounds or ROUNDS[args.scale])
    facts = {**machine.describe(args.threads), "rounds": str(settings.rounds)}
    start, found, report = time.perf_counter(), {}, ""
    names = args.only or (MAIN_CASES if args.scale == FAST else list(CASES))
    for number, name in enumerate(names, start=1):
        say(f"case {number} of {len(names)}, {name}: {CASES[name]}")
        found[name] = measure(name, settings)
        facts["load average after the last case"] = machine.load()
        report = write(args.to, found, facts)  # after every case: a later one may be interrupted
    print(report)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes; results.json, results.md and plots are in {args.to}")


if __name__ == "__main__":
    main()
