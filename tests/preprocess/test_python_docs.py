"""Pairs from docstrings: preprocess/docstrings.py and preprocess/python_docs.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import python_docs
from commands import ROOT
from docstrings import read_docstrings, split_summary
from pairs import SPLITS, split_of

SCRIPT = Path(python_docs.__file__)
PROSE = "It has more to say about itself than the first line does, at least fifteen words in all."


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as pip leaves it, with a distribution `sample` of 150 modules and a broken one."""
    for n in range(150):
        path = tmp_path / "sample" / f"part{n}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'raise SystemExit("imported")\nclass Thing{n}:\n    """Keep thing number {n} of them."""\n'
            "    def work(self, a: int, *rest, flag=True, **more):\n"
            f'        """Do the work of {n} quickly.\n\n'
            f'        {PROSE}\u2028And {n} has a separator.\n        """\n'
        )
    (tmp_path / "sample" / "broken.py").write_text("def broken(:\n")
    tested = tmp_path / "sample" / "tests" / "helper.py"
    tested.parent.mkdir()
    tested.write_text(f'"""Help the tests of it.\n\n{PROSE}"""\n')
    info = tmp_path / "sample-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample\nVersion: 1.5\n")
    listed = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*.py"))]
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in listed))
    return tmp_path


def run(site: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        check=False,
    )


def lines(path: Path) -> "list[str]":
    return path.read_bytes().decode("utf-8").split("\n")[:-1]


def test_pairs_of_an_installed_package(site: Path) -> None:
    to = site / "out"
    done = run(site, "--to", str(to), "--packages", "sample", "--monolingual", str(to / "unpaired.txt"))
    assert done.returncode == 0, done.stderr
    rows = []
    for split in SPLITS:
        origins = [line.split("\t") for line in lines(to / f"{split}.origin.tsv")]
        assert len(origins) == len(lines(to / f"{split}.src")) == len(lines(to / f"{split}.tgt")) > 0
        assert {split_of(module) for _, _, module, _, _ in origins} == {split}
        rows += list(zip(origins, lines(to / f"{split}.src"), lines(to / f"{split}.tgt")))
    found = {row[0][2]: row for row in rows}
    assert len(rows) == len(found) == 150
    origin, source, target = found["sample.part7"]
    assert origin == ["sample", "1.5", "sample.part7", "Thing7.work", "4"]
    assert target == "Do the work of 7 quickly."
    assert source == f"sample.part7.Thing7.work(a, *rest, flag, **more) {PROSE} And 7 has a separator."
    trained = {line.split("\t")[2] for line in lines(to / "train.origin.tsv")}
    expected = [f"Keep thing number {name[11:]} of them." for name in sorted(trained)]
    assert lines(to / "unpaired.txt") == expected


def test_two_runs_write_the_same(site: Path) -> None:
    for to in ("one", "two"):
        assert run(site, "--to", str(site / to), "--packages", "sample").returncode == 0
    written = [{path.name: path.read_bytes() for path in (site / to).iterdir()} for to in ("one", "two")]
    assert written[0] == written[1] and len(written[0]) == 9


def test_a_package_that_is_missing_is_one_line(site: Path) -> None:
    done = run(site, "--to", str(site / "out"), "--packages", "no-such-package")
    assert done.returncode != 0 and not (site / "out").exists()
    assert done.stderr.startswith("no-such-package: no installed package") and done.stderr.count("\n") == 1


def test_held_out_summaries_are_not_in_the_single_texts(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text('def f():\n    """Say the held-out thing."""\ndef g():\n    """Say another."""\n')
    name = next(f"m{n}" for n in range(100) if split_of(f"m{n}") == "train")
    module = python_docs.Module("sample", "1", name, tmp_path / "m.py")
    entries = list(python_docs.read_entries([module]))
    texts = python_docs.unpaired_texts(entries, held_out=["Say the held-out thing."])
    assert list(texts) == ["Say another."]


def test_the_standard_library_is_found_without_its_tests() -> None:
    names = [module.name for module in python_docs.modules_of(python_docs.STANDARD_LIBRARY)]
    assert {"json", "json.decoder", "os", "asyncio.tasks"} <= set(names)
    assert names == sorted(names) and not [name for name in names if name.startswith("test.")]


@pytest.mark.parametrize(
    "text, summary, prose",
    [
        ("Sum it up.\n\nAnd go on.", "Sum it up.", "And go on."),
        ("Sum it\nup. Then go\non.\n\nEnd.", "Sum it up.", "Then go on. End."),
        ("Use e.g. This one.", "Use e.g. This one.", ""),
        ("Return 1.5 times it.\n", "Return 1.5 times it.", ""),
        ("Call :func:`~os.path.join` on ``x``.\n\nSee *that*.", "Call os.path.join on x.", "See that."),
        ("A.\n\n>>> f(1)\n2\n\nB.", "A.", "B."),
        ("A.\n\n```\nf(1)\n```\nB.", "A.", "B."),
        ("A::\n\n    f(1)\n\n    g\n\nB.", "A:", "B."),
        ("A.\n\n.. math::\n    x^2\n\n.. note:: Mind\n    this.\n\nB.", "A.", "Mind this. B."),
        ("A.\n\n.. math::\n    x^2\n.. note::\n    Mind it.", "A.", "Mind it."),
        ("A.\n\nParameters\n----------\nx : int", "A.", "Parameters x : int"),
        ("Title\n=====\n\nWords.", "Title", "Words."),
    ],
)
def test_summary_and_prose(text: str, summary: str, prose: str) -> None:
    assert split_summary(text) == (summary, prose)


def test_names_lines_and_signatures(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        '"""M."""\n\nclass A:\n    """C."""\n    @property\n    def p(self):\n        """P."""\n'
        '    @classmethod\n    def c(cls, a, /, b=1, *, k):\n        """K."""\n'
        'if True:\n    async def f(*a: int, **k: str) -> None:\n        """F."""\n'
        '        def inner():\n            """I."""\n'
    )
    found = [(doc.name, doc.line, doc.signature, doc.summary) for doc in read_docstrings(tmp_path / "m.py")]
    assert found == [
        ("", 1, "", "M."),
        ("A", 3, "", "C."),
        ("A.p", 6, "", "P."),
        ("A.c", 9, "(a, b, k)", "K."),
        ("f", 12, "(*a, **k)", "F."),
    ]


@pytest.mark.parametrize("content", [b"def f(:", b"\xff\xfe\x00", b"# coding: nonsense\n", b"x = '\x00'"])
def test_files_that_are_not_python_have_no_docstrings(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.py").write_bytes(content)
    assert read_docstrings(tmp_path / "m.py") == []


@pytest.mark.parametrize(
    "summary, prose, kept",
    [
        ("Do the thing now.", PROSE, True),
        ("Do the thing now.", "Too little prose.", False),
        ("Too short.", PROSE, False),
        ("Do the thing as follows:", PROSE, False),
        ("work(a, b) -> the result", PROSE, False),
        ("Do " + "this and that " * 15, PROSE, False),
    ],
)
def test_which_docstrings_make_pairs(summary: str, prose: str, kept: bool) -> None:
    module = python_docs.Module("sample", "1", "sample", Path("sample.py"))
    entry = python_docs.Entry(module, python_docs.Docstring("A.work", 1, "()", summary, prose))
    assert entry.has_pair is kept
