"""No page names a flag that no command has."""

import argparse
import ast
import re
from functools import cache
from pathlib import Path
from typing import Iterator, Set

import pytest
from commands import ROOT
from fairseq import options
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.registry import REGISTRIES
from pages import PAGES, name, text

from s2sft_fairseq import __main__ as plugin

FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
OTHERS = {
    "--index-url": "pip",
    "--no-deps": "pip",
    "--no-build-isolation": "pip",
    "--nproc_per_node": "torchrun",
}
"""Flags of other programs."""

PROGRAMS = ("s2sft_fairseq", "preprocess", "examples", "benchmarks")


def of_parser(parser: argparse.ArgumentParser) -> Set[str]:
    """What a parser knows."""
    return {flag for action in parser._actions for flag in action.option_strings}


def of_fairseq() -> Iterator[str]:
    """The flags of fairseq's commands, and of all that can be chosen by name."""
    for make in (
        options.get_preprocessing_parser,
        options.get_training_parser,
        options.get_validation_parser,
        options.get_interactive_generation_parser,
    ):
        yield from of_parser(make())
    for registry in REGISTRIES.values():
        for choice in filter(None, registry["dataclass_registry"].values()):
            parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
            gen_parser_from_dataclass(parser, choice())
            yield from of_parser(parser)


def of_programs() -> Iterator[str]:
    """The flags that the project's own programs and scripts spell out."""
    for folder in PROGRAMS:
        for file in (ROOT / folder).rglob("*.py"):
            words = (node.value for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if is_text(node))
            yield from filter(FLAG.fullmatch, words)
    for script in (ROOT / "install.sh", ROOT / "tests" / "run.sh", *(ROOT / "examples").rglob("*.sh")):
        for flags in re.findall(
            r"^\s*(--[a-z-]+(?: \| --[a-z-]+)*)\)", script.read_text(encoding="utf-8"), re.MULTILINE
        ):
            yield from flags.split(" | ")


def is_text(node: ast.AST) -> bool:
    """Whether a piece of a program is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@cache
def known() -> Set[str]:
    """Every flag that a reader can give."""
    return {*of_parser(plugin.parser()), *of_fairseq(), *of_programs(), *OTHERS, "--help"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_flags_exist(page: Path) -> None:
    assert not set(FLAG.findall(text(page))) - known()


def test_a_flag_that_does_not_exist_is_found() -> None:
    assert {"--pretrained", "--lenpen", "--warmup-updates", "--qg-tokenization", "--random"} <= known()
    assert "--pretraned" not in known()


@pytest.mark.parametrize("flag", OTHERS)
def test_flags_of_other_programs_are_mentioned(flag: str) -> None:
    assert any(flag in text(page) for page in PAGES)
