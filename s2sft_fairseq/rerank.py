"""Reranks n-best hypotheses: by GNMT's length penalty, or by a reward per token.

Generate once with --nbest, then find the best weight on a development set and apply it to the test set without
another search:

  fairseq-generate DATA --user-dir s2sft_fairseq --task s2s_ft --path CK.pt --gen-subset valid \\
      --beam 10 --nbest 10 --unnormalized --results-path OUT          (and the same with --gen-subset test)
  python -m s2sft_fairseq.rerank --dev OUT/generate-valid.txt --test OUT/generate-test.txt --output test.hyp

or, with a known weight:

  python -m s2sft_fairseq.rerank --test OUT/generate-test.txt --by gnmt --weight 0.9 --output test.hyp
"""

import argparse
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from tqdm import tqdm

from .common.atomic_files import whole_lines
from .common.command_line import command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import read_all_lines
from .metrics import METRICS, Texts
from .metrics.piece_marks import warn_of_pieces
from .search.length_penalty import gnmt_penalty
from .search.nbest import NBestHypothesis, NBestLists, read_nbest

Score = Callable[[NBestHypothesis], float]


def gnmt(weight: float, expected: Optional[int]) -> Score:
    """log p / ((5 + length) / 6) ^ weight (Wu et al., 2016), as ``--length-penalty-type gnmt`` computes it."""
    if expected is not None:
        raise UserError("--expected-length belongs to --by length-reward; leave one of them out")
    return lambda one: one.log_probability / gnmt_penalty(one.length, weight)


def length_reward(weight: float, expected: Optional[int]) -> Score:
    """log p + weight · length, or log p − weight · |length − expected|, the two rules of s2s-ft."""
    if expected is None:
        return lambda one: one.log_probability + weight * one.length
    return lambda one: one.log_probability - weight * abs(one.length - expected)


RULES: Dict[str, Callable[[float, Optional[int]], Score]] = {"gnmt": gnmt, "length-reward": length_reward}
WEIGHTS = tuple(tenth / 10 for tenth in range(21))


class Goal(NamedTuple):
    """What is maximized on the development set.

    Attributes:
        metric: one of the names in METRICS.
        figure: one of the metric's figures; None: the first.
    """

    metric: str
    figure: Optional[str]

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """Reads METRIC or METRIC:FIGURE."""
        metric, _, figure = text.partition(":")
        if metric not in METRICS:
            raise UserError(f"--metric {metric}: no such metric; expected one of {', '.join(sorted(METRICS))}")
        return cls(metric, figure or None)

    def reached(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The figure of N hypotheses, each with one or more references ([N][R])."""
        figures = METRICS[self.metric]().examples(hypotheses, references).figures()
        figure = self.figure or next(iter(figures))
        if figure not in figures:
            raise UserError(f"--metric {self.metric}:{figure}: no such figure; expected one of {', '.join(figures)}")
        return figures[figure]


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("rerank", __doc__)
    add = parser.add_argument
    add("--test", type=Path, required=True, metavar="FILE", help="n-best output of fairseq-generate to rerank")
    add("--output", type=Path, required=True, metavar="FILE", help="file for the best hypotheses, one line per input")
    add("--by", choices=sorted(RULES), default="gnmt", help="score to rank by (default: %(default)s)")
    add("--expected-length", type=int, metavar="N", help="length-reward: penalize the distance from N tokens")
    add("--weight", type=float, metavar="W", help="alpha of gnmt, or nats per token of length-reward; replaces --dev")
    add("--dev", type=Path, metavar="FILE", help="n-best output on a development set, to find the best weight on")
    add(
        "--dev-references",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="references, one per line (default: the T- lines of --dev)",
    )
    add(
        "--weights",
        type=float,
        nargs="+",
        default=WEIGHTS,
        metavar="W",
        help="weights to try (default: 0 to 2 in steps of 0.1)",
    )
    add(
        "--metric",
        default="rouge:rouge_l",
        metavar="METRIC[:FIGURE]",
        help=f"figure to maximize on --dev (default: %(default)s); metrics: {', '.join(sorted(METRICS))}",
    )
    return parser.parse_args(argv)


def chosen(nbest: NBestLists, score: Score) -> List[str]:
    """The best hypothesis for each input; the first one among ties."""
    return [max(hypotheses, key=score).text for hypotheses in nbest.hypotheses]


def references_of(nbest: NBestLists, dev: Path, files: Optional[Sequence[Path]]) -> List[Tuple[str, ...]]:
    """The references for each input [N][R], from files or from the T- lines.

    Raises:
        UserError: there is not exactly one reference per input.
    """
    if not files:
        known = [reference for reference in nbest.references if reference is not None]
        if len(known) < len(nbest.references):
            raise UserError(f"{dev} has no T- lines for all inputs; add --dev-references FILE")
        return [(reference,) for reference in known]
    texts = [read_all_lines(file) for file in files]
    for file, lines in zip(files, texts):
        if len(lines) != len(nbest.hypotheses):
            raise UserError(
                f"{file} has {len(lines)} lines but {dev} has hypotheses for {len(nbest.hypotheses)} inputs; "
                "expected one reference per line for each input"
            )
    return list(zip(*texts))


def best_weight(args: argparse.Namespace) -> float:
    """The weight with the best figure on the development set, the smallest one among ties; prints all figures."""
    goal, nbest = Goal.parse(args.metric), read_nbest(args.dev)
    references = references_of(nbest, args.dev, args.dev_references)
    first = [hypotheses[0].text for hypotheses in nbest.hypotheses]
    warn_of_pieces(Texts(first, references), joined=METRICS[goal.metric].joined_pieces)
    figures: Dict[float, float] = {}
    for weight in tqdm(sorted(args.weights), desc="weights", leave=False, disable=None):
        figures[weight] = goal.reached(chosen(nbest, RULES[args.by](weight, args.expected_length)), references)
    for weight, figure in figures.items():
        print(f"{args.by} {weight:g}: {args.metric} {figure:.4f}")
    return max(figures, key=lambda weight: figures[weight])


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    if (args.weight is None) == (args.dev is None):
        raise UserError("expected either --weight W or --dev FILE, on which the best weight is found")
    test = read_nbest(args.test)
    weight = best_weight(args) if args.weight is None else args.weight
    lines = chosen(test, RULES[args.by](weight, args.expected_length))
    with whole_lines(args.output) as write:
        write(lines)
    print(f"wrote {args.output}: {len(lines)} lines, ranked by {args.by} {weight:g}")


if __name__ == "__main__":
    run_command(main)
