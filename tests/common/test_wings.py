"""The plan of the house: what stands in the package's root, and which wing may import which."""

import ast
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Tuple

import pytest
from commands import ROOT

PACKAGE = ROOT / "s2sft_fairseq"

ORDER = ("common", "text", "objectives", "models", "data", "pretrained", "training")
"""From the ground floor up; models and data stand beside one another."""

BELOW: Dict[str, FrozenSet[str]] = {
    **{wing: frozenset(ORDER[:floor]) for floor, wing in enumerate(ORDER)},
    "data": frozenset({"common", "text", "objectives"}),
    "search": frozenset({"common"}),
    "metrics": frozenset({"common"}),
}
BELOW["training"] |= {"search", "metrics"}

IN_THE_ROOT = 20
"""Modules at most: commands, the hub, and what Python itself asks for."""

LONGEST = 350
"""Lines of a file at most."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def wing_of(module: Path) -> str:
    """The folder below the package, empty for the root."""
    return module.relative_to(PACKAGE).parts[0] if module.parent != PACKAGE else ""


def imported(module: Path) -> Iterator[Tuple[int, Tuple[str, ...]]]:
    """The line of each import of the package's own modules, and what is imported, from the package down."""
    package = module.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            for alias in node.names:
                yield (
                    node.lineno,
                    (*base, *(node.module or "").split("."), alias.name) if node.module else (*base, alias.name),
                )


def climbs(module: Path) -> List[str]:
    """The imports of a module that do not lead down."""
    wing, found = wing_of(module), []
    for line, (package, *names) in imported(module):
        target = names[0] if names and (PACKAGE / names[0]).is_dir() else ""
        if package == PACKAGE.name and target not in (wing, *BELOW[wing]):
            found.append(f"{module.relative_to(ROOT)}:{line} imports {'.'.join(names)}")
    return found


def test_every_wing_has_its_floor() -> None:
    assert {wing_of(module) for module in MODULES} == {"", *BELOW}


@pytest.mark.parametrize("wing", sorted(BELOW))
def test_imports_lead_down(wing: str) -> None:
    modules = [module for module in MODULES if wing_of(module) == wing]
    assert modules and [climb for module in modules for climb in climbs(module)] == []


def test_an_import_that_climbs_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root itself is above all wings, and no wing may name it."""
    folder = tmp_path / "s2sft_fairseq" / "text"
    folder.mkdir(parents=True)
    (tmp_path / "s2sft_fairseq" / "models").mkdir()
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", folder.parent)
    for line, seen in (
        ("from ..models.options import ModelOptions", True),
        ("from .. import models", True),
        ("from ..hub import S2SModel", True),
        ("import s2sft_fairseq.models.options", True),
        ("from s2sft_fairseq.models import options", True),
        ("from . import vocabulary", False),
        ("from .vocabulary import read", False),
        ("import torch", False),
    ):
        (folder / "dictionary.py").write_text(line, encoding="utf-8")
        assert bool(climbs(folder / "dictionary.py")) == seen, line


def test_the_root_is_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= IN_THE_ROOT


def test_no_file_is_long() -> None:
    lengths = {
        str(module.relative_to(ROOT)): len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
