"""Trains a WordPiece vocabulary like that of BERT's uncased models, and writes it as vocab.txt.

Before pieces are counted, text is lower-cased, stripped of accents, and split at whitespace, punctuation and each
Chinese character. The file has one piece per line, in the order of the ids; [PAD], [UNK], [CLS], [SEP] and [MASK]
are 0 to 4. With --cased, a tokenizer_config.json beside it says so to all that reads the vocabulary. The order of
equally frequent pieces is not fixed, so two runs on the same text may differ in a few rare pieces and in ids: keep the
vocab.txt that a model was trained with.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer
from tqdm import tqdm

from s2sft_fairseq.common.atomic_files import write_line_files
from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.common.text_lines import read_lines

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_vocabulary(lines: Iterable[str], *, size: int, alphabet: int, cased: bool = False) -> list[str]:
    """Returns at most `size` pieces, of at most `alphabet` different characters, in the order of their ids."""
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    trainer = WordPieceTrainer(
        vocab_size=size, limit_alphabet=alphabet, min_frequency=2, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def read_all(paths: Sequence[Path]) -> Iterator[str]:
    """Yields the lines of all files, with a progress bar."""
    lines = (line for path in paths for line in read_lines(path))
    return iter(tqdm(lines, desc="reading", unit=" lines", disable=None))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python preprocess/wordpiece_vocabulary.py --to vocab.txt train.src train.tgt",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", type=Path, nargs="+", help="UTF-8 text files, one sentence or text per line")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="vocab.txt to write")
    parser.add_argument("--size", type=int, default=8000, help="maximum number of pieces (default: %(default)s)")
    parser.add_argument(
        "--alphabet",
        type=int,
        default=200,
        help="maximum number of characters; the most frequent are kept (default: %(default)s)",
    )
    parser.add_argument("--cased", action="store_true", help="keep capital letters and accents")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    if args.size <= len(SPECIAL) + args.alphabet:
        sys.exit(f"--size {args.size}: too small for {len(SPECIAL)} special pieces and --alphabet {args.alphabet}")
    pieces = train_vocabulary(read_all(args.text), size=args.size, alphabet=args.alphabet, cased=args.cased)
    if len(pieces) == len(SPECIAL):
        sys.exit(f"{args.text[0]}: there is no text in the files to count; nothing is written")
    files = {args.to: pieces}
    if args.cased:  # without it, BERT's tokenizer lower-cases
        files[args.to.with_name("tokenizer_config.json")] = [json.dumps({"do_lower_case": False})]
    write_line_files(files)
    print(f"{args.to}: {len(pieces):,} pieces")


if __name__ == "__main__":
    run_command(main)
