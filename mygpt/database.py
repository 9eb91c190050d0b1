"""The engine, and `run()`: one function is one transaction in a worker thread.

Services take a session, never commit and never open one; a session never lives across an `await`. SQLite has one writer
at a time, so writes queue in a single thread (no "database is locked" among ourselves) while reads go on beside them.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Session as Session  # edges name it from here

from mygpt.errors import ServiceBusy
from mygpt.inuse import InUse

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

DatabaseError = SQLAlchemyError  # what the driver and the mapper raise, for those who may not know either
BUSY_TIMEOUT_S = 5.0
READERS = 4


class Database:
    """One database and the threads that speak to it."""

    def __init__(self, url: str) -> None:
        """Prepare the engine; nothing is opened before the first use."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)
        writers = 1 if self.is_sqlite else READERS
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="db-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")

    async def run(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(session, …)` as one transaction; committed on return, rolled back on error."""
        return await self._in_thread(self._writers, partial(self.run_sync, work, *args, **kwargs))

    async def read(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(session, …)` as one read-only transaction, beside a writer."""
        return await self._in_thread(self._readers, partial(self.read_sync, work, *args, **kwargs))

    def run_sync(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same as `run` in this very thread; for the command line and start-up."""
        with self._session(write=True) as session:
            result = work(session, *args, **kwargs)
            session.commit()
            return result

    def read_sync(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same as `read` in this very thread."""
        with self._session(write=False) as session:
            return work(session, *args, **kwargs)

    @contextmanager
    def _session(self, *, write: bool) -> Iterator[Session]:
        with _busy_is_service_busy(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(sqlite_write=write)
            with Session(connection, expire_on_commit=False) as session:
                yield session

    async def _in_thread(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(call))

    def close(self) -> None:
        """Finish what is queued, then let go of threads and connections."""
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.engine.dispose()


@contextmanager
def _busy_is_service_busy() -> Iterator[None]:
    try:
        yield
    except OperationalError as exc:
        if "database is locked" in str(exc.orig) or "disk is full" in str(exc.orig):
            log.warning("database did not take a write", extra={"reason": str(exc.orig)})
            raise ServiceBusy("database busy or full") from exc
        raise


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:  # Any: the driver's own objects
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        write = connection.get_execution_options().get("sqlite_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgres_engine(url: str) -> Engine:
    return create_engine(
        url, pool_size=2 * READERS, max_overflow=2, pool_pre_ping=True, connect_args={"connect_timeout": 5}
    )


_in_use = InUse[Database]("database")
use, current = _in_use.use, _in_use.current


async def run(work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work(session, …)` as one transaction of the database in use."""
    return await current().run(work, *args, **kwargs)


async def read(work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work(session, …)` as one read-only transaction of the database in use."""
    return await current().read(work, *args, **kwargs)


def is_alive(session: Session) -> bool:
    """Return True when the database answers."""
    return bool(session.connection().execute(text("SELECT 1")).scalar_one())


def damage(session: Session) -> list[str]:
    """Return what SQLite's own check finds wrong with the file; nothing on other databases."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return []
    found = connection.execute(text("PRAGMA quick_check(10)")).scalars().all()
    return [] if found == ["ok"] else list(found)
