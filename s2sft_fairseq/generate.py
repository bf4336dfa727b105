"""Raw text to raw text with a trained model: a line of output for every line of input, in their order.

    python -m s2sft_fairseq.generate --checkpoint checkpoints --input articles.txt --output summaries.txt \\
        --beam 5 --lenpen 0.9 --length-penalty-type gnmt --max-len-b 63 --no-repeat-ngram-size 3

The checkpoint tells the model, the vocabulary and how text is split. Lines of like length are searched together;
memory does not grow with the input. The output has its name only when it is complete: until then it is
OUTPUT.*.partial, and the same command with --skip-existing goes on where a killed run stopped, with the result that
an undisturbed run gives. Generated lines equal the D- lines of fairseq-interactive with the same flags.
"""

import hashlib
import itertools
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import torch
from fairseq import utils
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import STANDARD, count_lines, growing, read_lines
from .generate_options import arguments
from .hub import Hypothesis, S2SModel
from .models import checkpoints
from .search.keyword_options import OF_FAIRSEQ, OF_PLUGIN

WINDOW = 1024
"""Lines that are read, searched and written together; sorted by length, they fill batches of like length."""

SEARCH = (*OF_FAIRSEQ, *OF_PLUGIN)
OWN = ("checkpoint", "input", "output", "skip_existing", "scores", "cpu", "seed", "data")
"""Arguments of this command; those that are in neither tuple are options of the model, its text and its batches."""

UNSETTLING = ("checkpoint", "input", "output", "skip_existing", "cpu", "batch_size", "max_tokens")
"""Arguments that do not decide which lines are written."""

ONE_LINE = str.maketrans("\t\r\n", "   ")


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv, __doc__)
    total = None if args.input == STANDARD else count_lines(Path(args.input))
    if is_done(args, total):
        print(f"{args.output} is complete", file=sys.stderr)
        return
    model = load(args)
    with growing(args.output, stamp=stamp(args), resume=args.skip_existing, window=WINDOW) as output:
        bar = tqdm(total=total, initial=output.kept, unit=" lines")
        with bar, logging_redirect_tqdm():
            for start, lines in windows(read_lines(args.input), output.kept):
                utils.set_torch_seed(args.seed + start)
                output.write(answers(model, lines, args, bar))


def is_done(args: Namespace, total: Optional[int]) -> bool:
    """Whether an earlier run has written the whole output.

    Raises:
        UserError: it can be no output of this input, or no output at all.
    """
    if args.output == STANDARD:
        if args.skip_existing:
            raise UserError("--skip-existing needs --output FILE; standard output keeps nothing")
        return False
    output = Path(args.output)
    if output.is_dir() or args.output == args.input:
        raise UserError(f"--output {output} is {'a directory' if output.is_dir() else 'the input'}; name another file")
    if not (args.skip_existing and output.exists()):
        return False
    if total is not None and count_lines(output) != total:
        raise UserError(
            f"--skip-existing: {output} has {count_lines(output):,} lines but {args.input} has {total:,}; remove it"
        )
    return True


def load(args: Namespace) -> S2SModel:
    """The model, on a GPU if there is one that may be used."""
    given = {name: value for name, value in vars(args).items() if name not in (*OWN, *SEARCH) and value is not None}
    model = S2SModel.from_pretrained(args.checkpoint, data=args.data, **given)
    on_gpu = torch.cuda.is_available() and not args.cpu and args.inference_precision != "int8"
    return model.to("cuda") if on_gpu else model


def stamp(args: Namespace) -> str:
    """Eight digits that tell apart runs that would write other lines: by their options and the files they read."""
    read = [checkpoints.find(Path(part)) for part in utils.split_paths(args.checkpoint)]
    read += [] if args.input == STANDARD else [Path(args.input)]
    state = [(str(file), os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in read]
    options = {name: value for name, value in sorted(vars(args).items()) if name not in UNSETTLING}
    return hashlib.sha256(repr((state, options)).encode("utf-8")).hexdigest()[:8]


def windows(lines: Iterator[str], kept: int) -> Iterator[Any]:
    """The lines behind those that are kept, a window at a time, and where it starts."""
    lines = itertools.islice(lines, kept, None)
    for start in itertools.count(kept, WINDOW):
        window = [line.strip() for line in itertools.islice(lines, WINDOW)]
        if not window:
            return
        yield start, window


def answers(model: S2SModel, lines: Sequence[str], args: Namespace, bar: Any) -> List[str]:
    """A line of output for each line; with --constraints a line is SOURCE<TAB>PHRASE<TAB>PHRASE ..."""
    options = {name: getattr(args, name) for name in SEARCH}
    if args.constraints:
        lines, options["phrases"] = zip(*((source, phrases) for source, *phrases in (s.split("\t") for s in lines)))
    found: Dict[int, List[Hypothesis]] = {}
    for place, hypotheses in model.search(lines, **options):
        found[place] = hypotheses
        bar.update()
    return [output_line(found[place], scores=args.scores) for place in range(len(lines))]


def output_line(hypotheses: Sequence[Hypothesis], *, scores: bool) -> str:
    """The hypotheses for a line, separated by tabs; each behind its score, if asked for."""
    texts = ([f"{one.score:.4f}"] * scores + [one.text.translate(ONE_LINE)] for one in hypotheses)
    return "\t".join(itertools.chain.from_iterable(texts))


if __name__ == "__main__":
    run_command(main)
