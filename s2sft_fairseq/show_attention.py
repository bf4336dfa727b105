"""Draws who sees whom: which slot of an example may attend to which, as the code itself lays it out.

    python -m s2sft_fairseq.show_attention --finetune-method pseudo_masked --source "a document" --target "its summary"
    python -m s2sft_fairseq.show_attention --finetune-method infilling --target "t1 t2 t3" --spans "t1 t2/t3"
    python -m s2sft_fairseq.show_attention --objective unilm --to unilm.svg
    python -m s2sft_fairseq.show_attention --objective pmlm --order 4,5/2
    python -m s2sft_fairseq.show_attention --objective pmlm --pmlm-objective ae ar par --order 4,5/2 --to figure.png

A row is a slot that looks, a column one that is looked at: # where it may. Words are split at spaces; no vocabulary is
needed. The options of the method or objective are those of training (--help shows them); of those with a fixed choice,
several values give several pictures. There is no noise unless an option asks for it.

With a trained model, by how much its slots attend to one another (hundredths, mean over heads), and, over files of
pairs, the shares of attention by kind of key when known target tokens are replaced by random ones:

    python -m s2sft_fairseq.show_attention --checkpoint RUN --source "a document" --target "its summary" --layer 2
    python -m s2sft_fairseq.show_attention --checkpoint RUN --shares test.src test.tgt --noise 0.5
"""

import argparse
import itertools
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from fairseq.dataclass.utils import gen_parser_from_dataclass

from .common.command_line import command_parser
from .common.drawing import check_suffix, write
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .common.text_lines import check_line_counts, read_all_lines
from .hub import S2SModel
from .objectives.finetuning import OBJECTIVES
from .objectives.pictures.drawing import Style, picture
from .objectives.pictures.examples import (
    NO_NOISE,
    PAIR,
    TEXT,
    Request,
    finetuning_panels,
    method_name,
    pretraining_panels,
    span_file,
    span_options,
    words_of,
)
from .objectives.pictures.panel import Panel, as_text, panel_of
from .objectives.pretraining import PRETRAINING
from .training.attended_pairs import Look, attended, examples, layer_index, shares_of_pairs, table_of

TITLE = "Who sees whom: a slot (row) may attend to the coloured slots of its row"
WEIGHED = "Who attends to whom: the stronger the colour, the more a slot (row) attends to a slot (column)"


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line, with the options of the method or the objective; those with a fixed choice may have several."""
    parser = command_parser("show_attention", __doc__, add_help=False, allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--finetune-method", choices=sorted(OBJECTIVES), help="a fine-tuning method")
    what.add_argument("--objective", choices=sorted(PRETRAINING), help="a pre-training objective")
    what.add_argument("--checkpoint", metavar="RUN", help="a trained model: a checkpoint, or a directory with one")
    add_example(parser.add_argument_group("the example"))
    add_model(parser.add_argument_group("of --checkpoint"))
    parser.add_argument("--to", type=Path, metavar="FILE", help="a picture, .svg or .png (default: text, printed)")
    chosen, _ = parser.parse_known_args(argv)
    declared = declared_options(chosen)
    if declared:
        add_declared(parser.add_argument_group(f"of {chosen.objective or chosen.finetune_method}"), declared)
    parser.add_argument("-h", "--help", action="help", help="show this help, with the options of what is chosen")
    args = parser.parse_args(argv)
    if not (args.finetune_method or args.objective or args.checkpoint):
        parser.error("expected one of --finetune-method, --objective and --checkpoint")
    return args


def add_example(group: Any) -> None:
    """The arguments that decide what is shown of an example."""
    add = group.add_argument
    add("--source", metavar="TEXT", help="source of a pair, or its first text")
    add("--target", metavar="TEXT", help="target of a pair, or its second text")
    add("--text", help="--objective: a text, which is divided as in training if the objective has pairs")
    add("--lm", nargs="+", metavar="NAME", help="--objective unilm: some of its language models (default: all)")
    add("--order", metavar="4,5/2", help="--objective pmlm: blocks in their order, of tokens counted from 1 ([CLS])")
    add("--last-block", action="store_true", help="with --order: also the tokens of the last block, which nobody sees")
    add("--spans", metavar="'t1 t2/t3'", help="infilling: the spans of a span flow, instead of a file of spans")
    add("--seed", type=int, default=5, help="of what is drawn at random (default: %(default)s)")


def add_model(group: Any) -> None:
    """The arguments for a trained model."""
    add = group.add_argument
    add("--layer", type=int, metavar="N", help="which layer, counted from 1 (default: the last)")
    add("--shares", type=Path, nargs=2, metavar=("SOURCES", "TARGETS"), help="shares of attention over files of pairs")
    noise = "probability that a known target token is replaced by a random one (default: 0; with --shares 0.5)"
    add("--noise", type=float, metavar="P", help=noise)


def declared_options(args: argparse.Namespace) -> List[Any]:
    """The options of the chosen method, or of the chosen objective and the method that it pre-trains for."""
    if args.objective is not None:
        kind = PRETRAINING[args.objective]
        return [kind.options_class(), OBJECTIVES[method_name(kind)].options_class()]
    return [] if args.finetune_method is None else [OBJECTIVES[args.finetune_method].options_class()]


class SeveralValues:
    """Adds arguments to a group: without noise by default, and those with a fixed choice with several values."""

    def __init__(self, group: Any) -> None:
        self.group = group

    def add_argument(self, *names: str, **options: Any) -> None:
        """As argparse's."""
        if "choices" in options:
            options["nargs"] = "+"
        destination = names[0].lstrip("-").replace("-", "_")
        self.group.add_argument(*names, **{**options, "default": NO_NOISE.get(destination, options.get("default"))})


