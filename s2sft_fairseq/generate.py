"""Generates from raw text with a trained model: one line of output per line of input, in the same order.

    python -m s2sft_fairseq.generate --checkpoint checkpoints --input articles.txt --output summaries.txt \\
        --beam 5 --lenpen 0.9 --length-penalty-type gnmt --max-len-b 63 --no-repeat-ngram-size 3

The checkpoint contains the model, its vocabulary and its tokenizer. Lines of similar length are batched together, and
memory use does not grow with the input. The output gets its name only when it is complete; until then it is called
OUTPUT.*.partial, and the same command with --skip-existing continues where a killed run stopped, with the same result
as an uninterrupted run. Generated lines equal the D- lines of fairseq-interactive with the same flags, but for spaces
around signs, which are copied from the source where it has the same words (unless --spacing published is given).
"""

import argparse
import hashlib
import itertools
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
from fairseq import utils
from fairseq.data.encoders import BPE_REGISTRY, TOKENIZER_REGISTRY
from fairseq.dataclass.utils import gen_parser_from_dataclass
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .common.atomic_files import growing
from .common.command_line import GuideFormatter, add_registered_options, command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import STANDARD, count_lines, read_lines
from .data.shards import check_shard, lines_of_shard
from .hub import Hypothesis, S2SModel
from .hub_loading import BATCH
from .models import checkpoints
from .search.keyword_options import OF_FAIRSEQ, OF_PLUGIN, text_generation
from .search.options import SearchOptions

WINDOW = 1024
"""Number of lines that are read, searched and written together; within a window, lines are batched by length."""

SEARCH = (*OF_FAIRSEQ, *OF_PLUGIN)
OWN = ("checkpoint", "input", "output", "skip_existing", "scores", "cpu", "seed", "data", "num_shards", "shard_id")
"""This command's own arguments; those in neither tuple are options of the model, its tokenizer and its batches."""

UNSETTLING = ("checkpoint", "input", "output", "skip_existing", "cpu", "batch_size", "max_tokens")
"""Arguments that do not affect which lines are written."""

ONE_LINE = str.maketrans("\t\r\n", "   ")


