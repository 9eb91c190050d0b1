"""Brings the schema to today's: the alembic revisions under a lock, in one transaction."""

import logging
from enum import StrEnum
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import Session

from mygpt.database import Database

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
ADVISORY_LOCK = 7_319_204_411  # any number, the same in every process of every version


class NewerSchema(Exception):
    """The database was written by a newer MyGPT than this one."""


class SchemaState(StrEnum):
    """How a database's schema stands to this code."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    NEWER = "newer"


def _config(connection: Connection | None = None) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["connection"] = connection
    return config


@cache
def _revisions() -> tuple[str, ...]:
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def head() -> str:
    """Return the newest revision this code knows."""
    return _revisions()[0]


def current(connection: Connection) -> str | None:
    """Return the revision the database is at; None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def state(session: Session) -> SchemaState:
    """Return how the schema stands to this code."""
    return _state(current(session.connection()))


def _state(revision: str | None) -> SchemaState:
    if revision is None:
        return SchemaState.EMPTY
    if revision not in _revisions():
        return SchemaState.NEWER
    return SchemaState.CURRENT if revision == head() else SchemaState.BEHIND


def migrate(database: Database) -> None:
    """Run the missing revisions; raises `NewerSchema` rather than touch a database it does not know."""
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        before = current(connection)
        match _state(before):
            case SchemaState.CURRENT:
                return
            case SchemaState.NEWER:
                raise NewerSchema(
                    f"The database is at revision {before}, which this MyGPT does not know. Start the newer one again."
                )
        command.upgrade(_config(connection), "head")
        log.info("schema migrated", extra={"from_revision": before, "to_revision": head()})
