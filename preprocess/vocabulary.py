"""Writes the vocabulary of a pretrained model of any family as a fairseq dictionary.

    python preprocess/vocabulary.py --pretrained PRETRAINED_DIR --vocab-add new_tokens.txt --to dict.txt
    fairseq-preprocess --srcdict dict.txt --joined-dictionary ...

The dictionary has all rows of the model, including special tokens. It is only needed to add or to inspect tokens,
because fairseq-preprocess also accepts the directory itself (--srcdict PRETRAINED_DIR). Added tokens come after all
others, in the order of their file; use the same --vocab-add in all later commands.
"""

import argparse
from pathlib import Path

from s2sft_fairseq.common.atomic_files import write_line_files
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.text.vocabulary import read


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pretrained",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory of the pretrained model, or its vocabulary file: vocab.txt, vocab.json, dict.txt, "
        "tokenizer.json or a SentencePiece *.model",
    )
    parser.add_argument("--vocab-add", type=Path, metavar="FILE", help="file of tokens to add, one per line")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="dictionary to write")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    dictionary = PretrainedDictionary(read(args.pretrained, add=args.vocab_add))
    write_line_files({args.to: (f"{token} {count}" for token, count in zip(dictionary.symbols, dictionary.count))})
    print(f"{args.to}: {len(dictionary):,} tokens")


if __name__ == "__main__":
    run_command(main)
