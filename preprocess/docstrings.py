"""Reads the docstrings of a Python file: their definitions, summaries, and prose without markup and code."""

import ast
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

Documented = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

ADMONITIONS = "attention|caution|danger|deprecated|hint|important|note|seealso|tip|versionadded|versionchanged|warning"
ADMONITION = re.compile(rf"\s*\.\. *(?:{ADMONITIONS})::\s*")
DIRECTIVE = re.compile(r"\s*\.\. *[\w:-]+::")
FENCE = re.compile(r"\s*(?:```|~~~)")
ROLE = re.compile(r":[\w:+-]+:`~?\.?([^`<]*)(?:<[^`]*>)?`")
QUOTED = re.compile(r"``?([^`]+)``?_{0,2}")
EMPHASIS = re.compile(r"(?<!\w)\*\*?(\w[^*]*)\*?\*(?!\w)")
SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bcf)[.!?](?=\s+[A-Z`'\"(*])")


@dataclass(frozen=True)
class Docstring:
    """The docstring of one definition. `name` is dotted, relative to the module, and empty for the module itself."""

    name: str
    line: int
    signature: str
    summary: str
    prose: str


def read_docstrings(path: Path) -> list[Docstring]:
    """Returns the docstrings of a Python file in the order of the definitions; it is parsed, never run.

    The result is empty if this version of Python cannot parse or decode the file.
    """
    try:
        with tokenize.open(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about invalid escapes in other people's files
            tree = ast.parse(file.read())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return []
    found = ((name, node, ast.get_docstring(node)) for name, node in _definitions(tree, prefix=""))
    return [_docstring(name, node, text=text) for name, node, text in found if text]


def _definitions(node: ast.AST, *, prefix: str) -> Iterator[tuple[str, Documented]]:
    """Yields the module and every class and function in it, except those inside functions."""
    if isinstance(node, ast.Module):
        yield "", node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield prefix + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from _definitions(child, prefix=f"{prefix}{child.name}.")
        elif isinstance(child, (ast.If, ast.Try, ast.With)):
            yield from _definitions(child, prefix=prefix)


def _docstring(name: str, node: Documented, *, text: str) -> Docstring:
    summary, prose = split_summary(text)
    return Docstring(name, getattr(node, "lineno", 1), signature(node), summary, prose)


def signature(node: Documented) -> str:
    """Returns the parameter names in parentheses, without `self`, defaults and annotations.

    It is empty for classes, modules and properties.
    """
    if not isinstance(node, FUNCTIONS) or "property" in map(ast.unparse, node.decorator_list):
        return ""
    given = node.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args]]
    names += _starred(given.vararg, "*") + [argument.arg for argument in given.kwonlyargs]
    names += _starred(given.kwarg, "**")
    return "(" + ", ".join(name for name in names if name not in {"self", "cls"}) + ")"


def _starred(argument: Optional[ast.arg], stars: str) -> list[str]:
    return [stars + argument.arg] if argument else []


def split_summary(text: str) -> tuple[str, str]:
    """Returns the first sentence of the first paragraph (PEP 257's summary line) and the prose after it."""
    lines = _without_code(text.strip("\n").split("\n"))
    blank = next((n for n, line in enumerate(lines) if n and not line.strip()), len(lines))
    first, rest = _plain(lines[:blank]), _plain(lines[blank:])
    end = SENTENCE_END.search(first)
    if end is None:
        return first, rest
    return first[: end.end()], f"{first[end.end() :]} {rest}".strip()


def _plain(lines: list[str]) -> str:
    """Returns the words of reStructuredText on one line, without roles, quotes, emphasis and underlines."""
    worded = [line for line in lines if not line.strip() or any(map(str.isalnum, line))]
    text = " ".join(" ".join(worded).split())
    for markup in (ROLE, QUOTED, EMPHASIS):
        text = markup.sub(r"\1", text)
    return text


def _without_code(lines: list[str]) -> list[str]:
    """Returns the lines, with doctests, fenced and literal blocks, formulas and other directives blanked out.

    The text of admonitions, such as notes and warnings, is kept.
    """
    kept: list[str] = []
    block: Optional[int] = None  # indentation of the line whose indented block is being left out
    doctest = fenced = False
    for raw in lines:
        line = ADMONITION.sub("", raw)
        indent = len(raw) - len(raw.lstrip())
        fence = FENCE.match(line)
        fenced ^= bool(fence)
        doctest = bool(raw.strip()) and (doctest or line.lstrip().startswith(">>>"))
        if block is not None and raw.strip() and indent <= block:
            block = None
        code = fence or fenced or doctest or block is not None
        directive = DIRECTIVE.match(line)
        if not code and (directive or line.rstrip().endswith("::")):
            block = indent
        kept.append("" if code or directive else re.sub(r"::\s*$", ":", line))
    return kept
