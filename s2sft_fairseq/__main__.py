"""Lists the options that the plugin adds to fairseq's commands, whose own ``--help`` does not show them.

python -m s2sft_fairseq
"""

import argparse

from fairseq.dataclass.utils import gen_parser_from_dataclass

from .common.command_line import HelpFormatter
from .common.fairseq_patches import run_command
from .models.options import ModelOptions
from .text.tokenizers.tokenizer import TokenizerOptions
from .training.criterion import LabelSmoothedOptions
from .training.optimizer import AdamWOptions
from .training.pretraining_task import PretrainingOptions

SECTIONS = (
    (
        "--task s2s_ft or s2s_pretraining (monolingual text; --objective and --fragment-… belong to it alone)",
        PretrainingOptions,
    ),
    ("--arch s2s_ft (or s2s_ft_large, s2s_ft_minilm, s2s_ft_tiny)", ModelOptions),
    ("--criterion s2s_ft_label_smoothed", LabelSmoothedOptions),
    ("--optimizer s2s_ft_adamw", AdamWOptions),
    ("--bpe s2s_ft (or s2s_ft_wordpiece, s2s_ft_byte_bpe, s2s_ft_sentencepiece)", TokenizerOptions),
)


def parser() -> argparse.ArgumentParser:
    """A parser of the plugin's options, with one section per registered component."""
    listing = argparse.ArgumentParser(
        prog="fairseq-train DATA --user-dir s2sft_fairseq",
        usage="%(prog)s --task s2s_ft --arch s2s_ft --criterion s2s_ft_label_smoothed [options]",
        formatter_class=HelpFormatter,
        conflict_handler="resolve",
        add_help=False,
    )
    for title, options in SECTIONS:
        gen_parser_from_dataclass(listing.add_argument_group(title), options())
    return listing


if __name__ == "__main__":
    run_command(parser().print_help)
