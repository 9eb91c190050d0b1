"""Brings the schema to today's: the alembic revisions under a lock, in one transaction."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mygpt.database import Database

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
ADVISORY_LOCK = 7_319_204_411  # any number, the same in every process of every version


class NewerSchema(Exception):
    """The database was written by a newer MyGPT than this one."""


def _config(connection: Connection | None = None) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise RuntimeError("alembic/versions holds no revision")
    return revision


def current(connection: Connection) -> str | None:
    """Return the revision the database is at; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database) -> None:
    """Run the missing revisions; raises `NewerSchema` rather than touch a database it does not know."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        before = current(connection)
        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        if before is not None and before not in known:
            raise NewerSchema(
                f"The database is at revision {before}, which this MyGPT does not know. Start the newer version again."
            )
        if before == head():
            return
        command.upgrade(_config(connection), "head")
        log.info("schema migrated", extra={"from_revision": before, "to_revision": head()})
