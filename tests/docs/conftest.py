"""One place for the commands of all pages."""

from pathlib import Path

import pytest
from workplaces import make_workplace


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after the README's commands for own data."""
    folder = tmp_path_factory.mktemp("workplace")
    make_workplace(folder)
    return folder
