"""`python -m mygpt serve` as a process: one port, quickly up again, and gone when told to."""

import asyncio
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from mygpt.web import bundle
from tests.site import Site, running_site

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not bundle.is_built(), reason="the front end is not built: make build"),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of its own."""
    with running_site(tmp_path) as running:
        yield running


def _get(site: Site, path: str) -> httpx2.Response:
    return httpx2.get(f"{site.url}{path}", trust_env=False)


def _open_socket(site: Site, token: str) -> connect:
    return connect(
        f"ws://localhost:{site.port}/_event/?EIO=4&transport=websocket&token={token}",
        origin=Origin(site.url),
        subprotocols=[Subprotocol(version("reflex"))],
        proxy=None,
    )


async def test_pages_websocket_and_routes_share_one_port(site: Site) -> None:
    page, health = _get(site, "/login/"), _get(site, "/healthz")
    async with _open_socket(site, str(uuid4())) as socket:
        greeting = await _first_words(socket)
        assert socket.response is not None
        extensions = socket.response.headers["Sec-WebSocket-Extensions"]

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert health.json() == {"status": "alive"}
    assert "server" not in page.headers
    assert greeting["maxPayload"] == 65_536
    assert "permessage-deflate" in extensions


async def _first_words(socket: ClientConnection) -> dict[str, object]:
    words: dict[str, object] = json.loads(str(await socket.recv())[1:])
    return words


def test_the_front_end_holds_no_address() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in bundle.client_folder().rglob("*.js")]

    assert any("location.origin" in script for script in scripts)
    assert not any(bundle.STAND_IN in script or "localhost:8000" in script for script in scripts)


@pytest.mark.deadline
def test_a_second_start_builds_nothing_and_is_ready_within_ten_seconds(site: Site) -> None:
    site.stop()
    built_at = bundle.client_folder().stat().st_mtime_ns

    assert site.start() < 10
    assert bundle.client_folder().stat().st_mtime_ns == built_at


@pytest.mark.deadline
async def test_it_ends_within_ten_seconds_though_a_page_is_open(site: Site) -> None:
    assert site.process is not None
    async with _open_socket(site, str(uuid4())) as socket:
        await socket.recv()
        took = await asyncio.to_thread(site.stop)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()

    assert took < 10
    assert site.process.returncode == 0
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012  # the page tries again


async def test_client_tokens_are_in_no_log(site: Site) -> None:
    token = str(uuid4())

    async with _open_socket(site, token) as socket:
        await socket.recv()
    _get(site, f"/login/?token={token}")
    await asyncio.to_thread(site.stop)

    assert site.logged()
    assert token not in site.logged()


async def test_a_refused_socket_is_one_warning_and_no_error(site: Site) -> None:
    with pytest.raises(InvalidStatus):
        await connect(
            f"ws://localhost:{site.port}/_event/?EIO=4&transport=websocket&token={uuid4()}",
            origin=Origin("https://evil.example"),
            proxy=None,
        )
    await asyncio.to_thread(site.stop)

    lines = [json.loads(line) for line in site.logged().splitlines() if line.startswith("{")]
    assert [line["level"] for line in lines if line["level"] in ("WARNING", "ERROR")] == ["WARNING"]
