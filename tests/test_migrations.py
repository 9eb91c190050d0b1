"""The revisions make the very tables that the code has, up and down, on both databases."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlmodel import Session

from mygpt import migrations
from mygpt.database import Database
from mygpt.migrations import NewerSchema, SchemaState
from mygpt.tables import metadata


def _names(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_the_revisions_lead_to_the_tables_of_the_code(empty_database: Database) -> None:
    migrations.migrate(empty_database)

    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    assert _names(empty_database) == set(metadata.tables)


def test_every_revision_can_be_taken_back(empty_database: Database) -> None:
    migrations.migrate(empty_database)

    with empty_database.engine.begin() as connection:
        command.downgrade(migrations._config(connection), "base")
    assert _names(empty_database) == set()

    migrations.migrate(empty_database)
    assert _names(empty_database) == set(metadata.tables)


def test_migrating_twice_changes_nothing(empty_database: Database) -> None:
    migrations.migrate(empty_database)
    migrations.migrate(empty_database)

    assert empty_database.read_sync(migrations.state) is SchemaState.CURRENT


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_database: Database) -> None:
    migrations.migrate(empty_database)

    def pretend(session: Session) -> None:
        session.connection().execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))

    empty_database.run_sync(pretend)

    with pytest.raises(NewerSchema, match="from_the_future"):
        migrations.migrate(empty_database)
    assert empty_database.read_sync(migrations.state) is SchemaState.NEWER
    assert _names(empty_database) == set(metadata.tables)


def test_a_database_without_tables_is_told_from_one_that_is_behind(empty_database: Database) -> None:
    assert empty_database.read_sync(migrations.state) is SchemaState.EMPTY


def test_a_revision_that_fails_leaves_nothing_behind(empty_database: Database) -> None:
    def migrate_until_the_power_fails() -> None:
        with empty_database.engine.begin() as connection:
            command.upgrade(migrations._config(connection), "head")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        migrate_until_the_power_fails()

    assert _names(empty_database) == set()
    migrations.migrate(empty_database)
    assert _names(empty_database) == set(metadata.tables)
