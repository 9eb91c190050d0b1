"""What every test may ask for: a database of each kind, people, settings, and no network but loopback.

`database` is parametrised, so a test that takes it runs on SQLite and on PostgreSQL. Each test gets a database of its
own, copied from one that was migrated once. `session` is one transaction of it that is rolled back; take it or
`database.run`, not both in one test: on SQLite the two would wait for each other.
"""

import contextlib
import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlmodel import Session

from mygpt import database as databases
from mygpt import migrations
from mygpt.database import Database
from mygpt.services.access import Actor
from mygpt.settings import Settings, load
from mygpt.tables.accounts import AccountRole
from tests import postgres
from tests.factories import make_user

_numbers = itertools.count(1)


class NetworkUsed(RuntimeError):
    """A test reached for an address beyond this machine."""


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name is None or (
        isinstance(name, str) and (name in ("", "localhost", "::1", "0.0.0.0", "::") or name.startswith("127."))
    )


def _refuse_network(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        raise NetworkUsed(f"a test looked up {args[0]!r}; use a server on 127.0.0.1")
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple) and not _is_loopback(args[1][0]):
        raise NetworkUsed(f"a test connected to {args[1][0]!r}; use a server on 127.0.0.1")


sys.addaudithook(_refuse_network)  # for the whole process: an audit hook cannot be taken back


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make test-long` passes."""
    parser.addoption("--long", action="store_true", help="the whole length of what runs in short form by default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is long unless it was asked for, and run the browser journeys last.

    Playwright keeps an event loop running, beside which no asynchronous test can start.
    """
    items.sort(key=lambda item: "e2e" in item.path.parts)
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long; make test-long runs it"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings as by default, with a data folder of the test's own."""
    return load(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "mygpt.db"
    made = Database(f"sqlite:///{path}")
    migrations.migrate(made)
    made.close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server, without a database's name; skips where the programs are not installed."""
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not installed")
    with postgres.running_server(programs) as url:
        yield url


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: str) -> str:
    with _postgres_command(postgres_server) as connection:
        connection.execute("CREATE DATABASE template_mygpt")
    made = Database(f"postgresql+psycopg://{postgres_server.partition('://')[2]}/template_mygpt")
    migrations.migrate(made)
    made.close()
    return postgres_server


@contextlib.contextmanager
def _postgres_command(server: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        yield connection


@contextlib.contextmanager
def _postgres_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with _postgres_command(server) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield f"postgresql://{server.partition('://')[2]}/{name}"
    with _postgres_command(server) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated database with no rows, as in `DATABASE_URL`."""
    if request.param == "postgresql":
        with _postgres_database(request.getfixturevalue("_postgres_template"), "template_mygpt") as url:
            yield url
        return
    path = tmp_path / "mygpt.db"
    shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
    yield f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(_postgres_database(request.getfixturevalue("postgres_server"), "template1"))
        made = Database(load(database_url=url).database)
        stack.callback(made.close)
        yield made


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database in use: migrated, no rows."""
    made = Database(load(database_url=database_url).database)
    databases.use(made)
    yield made
    databases.use(None)
    made.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """One transaction of `database`, rolled back at the end."""
    with database.engine.connect() as connection, Session(connection, expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def alice(database: Database) -> Actor:
    """A member."""
    return database.run_sync(make_user, "alice")


@pytest.fixture
def bob(database: Database) -> Actor:
    """Another member, who may see nothing of alice's."""
    return database.run_sync(make_user, "bob")


@pytest.fixture
def admin(database: Database) -> Actor:
    """An admin."""
    return database.run_sync(make_user, "admin", role=AccountRole.ADMIN)