def arguments(argv: Optional[Sequence[str]]) -> Namespace:
    """The command line, with the options of the ``--bpe`` and ``--tokenizer`` that it names."""
    parser = command_parser(
        "generate",
        __doc__,
        usage="%(prog)s --checkpoint CHECKPOINT [--input FILE] [--output FILE] [options]",
        formatter_class=GuideFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    add_files(parser.add_argument_group("files"))
    add_speed(parser.add_argument_group("speed and memory"))
    gen_parser_from_dataclass(parser.add_argument_group("search"), SearchOptions())
    gen_parser_from_dataclass(parser.add_argument_group("search (fairseq's options)"), text_generation())
    add_text(parser.add_argument_group("text (for checkpoints without a tokenizer, or to replace theirs)"), argv)
    parser.add_argument("-h", "--help", action="help", help="show this help, with the options of the --bpe given")
    return parser.parse_args(argv)


def add_files(group: Any) -> None:
    """Adds the options for what is read and what is written."""
    group.add_argument("--checkpoint", required=True, help="file, directory that contains one, or ensemble: A.pt:B.pt")
    group.add_argument("--input", default=STANDARD, help="UTF-8 text, one source per line; -: standard input")
    group.add_argument("--output", default=STANDARD, help="one line per line of input; -: standard output")
    group.add_argument(
        "--skip-existing", action="store_true", help="keep what an earlier run wrote, and continue there"
    )
    group.add_argument("--num-shards", type=int, default=1, help="divide the lines of FILE into this many parts")
    group.add_argument(
        "--shard-id", type=int, default=0, help="the part to generate, from 0; outputs in this order are the whole"
    )
    group.add_argument(
        "--scores",
        action="store_true",
        help="write SCORE<TAB>TEXT; a score is the log-probability divided by the length penalty",
    )


def add_speed(group: Any) -> None:
    """Adds the options that affect speed and memory, and the random seed."""
    group.add_argument("--cpu", action="store_true", help="do not use a GPU")
    for flag, precision in (("--bf16", "bfloat16"), ("--int8", "int8")):
        group.add_argument(
            flag,
            dest="inference_precision",
            action="store_const",
            const=precision,
            default=argparse.SUPPRESS,
            help=f"short for --inference-precision {precision}",
        )
    group.add_argument(
        "--batch-size", type=int, default=BATCH["batch_size"], help="maximum number of sources per batch"
    )
    group.add_argument(
        "--max-tokens", type=int, default=BATCH["max_tokens"], help="maximum number of source tokens per batch"
    )
    group.add_argument("--seed", type=int, default=1, help="random seed of --sampling and --retain-dropout")
    group.add_argument("--retain-dropout", action="store_true", help="keep dropout at work, as in training")
    group.add_argument("--retain-dropout-modules", help="keep it in these only, out of Embeddings,Layer,SelfAttention")


def add_text(group: Any, argv: Optional[Sequence[str]]) -> None:
    """Adds the options of tokenization; those of a ``--bpe`` or ``--tokenizer`` only if the command line names it."""
    chooser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group.add_argument("--data", help="directory of the dictionary (dict.*.txt)")
    for each in (group, chooser):
        each.add_argument("--bpe", choices=sorted(BPE_REGISTRY), help="encoder (default: the checkpoint's)")
        each.add_argument(
            "--tokenizer", choices=sorted(TOKENIZER_REGISTRY), help="applied before --bpe (default: none)"
        )
    chosen, _ = chooser.parse_known_args(argv)
    add_registered_options(group, "bpe", chosen.bpe or "s2s_ft")
    add_registered_options(group, "tokenizer", chosen.tokenizer)


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    shard = lines_to_read(args)
    total = None if shard is None else len(shard)
    if is_done(args, total):
        print(f"{args.output} is complete", file=sys.stderr)
        return
    model = load(args)
    with growing(args.output, stamp=stamp(args), resume=args.skip_existing, window=WINDOW) as output:
        bar = tqdm(total=total, initial=output.kept, unit=" lines")
        with bar, logging_redirect_tqdm():
            for start, lines in windows(read_lines(args.input), output.kept, shard):
                utils.set_torch_seed(args.seed + start)
                output.write(answers(model, lines, args, bar))


def lines_to_read(args: Namespace) -> Optional[range]:
    """The numbers of the lines of input to read; None: all lines of standard input.

    Raises:
        UserError: there is no such shard, or standard input would have to be divided.
    """
    check_shard(args.shard_id, args.num_shards)
    if args.input != STANDARD:
        return lines_of_shard(args.shard_id, args.num_shards, count_lines(args.input))
    if args.num_shards > 1:
        raise UserError(f"--num-shards {args.num_shards} needs --input FILE, whose lines can be counted first")
    return None


def is_done(args: Namespace, total: Optional[int]) -> bool:
    """Whether an earlier run has written the whole output.

    Raises:
        UserError: ``--output`` cannot be written, or is not the output of this input.
    """
    if args.output == STANDARD:
        if args.skip_existing:
            raise UserError("--skip-existing needs --output FILE; nothing is kept of standard output")
        return False
    output = Path(args.output)
    if output.is_dir():
        raise UserError(f"--output {output} is a directory; name a file")
    if args.output == args.input:
        raise UserError(f"--output {output} is the input; name another file")
    if not (args.skip_existing and output.exists()):
        return False
    written = count_lines(output)
    if total is not None and written != total:
        source = args.input if args.num_shards == 1 else f"--shard-id {args.shard_id} of {args.input}"
        raise UserError(
            f"--skip-existing: {output} has {written:,} lines but {source} has {total:,}; remove the output"
        )
    return True


def load(args: Namespace) -> S2SModel:
    """The model, on a GPU if one is available and the options allow it."""
    given = {name: value for name, value in vars(args).items() if name not in (*OWN, *SEARCH) and value is not None}
    model = S2SModel.from_pretrained(args.checkpoint, data=args.data, **given)
    on_gpu = torch.cuda.is_available() and not args.cpu and args.inference_precision != "int8"
    return model.to("cuda") if on_gpu else model


def stamp(args: Namespace) -> str:
    """Eight hexadecimal digits of the options and input files, different for runs that would write other lines."""
    read = [checkpoints.find(Path(part)) for part in utils.split_paths(args.checkpoint)]
    if args.input != STANDARD:
        read.append(Path(args.input))
    state = [(str(file), os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in read]
    options = {name: value for name, value in sorted(vars(args).items()) if name not in UNSETTLING}
    return hashlib.sha256(repr((state, options)).encode("utf-8")).hexdigest()[:8]


def windows(lines: Iterator[str], kept: int, shard: Optional[range]) -> Iterator[Tuple[int, List[str]]]:
    """The lines of a shard after the first ``kept``, one window at a time, each with the number of its first line."""
    first, stop = (0, None) if shard is None else (shard.start, shard.stop)
    lines = itertools.islice(lines, first + kept, stop)
    for start in itertools.count(first + kept, WINDOW):
        window = [line.strip() for line in itertools.islice(lines, WINDOW)]
        if not window:
            return
        yield start, window


def answers(model: S2SModel, lines: Sequence[str], args: Namespace, bar: Any) -> List[str]:
    """One line of output per line; with ``--constraints`` a line is SOURCE<TAB>PHRASE<TAB>PHRASE ..."""
    options = {name: getattr(args, name) for name in SEARCH}
    if args.constraints:
        lines, options["phrases"] = split_phrases(lines)
    found: Dict[int, List[Hypothesis]] = {}
    for place, hypotheses in model.search(lines, **options):
        found[place] = hypotheses
        bar.update()
    return [output_line(found[place], scores=args.scores) for place in range(len(lines))]


def split_phrases(lines: Sequence[str]) -> Tuple[List[str], List[List[str]]]:
    """The sources, and for each source the phrases that its hypotheses must contain."""
    sources, phrases = [], []
    for line in lines:
        source, *wanted = line.split("\t")
        sources.append(source)
        phrases.append(wanted)
    return sources, phrases


def output_line(hypotheses: Sequence[Hypothesis], *, scores: bool) -> str:
    """The hypotheses for one line, separated by tabs; with ``scores``, each is preceded by its score."""
    columns = []
    for hypothesis in hypotheses:
        if scores:
            columns.append(f"{hypothesis.score:.4f}")
        columns.append(hypothesis.text.translate(ONE_LINE))
    return "\t".join(columns)


if __name__ == "__main__":
    run_command(main)
