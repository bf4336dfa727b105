"""Scores outputs against references with the metrics of the papers.

python -m s2sft_fairseq.evaluate --metric rouge --hypothesis generate-test.txt --reference test.tgt

Each file has one example per line; the hypotheses may also be the output of fairseq-generate. Each figure comes with
its 95 % confidence interval, from 1000 bootstrap samples of the examples.

  --postprocess cnndm          apply the papers' post-processing first
  --compare OTHER              score a second system, with a paired bootstrap test of the difference
  --metric NAME --help         show the metric's own options
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
from .metrics.piece_marks import warn_of_pieces
from .metrics.postprocessing.steps import STEPS, postprocess
from .metrics.report import STANDARD_OUTPUT, Report, write_each, write_json


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Runs the command.

    Raises:
        UserError: the metric does not exist, or files cannot be read or do not belong together.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser(chosen_metric(arguments)).parse_args(arguments)
    if args.trunc_len is not None and not args.postprocess:
        raise UserError("--trunc-len needs --postprocess STEP, whose result it cuts; add it, or leave --trunc-len out")
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
    """The name of the metric on a command line; None if it has none.

    Raises:
        UserError: the metric does not exist.
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
    """The parser of the command line; the metric's own options come first in its help."""
    metrics = "metrics:\n" + listing({name: metric.summary for name, metric in METRICS.items()})
    whole = command_parser("evaluate", __doc__, epilog=metrics)
    if metric is not None:
        METRICS[metric].add_options(whole.add_argument_group(f"options of {metric}"))
    whole.add_argument("--metric", required=True, metavar="NAME", help="one of the metrics listed below")
    add_files(whole)
    steps = "; ".join(f"{name}: {step.summary}" for name, step in STEPS.items())
    whole.add_argument("--postprocess", nargs="+", choices=sorted(STEPS), default=[], metavar="STEP", help=steps)
    whole.add_argument(
        "--trunc-len",
        type=non_negative_int,
        metavar="N",
        help="words of each output that --postprocess keeps, 0 for all (default: 60 for cnndm, where the authors of "
        "s2s-ft use 70 for UniLM and 160 for s2s-ft; all for the other steps)",
    )
    whole.add_argument(
        "--resamples",
        type=non_negative_int,
        default=RESAMPLES,
        metavar="N",
        help="number of bootstrap samples; 0: no intervals and tests (default: %(default)s)",
    )
    return whole


def add_files(whole: argparse.ArgumentParser) -> None:
    """Adds the options that name files."""
    whole.add_argument(
        "--hypothesis", type=Path, required=True, metavar="FILE", help="outputs, or the output of fairseq-generate"
    )
    whole.add_argument(
        "--reference", type=Path, nargs="+", required=True, metavar="FILE", help="references, in one or several files"
    )
    whole.add_argument("--source", type=Path, metavar="FILE", help="sources, for metrics that need them")
    whole.add_argument("--compare", type=Path, metavar="FILE", help="outputs of a second system to compare with")
    whole.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to; -: standard output")
    whole.add_argument(
        "--each", type=Path, metavar="FILE", help="file to write each example's scores to, as TSV; -: standard output"
    )


def listing(summaries: Dict[str, str]) -> str:
    """Names with their descriptions, one per line."""
    return "\n".join(f"  {name:<10} {summary}" for name, summary in sorted(summaries.items()))


def scored(metric: Metric, hypothesis: Path, args: argparse.Namespace) -> Examples:
    """Reads, post-processes and scores the outputs of one system."""
    texts = metric.read(Files(hypothesis, tuple(args.reference), args.source))
    final = postprocess(texts, args.postprocess, most_words=args.trunc_len)
    warn_of_pieces(final, joined=metric.joined_pieces)
    return metric.examples(*final)


def settings(args: argparse.Namespace) -> Dict[str, Any]:
    """The options of this run, ready for JSON."""
    outputs = ("json", "each")
    return {name: plain(value) for name, value in vars(args).items() if name not in outputs and value is not None}


def plain(value: Any) -> Any:
    """A value with its paths as strings."""
    if isinstance(value, (list, tuple)):
        items: List[Any] = [plain(item) for item in value]
        return items
    return str(value) if isinstance(value, Path) else value


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # lets `| head` end the program quietly
    run_command(main)
