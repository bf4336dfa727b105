"""Files that appear whole, or not at all."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def whole_files(destination: Path) -> Iterator[Path]:
    """A temporary folder, whose files move into the destination when the block ends without an error."""
    destination.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=destination))
    try:
        yield workshop
        for file in sorted(workshop.iterdir()):
            os.replace(file, destination / file.name)
    finally:
        shutil.rmtree(workshop)
