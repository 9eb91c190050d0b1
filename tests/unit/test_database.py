"""The database: one function is one transaction."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mygpt.database import Database
from mygpt.errors import ServiceBusy
from mygpt.services.access import Actor
from mygpt.tables.accounts import Account
from tests.factories import make_user


def _names(session: Session) -> list[str]:
    return list(session.exec(select(Account.username).order_by(col(Account.username))))


async def test_what_a_unit_of_work_did_is_there_afterwards(database: Database) -> None:
    await database.run(make_user, "alice")

    assert await database.read(_names) == ["alice"]


async def test_an_error_takes_back_the_whole_unit_of_work(database: Database) -> None:
    def make_and_fail(session: Session) -> None:
        make_user(session, "alice")
        raise LookupError("half way")

    with pytest.raises(LookupError, match="half way"):
        await database.run(make_and_fail)

    assert await database.read(_names) == []


async def test_a_read_changes_nothing(database: Database) -> None:
    await database.read(make_user, "alice")

    assert await database.read(_names) == []


async def test_many_writers_at_once_all_get_through(database: Database) -> None:
    people = [f"user{number:02}" for number in range(40)]

    await asyncio.gather(*(database.run(make_user, name) for name in people))

    assert await database.read(_names) == people


async def test_sqlite_has_one_writer_at_a_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mygpt.db'}")
    inside: list[int] = []
    most = 0

    def linger(_session: Session) -> None:
        nonlocal most
        inside.append(threading.get_ident())
        most = max(most, len(inside))
        time.sleep(0.01)
        inside.pop()

    await asyncio.gather(*(database.run(linger) for _ in range(8)))
    database.close()

    assert most == 1


async def test_reads_go_on_while_a_writer_is_busy(database: Database, alice: Actor) -> None:
    wrote, may_end = threading.Event(), threading.Event()

    def write_slowly(session: Session) -> None:
        make_user(session, "bob")
        wrote.set()
        may_end.wait(10)

    writing = asyncio.create_task(database.run(write_slowly))
    await asyncio.to_thread(wrote.wait, 10)
    seen = await database.read(_names)
    may_end.set()
    await writing

    assert seen == [alice.name]
    assert await database.read(_names) == ["alice", "bob"]


async def test_a_database_locked_by_somebody_else_is_service_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mygpt.database.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "mygpt.db"
    database = Database(f"sqlite:///{path}")
    await database.run(lambda session: None)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(ServiceBusy):
        await database.run(lambda session: session.connection().exec_driver_sql("CREATE TABLE t (a)"))

    other.execute("ROLLBACK")
    other.close()
    await database.run(lambda session: session.connection().exec_driver_sql("CREATE TABLE t (a)"))
    database.close()
