"""Scores outputs against references, with the metrics of the papers.

python -m s2sft_fairseq.evaluate --metric rouge --hypothesis generate-test.txt --reference test.tgt

Each file has one example a line; the hypotheses may be what fairseq-generate wrote. Beside each figure stands the
interval in which 95 % of 1000 bootstrap samples of the examples lie.

  --postprocess cnndm          the papers' post-processing first
  --compare OTHER              a second system, and a paired bootstrap test of the difference
  --metric NAME --help         the metric's own options
"""

import argparse
import inspect
import signal
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from .common.command_line import command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .metrics import METRICS, Examples, Files, Metric
from .metrics.bootstrap import RESAMPLES
from .metrics.metric import non_negative_int
from .metrics.postprocessing.steps import STEPS, postprocess
from .metrics.report import STANDARD_OUTPUT, Report, write_each, write_json


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Runs the command.

    Raises:
        UserError: no such metric, or files that cannot be read or do not belong together.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser(chosen_metric(arguments)).parse_args(arguments)
    if args.trunc_len is not None and not args.postprocess:
        raise UserError("--trunc-len cuts what --postprocess makes; expected --postprocess STEP beside it")
    scorer = built_metric(args)
    examples = scored(scorer, args.hypothesis, args)
    other = scored(scorer, args.compare, args) if args.compare else None
    report = Report(args.metric, examples, other, resamples=args.resamples)
    if args.each:
        write_each(args.each, examples)
    if args.json:
        write_json(args.json, {**settings(args), **report.as_json()})
    if STANDARD_OUTPUT not in (args.json, args.each):
        print(report.as_table())


def chosen_metric(arguments: Sequence[str]) -> Optional[str]:
    """The name of the metric that a command line names, if it names one.

    Raises:
        UserError: there is no such metric.
    """
    naming = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    naming.add_argument("--metric", nargs="?")
    name = naming.parse_known_args(arguments)[0].metric
    if name is not None and name not in METRICS:
        raise UserError(f"--metric {name}: no such metric; expected one of {', '.join(sorted(METRICS))}")
    return None if name is None else str(name)


def built_metric(args: argparse.Namespace) -> Metric:
    """The metric with its own options, which are the arguments of its constructor."""
    metric = METRICS[args.metric]
    own = inspect.signature(metric).parameters
    return metric(**{name: getattr(args, name) for name in own})


def parser(metric: Optional[str]) -> argparse.ArgumentParser:
    """A parser of the command line; the metric's own options come first in its help."""
    metrics = "metrics:\n" + listing({name: metric.summary for name, metric in METRICS.items()})
    whole = command_parser("evaluate", __doc__, epilog=metrics)
    if metric is not None:
        METRICS[metric].add_options(whole.add_argument_group(f"options of {metric}"))
    whole.add_argument("--metric", required=True, metavar="NAME", help="one of those below")
    add_files(whole)
    steps = "; ".join(f"{name}: {step.summary}" for name, step in STEPS.items())
    whole.add_argument("--postprocess", nargs="+", choices=sorted(STEPS), default=[], metavar="STEP", help=steps)
    whole.add_argument(
        "--trunc-len",
        type=non_negative_int,
        metavar="N",
        help="words of an output that --postprocess keeps, 0 for all (default: 60 for cnndm, where s2s-ft's authors "
        "take 70 for UniLM and 160 for s2s-ft; else all)",
    )
    whole.add_argument(
        "--resamples",
        type=non_negative_int,
        default=RESAMPLES,
        metavar="N",
        help="bootstrap samples; 0: none (default: %(default)s)",
    )
    return whole


def add_files(whole: argparse.ArgumentParser) -> None:
    """The options that name files."""
    whole.add_argument(
        "--hypothesis", type=Path, required=True, metavar="FILE", help="outputs, or what fairseq-generate wrote"
    )
    whole.add_argument(
        "--reference", type=Path, nargs="+", required=True, metavar="FILE", help="references, one file or several"
    )
    whole.add_argument("--source", type=Path, metavar="FILE", help="sources, for the metrics that need them")
    whole.add_argument("--compare", type=Path, metavar="FILE", help="outputs of another system, to test the difference")
    whole.add_argument("--json", type=Path, metavar="FILE", help="write the figures here; - for standard output")
    whole.add_argument("--each", type=Path, metavar="FILE", help="write each example's scores here, as TSV; - as above")


def listing(summaries: Dict[str, str]) -> str:
    """Names and what they stand for, one a line."""
    return "\n".join(f"  {name:<10} {summary}" for name, summary in sorted(summaries.items()))


def scored(metric: Metric, hypothesis: Path, args: argparse.Namespace) -> Examples:
    """Reads, post-processes and scores the outputs of one system."""
    texts = metric.read(Files(hypothesis, tuple(args.reference), args.source))
    return metric.examples(*postprocess(texts, args.postprocess, most_words=args.trunc_len))


def settings(args: argparse.Namespace) -> Dict[str, Any]:
    """What was asked for, fit for JSON."""
    outputs = ("json", "each")
    return {name: plain(value) for name, value in vars(args).items() if name not in outputs and value is not None}


def plain(value: Any) -> Any:
    """Paths as strings."""
    if isinstance(value, (list, tuple)):
        items: List[Any] = [plain(item) for item in value]
        return items
    return str(value) if isinstance(value, Path) else value


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough, such as head, ends the program
    run_command(main)
