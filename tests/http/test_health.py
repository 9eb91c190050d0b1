"""The two addresses that watchers ask."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlmodel import Session

from mygpt import database as databases
from mygpt.database import Database
from mygpt.http import health


@asynccontextmanager
async def _client(has_front_end: Callable[[], bool] = lambda: True) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.include_router(health.router(has_front_end))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://site") as client:
        yield client


async def test_a_process_is_alive_without_a_database() -> None:
    async with _client() as client:
        answer = await client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert answer.headers["cache-control"] == "no-store"


async def test_it_is_ready_with_a_database_and_pages(database: Database) -> None:
    async with _client() as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert answer.headers["cache-control"] == "no-store"


async def test_without_pages_it_is_not_ready(database: Database) -> None:
    async with _client(lambda: False) as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the front end is not built"]


async def test_with_another_schema_it_is_not_ready(database: Database) -> None:
    def age(session: Session) -> None:
        session.connection().execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))

    await database.run(age)

    async with _client() as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the database's schema is newer"]


async def test_a_database_that_is_gone_is_told_without_its_address() -> None:
    gone = Database("postgresql+psycopg://me:secret-word@127.0.0.1:1/none")
    databases.use(gone)

    async with _client() as client:
        answer = await client.get("/readyz")

    databases.use(None)
    gone.close()
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the database cannot be reached"]
    assert "secret-word" not in answer.text


@pytest.mark.deadline
async def test_a_database_that_hangs_is_given_up_after_two_seconds() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    silent = Database(f"postgresql+psycopg://me@127.0.0.1:{port}/none")
    databases.use(silent)

    began = asyncio.get_running_loop().time()
    async with _client() as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
    took = asyncio.get_running_loop().time() - began

    databases.use(None)
    server.close()
    server.close_clients() if hasattr(server, "close_clients") else None
    await asyncio.to_thread(silent.close)
    assert {answer.status_code for answer in answers} == {503}
    assert took < 3