def add_declared(group: Any, declared: Sequence[Any]) -> None:
    """Adds the options that methods and objectives declare."""
    for options in declared:
        gen_parser_from_dataclass(SeveralValues(group), options)


def variants(args: argparse.Namespace) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """The options for each combination of the values of those that have several, and how its title ends."""
    several = {name: value for name, value in vars(args).items() if isinstance(value, list) and name != "lm"}
    for values in itertools.product(*several.values()):
        chosen = dict(zip(several, values))
        ending = "".join(f" {value}" for name, value in chosen.items() if len(several[name]) > 1)
        yield ending, {**vars(args), **chosen}


def untrained(args: argparse.Namespace) -> List[Panel]:
    """The panels of a method or an objective."""
    source, target, text = (words_of(f"--{name}", getattr(args, name)) for name in ("source", "target", "text"))
    request = Request(source, target, text, args.lm, args.order, args.last_block, args.seed)
    make = pretraining_panels if args.objective else finetuning_panels
    panels: List[Panel] = []
    with span_file(args.spans, target or text or (TEXT if args.objective else PAIR[1])) as path:
        for ending, options in variants(args):
            completed = options if path is None else span_options(path, options)
            made = make(args.objective or args.finetune_method, request, completed)
            panels += [panel._replace(title=panel.title + ending) for panel in made]
    return panels


def refuse(args: argparse.Namespace, names: Sequence[str], reason: str) -> None:
    """Raises UserError if one of these arguments is given."""
    for name in names:
        value = getattr(args, name)
        if value is not None and value is not False:
            raise UserError(f"--{name.replace('_', '-')} {reason}; leave it out")


def show(args: argparse.Namespace, panels: Sequence[Panel], style: Style) -> None:
    """Writes the picture, or prints text."""
    if args.to is None:
        print("\n\n".join("\n".join(as_text(panel)) for panel in panels))
    else:
        write(picture(panels, style), args.to)


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    if args.to is not None:
        check_suffix(args.to)
    if args.seed < 0:
        raise UserError(f"--seed is {args.seed}; expected 0 or more")
    if args.checkpoint is None:
        refuse(args, ("layer", "shares", "noise"), "needs a trained model, --checkpoint")
        if "span_vocab" not in args:
            refuse(args, ("spans",), "names the spans of the span flow, which only infilling and ernie_gen have")
        show(args, untrained(args), Style(TITLE))
        return
    refuse(args, ("text", "lm", "order", "last_block", "spans"), "is for --objective or --finetune-method")
    model = opened(args.checkpoint)
    if args.shares is None:
        show(args, [trained(model, args)], Style(WEIGHED))
    else:
        refuse(args, ("source", "target", "to"), "does not go with --shares, which prints a table")
        print_shares(model, args)


def trained(model: S2SModel, args: argparse.Namespace) -> Panel:
    """The panel of a pair under a trained model."""
    if args.source is None or args.target is None:
        raise UserError("--checkpoint needs a pair to look at; add --source and --target, or --shares SOURCES TARGETS")
    look = Look(args.layer, noise=args.noise or 0.0, seed=args.seed)
    layer = layer_index(model.models[0], look.layer)
    pairs = [model.lines([text])[0] for text in (args.source, args.target)]
    (example,) = examples(model.task, pairs, look)
    weights = attended(model.models[0], example, layer)[0].mean(0)
    method = str(model.models[0].cfg.finetune_method)
    return panel_of(f"{method}: layer {layer + 1}", example.blocks, model.task.dictionary, weights=weights)


def print_shares(model: S2SModel, args: argparse.Namespace) -> None:
    """Prints the shares of attention over files of pairs."""
    check_line_counts(args.shares)
    look = Look(args.layer, noise=0.5 if args.noise is None else args.noise, seed=args.seed)
    pairs = [model.lines(read_all_lines(path))[0] for path in args.shares]
    if not pairs[0]:
        raise UserError(f"--shares {args.shares[0]}: the file is empty; expected a text per line")
    found = shares_of_pairs(model.task, model.models[0], pairs, look)
    layer = layer_index(model.models[0], look.layer) + 1
    print(f"layer {layer}: {found.slots:,} predictions of {len(pairs[0]):,} pairs, --noise {look.noise}")
    for kind, share, per_key in table_of(found):
        print(f"{kind:<14} {share:>14} {per_key:>10}")


def opened(path: str) -> S2SModel:
    """The trained model; raises UserError for an ensemble."""
    model = S2SModel.from_pretrained(path)
    if len(model.models) > 1:
        raise UserError(f"--checkpoint {path}: {len(model.models)} models attend in different ways; name one of them")
    return model


if __name__ == "__main__":
    run_command(main)
