"""Pairs from package lists: preprocess/apt_lists.py and preprocess/package_descriptions.py."""

import subprocess
import sys
from pathlib import Path

import package_descriptions
import pytest
from apt_lists import read_records
from commands import ROOT
from package_descriptions import paragraphs, read_origins, read_pairs
from pairs import SPLITS, split_of

SCRIPT = Path(package_descriptions.__file__)
LONG = "is a program that does one thing in many words so that its description is long enough to keep"


def index(*packages: str) -> str:
    return "".join(
        f"Package: {line.split()[0]}\n"
        + (f"Source: {line.split()[1]} (2.0)\n" if " " in line else "")
        + "Version: 1-2\n\n"
        for line in packages
    )


def translation(*entries: "tuple[str, str, str]", language: str = "en") -> str:
    return "".join(
        f"Package: {name}\nDescription-md5: 0\nDescription-{language}: {synopsis}\n{body}\n\n"
        for name, synopsis, body in entries
    )


def write_lists(folder: Path, packages: str, descriptions: str, language: str = "en") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mirror_dists_main_binary-amd64_Packages").write_text(packages)
    (folder / f"mirror_dists_main_i18n_Translation-{language.replace('_', '%5f')}").write_text(descriptions)
    return folder


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_records_and_their_folded_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("\nA: 1\nLong: x: y\n more\n .\n\tend\n\n\n\nB:2")
    assert list(read_records(tmp_path / "file")) == [{"a": "1", "long": "x: y\n more\n .\n\tend"}, {"b": "2"}]


def test_source_packages(tmp_path: Path) -> None:
    lists = write_lists(tmp_path, index("tool", "libtool2 tool"), "")
    assert read_origins(lists) == {"tool": ("tool", "1-2"), "libtool2": ("tool", "1-2")}


def test_paragraphs_are_single_lines() -> None:
    assert paragraphs(" One\n  * two\n .\n three\u2028four\n .\n .\n") == ("One * two", "three four")


def test_siblings_that_repeat_each_other_make_one_pair(tmp_path: Path) -> None:
    body = f" It {LONG}."
    descriptions = translation(
        ("libtool-dev", "tool, development files", f"{body}\n .\n These are headers."),
        ("tool", "does one thing", f"{body}\n .\n This is the program."),
        ("tool-extra", "does another thing", f" Extra {LONG}."),
        ("copy", "does one thing elsewhere", body),
    )
    lists = write_lists(tmp_path, index("tool", "libtool-dev tool", "tool-extra tool", "copy"), descriptions)
    found = {pair.origin[2]: pair for pair in read_pairs(lists, "en")}
    assert set(found) == {"tool", "tool-extra", "copy"}
    assert found["tool"].source == f"It {LONG}. This is the program."
    assert found["tool"].target == "does one thing"
    assert found["tool-extra"].origin == ("tool", "1-2", "tool-extra", "en")
    assert found["tool-extra"].group == "tool"


@pytest.mark.parametrize(
    "name, synopsis, body",
    [
        ("tool", "transitional package", LONG),
        ("tool", "does one thing", f"{LONG}. This is a dummy package."),
        ("tool", "does one thing (debug symbols)", LONG),
        ("tool-dbgsym", "does one thing", LONG),
        ("tool", "does one thing", f"{LONG}. This package contains the following, packaged by debcargo."),
        ("tool", "does one thing", "Too short to be summarized."),
        ("tool", "", LONG),
    ],
)
def test_packages_without_a_subject_are_left_out(tmp_path: Path, name: str, synopsis: str, body: str) -> None:
    lists = write_lists(tmp_path, index(name), translation((name, synopsis, f" {body}")))
    assert list(read_pairs(lists, "en")) == []


def test_splits_follow_the_source_package_in_every_language(tmp_path: Path) -> None:
    names = [f"tool{n}" for n in range(200)]
    packages = index(*(f"{name}{kind} {name}" for name in names for kind in ("", "-utils")))
    for language, word in (("en", "does"), ("zh_CN", "软件")):
        entries = [
            (f"{name}{kind}", f"{word} {name}{kind}", f" {name}{kind} {word * 15} {LONG}")
            for name in names
            for kind in ("", "-utils")
        ]
        write_lists(tmp_path / "lists", packages, translation(*entries, language=language), language)
    for language in ("en", "zh_CN"):
        to = tmp_path / language
        done = run("--lists", str(tmp_path / "lists"), "--lang", language, "--to", str(to))
        assert done.returncode == 0, done.stderr
        total = 0
        for split in SPLITS:
            rows = [line.split("\t") for line in (to / f"{split}.origin.tsv").read_text().splitlines()]
            assert {split_of(row[0]) for row in rows} == {split}
            counts = [(to / f"{split}.{kind}").read_bytes().count(b"\n") for kind in ("src", "tgt")]
            assert counts == [len(rows)] * 2
            total += len(rows)
        assert total == 400


def test_a_language_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists", index("tool"), translation(("tool", "does", f" {LONG}")))
    done = run("--lists", str(lists), "--lang", "fr", "--to", str(tmp_path / "out"))
    assert done.returncode != 0 and not (tmp_path / "out").exists()
    assert done.stderr.count("\n") == 1 and "no package descriptions in fr" in done.stderr and "in: en" in done.stderr


def test_a_machine_without_apt_is_one_line(tmp_path: Path) -> None:
    done = run("--to", str(tmp_path / "out"), PATH=str(tmp_path))
    assert done.returncode != 0 and not (tmp_path / "out").exists()
    assert done.stderr.startswith("apt-get: not found") and done.stderr.count("\n") == 1


def test_a_failing_apt_is_told_with_its_reason(tmp_path: Path) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: the mirror is away' >&2\nexit 100\n")
    apt.chmod(0o755)
    done = run("--to", str(tmp_path / "out"), PATH=str(tmp_path))
    assert done.returncode != 0 and not (tmp_path / "out").exists()
    assert done.stderr.splitlines()[-1] == "apt-get update: failed with status 100: E: the mirror is away"


def test_lists_that_apt_fetches_are_read(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "mirror", index("tool"), translation(("tool", "does one thing", f" {LONG}")))
    apt = tmp_path / "apt-get"
    apt.write_text(
        "#!/bin/sh\nfor option; do case $option in Dir::State::Lists=*) to=${option#*=};; esac; done\n"
        f'/bin/cp "{lists}"/* "$to"\n'
    )
    apt.chmod(0o755)
    done = run("--to", str(tmp_path / "out"), PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    written = "".join((tmp_path / "out" / f"{split}.tgt").read_text() for split in SPLITS)
    assert written == "does one thing\n"


def test_a_language_code_is_checked(tmp_path: Path) -> None:
    done = run("--to", str(tmp_path / "out"), "--lang", "../x")
    assert done.returncode != 0 and "is not a language code" in done.stderr and "Traceback" not in done.stderr
