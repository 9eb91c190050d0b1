"""What the doctor finds, and that each finding names its remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from mygpt import doctor
from mygpt.database import Database
from mygpt.doctor import Verdict
from mygpt.services.access import Actor
from mygpt.settings import load

Answer = Callable[[str], bytes]


def test_a_migrated_database_with_an_account_is_fine(database_url: str, database: Database, alice: Actor) -> None:
    findings = doctor.check_database(load(database_url=database_url))

    assert [finding.verdict for finding in findings] == [Verdict.FINE, Verdict.FINE]


def test_a_site_without_accounts_is_told_how_to_get_one(database_url: str) -> None:
    *_, people = doctor.check_database(load(database_url=database_url))

    assert people.verdict is Verdict.NOTE
    assert "create-admin" in people.remedy


def test_a_schema_that_is_behind_or_ahead_is_told_apart(database_url: str, database: Database) -> None:
    def set_revision(session: Session, revision: str) -> None:
        connection = session.connection()
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    database.run_sync(set_revision, "")
    [behind] = doctor.check_database(load(database_url=database_url))
    database.run_sync(set_revision, "from_the_future")
    [newer] = doctor.check_database(load(database_url=database_url))

    assert (behind.verdict, behind.remedy) == (Verdict.NOTE, "python -m mygpt migrate")
    assert newer.verdict is Verdict.BROKEN


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "mygpt.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)

    [finding] = doctor.check_database(load(data_dir=tmp_path))

    assert finding.is_broken
    assert "copy" in finding.remedy


def test_looking_makes_no_database(tmp_path: Path) -> None:
    [finding] = doctor.check_database(load(data_dir=tmp_path))

    assert finding.verdict is Verdict.NOTE
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_others_can_read_is_broken(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    first, *_ = doctor.check_data_folder(load(data_dir=tmp_path))

    assert first.is_broken
    assert first.remedy == f"chmod 700 {tmp_path}"


def test_a_public_address_on_another_port_is_noted() -> None:
    [finding] = doctor.check_settings(load(port=8000, public_url="http://localhost:9000"))

    assert finding.verdict is Verdict.NOTE
    assert "9000" in finding.words


async def test_no_server_is_no_fault() -> None:
    [finding] = await doctor.check_server(load(port=1))

    assert finding.verdict is Verdict.NOTE


@asynccontextmanager
async def _server(answer: Answer) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(request.decode()))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        ("200 OK", "<html>", "Something else"),
        ("404 Not Found", "no", "Something else"),
        ("503 Busy", '{"status": "not ready", "reasons": ["the database cannot be reached"]}', "cannot be reached"),
    ],
)
async def test_what_answers_at_our_port_is_judged(status: str, body: str, words: str) -> None:
    async with _server(lambda _: _http(status, body)) as port:
        [finding] = await doctor.check_server(load(port=port))

    assert finding.is_broken
    assert words in finding.words


async def test_a_websocket_that_is_refused_is_broken() -> None:
    def answer(request: str) -> bytes:
        return _http("200 OK", '{"status": "ready"}') if "/readyz" in request else _http("403 Forbidden", "")

    async with _server(answer) as port:
        ready, websocket = await doctor.check_server(load(port=port))

    assert ready.verdict is Verdict.FINE
    assert websocket.is_broken
    assert "403" in websocket.words


async def test_the_guide_alone_is_noted_with_the_settings_that_help() -> None:
    [finding] = await doctor.check_providers(load(local_model="off"))

    assert finding.verdict is Verdict.NOTE
    assert "OPENAI_API_KEY" in finding.remedy


async def test_a_provider_that_answers_is_fine_and_one_that_rejects_the_key_is_broken() -> None:
    def answer(request: str) -> bytes:
        if "Bearer right" in request or "bearer right" in request:
            return _http("200 OK", '{"object": "list", "data": [{"id": "small", "object": "model"}]}')
        return _http("401 Unauthorized", '{"error": {"message": "bad key"}}')

    async with _server(answer) as port:
        address = f"http://127.0.0.1:{port}/v1"
        settings = load(
            local_model="off", compatible=f"good={address}|right,bad={address}|wrong", default_model="good:huge"
        )
        findings = {finding.subject: finding for finding in await doctor.check_providers(settings)}

    assert findings["provider good"].verdict is Verdict.FINE
    assert findings["provider bad"].is_broken
    assert "key" in findings["provider bad"].words
    assert "good:small" in findings["default model"].remedy


def test_the_table_says_what_to_do_under_each_finding() -> None:
    drawn = doctor.table([doctor.fine("disk", "Room."), doctor.broken("database", "Gone.", "Bring it back.")])

    assert drawn.splitlines() == [
        "FINE    disk      Room.",
        "BROKEN  database  Gone.",
        "                  → Bring it back.",
        "1 of 2 do not work.",
    ]
