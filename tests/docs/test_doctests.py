"""The examples in the package's docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest
from commands import ROOT

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

MODULES = [path for path in sorted((ROOT / "s2sft_fairseq").rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]


def module_name(path: Path) -> str:
    """The name under which a file of the package is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_are_examples() -> None:
    assert MODULES


@pytest.mark.parametrize("name", map(module_name, MODULES))
def test_examples(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert attempted > 0 and failed == 0
