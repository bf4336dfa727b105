"""What the commands share: help as it is written, defaults where they say something, options of encoders."""

import argparse

import pytest
from fairseq.data import encoders  # noqa: F401  (fills its registries)

from s2sft_fairseq.common.command_line import GuideFormatter, HelpFormatter, add_registered_options, command_parser
from s2sft_fairseq.text import tokenizers  # noqa: F401  (registers the encoders)

TWO_LINES = "What it does.\n\n    an example      as it is written\n"


def test_name_and_description() -> None:
    text = command_parser("evaluate", TWO_LINES).format_help()
    assert text.startswith("usage: python -m s2sft_fairseq.evaluate ")
    assert TWO_LINES in text


@pytest.mark.parametrize(
    ("formatter", "told"),
    [(HelpFormatter, ["size (default: 3)", "(default: None)"]), (GuideFormatter, ["(default: 3)"])],
)
def test_defaults(formatter: type, told: list) -> None:
    parser = argparse.ArgumentParser(formatter_class=formatter, add_help=False)
    parser.add_argument("--size", default=3, help="size")
    parser.add_argument("--name", help="name")
    parser.add_argument("--stated", default=5, help="stated (default: as it comes)")
    text = parser.format_help()
    assert all(words in text for words in told)
    assert text.count("(default:") == len(told) + 1 and "(default: 5)" not in text


def test_options_of_an_encoder() -> None:
    parser = argparse.ArgumentParser()
    add_registered_options(parser, "bpe", "s2s_ft")
    add_registered_options(parser, "tokenizer", None)
    assert parser.parse_args(["--s2s-ft-vocab", "model"]).s2s_ft_vocab == "model"
