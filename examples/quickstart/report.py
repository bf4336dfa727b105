"""Prints ROUGE of generated summaries beside that of the lead baseline, and some outputs to read.

Takes the file that `fairseq-generate --results-path` wrote, and the raw source and reference lines. The lead baseline
answers with the first sentence of the prose. ROUGE-1/2/L are F1 by the rouge-score package, with stemming.
"""

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

METRICS = ("rouge1", "rouge2", "rougeL")
SIGNATURE = re.compile(r"[\w.]+(\((?:[^()]|\([^()]*\))*\))? ")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def read_hypotheses(path: Path) -> list[str]:
    """Returns the detokenized best hypotheses (D- lines) in the order of the input."""
    texts = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        name, _, rest = line.partition("\t")
        if name.startswith("D-"):
            texts.setdefault(int(name[2:]), rest.partition("\t")[2])
    return [texts[index] for index in sorted(texts)]


def lead(source: str) -> str:
    """Returns the first sentence after the qualified name and the signature."""
    prose = SIGNATURE.sub("", source, count=1)
    return SENTENCE_END.split(prose, maxsplit=1)[0]


def rouge(hypotheses: Iterable[str], references: Sequence[str]) -> dict[str, float]:
    """Returns the mean F1 of each metric, in percent."""
    scorer = RougeScorer(METRICS, use_stemmer=True)
    scores = [scorer.score(*pair) for pair in zip(references, hypotheses)]
    return {metric: 100 * sum(score[metric].fmeasure for score in scores) / len(scores) for metric in METRICS}


def arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generated", type=Path, required=True, help="generate-test.txt")
    parser.add_argument("--source", type=Path, required=True, help="raw source lines")
    parser.add_argument("--reference", type=Path, required=True, help="raw reference lines")
    parser.add_argument("--examples", type=int, default=20, help="outputs to print (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = arguments()
    sources, references = (path.read_text(encoding="utf-8").split("\n")[:-1] for path in (args.source, args.reference))
    hypotheses = read_hypotheses(args.generated)
    if not len(hypotheses) == len(references) == len(sources):
        raise SystemExit(f"{len(hypotheses)} outputs, {len(references)} references, {len(sources)} sources")
    for index in range(0, len(sources), max(1, len(sources) // args.examples))[: args.examples]:
        print(f"\nsource     {sources[index][:300]}\nreference  {references[index]}\noutput     {hypotheses[index]}")
    figures = {"model": rouge(hypotheses, references), "lead": rouge(map(lead, sources), references)}
    print(f"\n{len(references)} test lines   ROUGE-1  ROUGE-2  ROUGE-L")
    for name, scores in figures.items():
        print(f"{name:<16}" + "".join(f"{scores[metric]:9.1f}" for metric in METRICS))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
