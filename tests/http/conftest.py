"""The running site these tests speak to; beside it SQLite will do, for the services are tested on every database."""

import shutil
from pathlib import Path

import pytest

from tests.http.running import site

__all__ = ["site"]


@pytest.fixture
def database_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """The address of a migrated SQLite database with no rows."""
    shutil.copyfile(_sqlite_template, tmp_path / "mygpt.db")
    return f"sqlite:///{tmp_path / 'mygpt.db'}"
