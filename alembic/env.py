"""Runs the revisions: on the connection the caller hands over, or on the database of the settings."""

from alembic import context

from mygpt import settings
from mygpt.database import Database
from mygpt.tables import metadata


def migrate(connection):
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_as_batch=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    migrate(connection)
else:
    loaded = settings.load()
    settings.prepare_data_dir(loaded.data_dir)
    database = Database(loaded.database)
    with database.engine.begin() as own_connection:
        migrate(own_connection)
    database.close()
