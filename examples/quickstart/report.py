"""Prints some outputs beside their references, and writes what the lead baseline answers.

Takes the file that `fairseq-generate --results-path` wrote, and the raw source and reference lines. The lead baseline
answers with the first sentence of the prose.
"""

import argparse
import re
from pathlib import Path

from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.metrics.texts import Files, read_texts

SIGNATURE = re.compile(r"[\w.]+(\((?:[^()]|\([^()]*\))*\))? ")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def lead(source: str) -> str:
    """Returns the first sentence after the qualified name and the signature."""
    prose = SIGNATURE.sub("", source, count=1)
    return SENTENCE_END.split(prose, maxsplit=1)[0]


def arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generated", type=Path, required=True, help="generate-test.txt")
    parser.add_argument("--source", type=Path, required=True, help="raw source lines")
    parser.add_argument("--reference", type=Path, required=True, help="raw reference lines")
    parser.add_argument("--lead", type=Path, required=True, help="write the lead baseline's answers here")
    parser.add_argument("--examples", type=int, default=20, help="outputs to print (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = arguments()
    hypotheses, references, sources = read_texts(Files(args.generated, (args.reference,), args.source))
    assert sources is not None
    for index in range(0, len(sources), max(1, len(sources) // args.examples))[: args.examples]:
        print(f"\nsource     {sources[index][:300]}\nreference  {references[index][0]}\noutput     {hypotheses[index]}")
    args.lead.write_text("".join(f"{lead(source)}\n" for source in sources), encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
