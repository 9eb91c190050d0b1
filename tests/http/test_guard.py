"""The Guard: what it refuses, what it hides, and what it puts on every answer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import Session, col
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from websockets.exceptions import InvalidStatus

from mygpt.database import Database
from mygpt.http import guard
from mygpt.http.sockets import (
    ANONYMOUS_PER_ADDRESS,
    FRAME_BYTES,
    FRAMES,
    MALFORMED,
    NOT_TEXT,
    SESSION_ENDED,
    TOO_BIG,
    TOO_FAST,
)
from mygpt.services import accounts, logins
from mygpt.services.access import Actor
from mygpt.settings import Settings, load
from mygpt.tables.accounts import AccountStatus, LoginSession
from mygpt.tables.base import now
from tests.http import wire
from tests.http.running import BROWSER, Site

PROMISED = {
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "permissions-policy",
    "cache-control",
    "x-request-id",
}


# Over HTTP, around a small app in this process


async def _tell(request: Request) -> JSONResponse:
    who = getattr(request.state, "actor", None)
    client = request.client.host if request.client else None
    return JSONResponse(
        {"headers": dict(request.headers), "who": who.name if who else None, "client": client},
        headers={"Server": "loud/1.0", "Cache-Control": "max-age=60"},
    )


async def _length(request: Request) -> JSONResponse:
    return JSONResponse({"length": len(await request.body())})


async def _crash(_request: Request) -> Response:
    raise ValueError("a secret detail")


async def _redirect(request: Request) -> Response:
    return RedirectResponse(str(request.url.replace(path="/login/", query="a=b")))


INNER = Starlette(
    routes=[
        Route("/crash", _crash),
        Route("/login", _redirect),
        Route("/length", _length, methods=["POST"]),
        Route("/auth/length", _length, methods=["POST"]),
        Route("/{path:path}", _tell),
    ]
)


def _client(settings: Settings, peer: str = "127.0.0.1", base: str = "") -> httpx2.AsyncClient:
    app = guard.create(settings, client=settings.data_dir)(INNER)
    transport = httpx2.ASGITransport(app=app, client=(peer, 1234))
    return httpx2.AsyncClient(transport=transport, base_url=base or settings.address)


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with _client(settings) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:9", "localhost:8000.evil.example", "", "10.0.0.1:8000"]
)
async def test_a_foreign_host_is_refused(browser: httpx2.AsyncClient, host: str) -> None:
    answer = await browser.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unknown_host"
    assert set(answer.headers) >= PROMISED


async def test_two_hosts_are_refused(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/", headers=[("Host", "localhost:8000"), ("Host", "evil.example")])
    assert answer.status_code == 400


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"])
async def test_the_names_of_this_machine_count_as_one(browser: httpx2.AsyncClient, host: str) -> None:
    assert (await browser.get("/", headers={"Host": host})).status_code == 200


async def test_probes_are_answered_under_any_name(browser: httpx2.AsyncClient) -> None:
    assert (await browser.get("/healthz", headers={"Host": "10.0.0.1"})).status_code == 200


@pytest.mark.parametrize("host", ["chat.example.org", "chat.example.org:443"])
async def test_a_public_site_answers_under_its_name(tmp_path: Path, host: str) -> None:
    settings = load(public_url="https://chat.example.org", data_dir=tmp_path)
    async with _client(settings) as client:
        assert (await client.get("/", headers={"Host": host})).status_code == 200
        assert (await client.get("/", headers={"Host": "localhost:8000"})).status_code == 400


@pytest.mark.parametrize("path", ["/", "/crash", "/ping", "/assets/a.js", "/login"])
async def test_every_answer_has_the_security_headers(browser: httpx2.AsyncClient, path: str) -> None:
    headers = (await browser.get(path)).headers
    assert set(headers) >= PROMISED
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


async def test_https_sites_demand_https(tmp_path: Path) -> None:
    async with _client(load(public_url="https://chat.example.org", data_dir=tmp_path)) as client:
        answer = await client.get("/")
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    "path",
    [
        "/_upload",
        "/_upload/",
        "/_upload/x/y.png",
        "/_uploads",
        "/_all_routes",
        "/ping",
        "/ping/",
        "/_health",
        "/auth-codespace",
    ],
)
async def test_what_reflex_opens_by_itself_is_not_there(browser: httpx2.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await browser.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_polling_instead_of_a_websocket_is_refused(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/_event/", params={"EIO": "4", "transport": "polling", "token": wire.new_token()})
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "HACK"])
async def test_odd_methods_are_refused(browser: httpx2.AsyncClient, method: str) -> None:
    assert (await browser.request(method, "/")).status_code == 405


async def test_only_hashed_assets_may_be_kept(browser: httpx2.AsyncClient) -> None:
    assert "immutable" in (await browser.get("/assets/app-1a2b.js")).headers["cache-control"]
    assert (await browser.post("/assets/none")).headers["cache-control"] == "no-store"
    assert (await browser.get("/")).headers["cache-control"] == "no-store"


async def test_a_redirect_keeps_to_the_scheme_the_browser_uses(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/login")
    assert (answer.status_code, answer.headers["location"]) == (307, "/login/?a=b")


async def test_a_well_formed_request_id_is_kept_and_another_is_replaced(browser: httpx2.AsyncClient) -> None:
    kept = await browser.get("/", headers={"X-Request-Id": "trace-0123456789"})
    replaced = await browser.get("/", headers={"X-Request-Id": "a b;" * 30})
    assert kept.headers["x-request-id"] == "trace-0123456789"
    assert len(replaced.headers["x-request-id"]) == 32


async def test_a_bug_shows_its_number_and_nothing_else(
    browser: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await browser.get("/crash")
    assert answer.status_code == 500
    assert "a secret detail" not in answer.text
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["request failed"]
    assert "a secret detail" in caplog.text


@pytest.mark.parametrize(("path", "limit"), [("/length", guard.BODY_BYTES), ("/auth/length", 16_384)])
async def test_a_body_is_limited_by_its_announced_length(browser: httpx2.AsyncClient, path: str, limit: int) -> None:
    fits, over = await browser.post(path, content=b"x" * limit), await browser.post(path, content=b"x" * (limit + 1))
    assert (fits.status_code, fits.json()) == (200, {"length": limit})
    assert (over.status_code, over.json()["error"]["code"]) == (413, "too_large")
    assert set(over.headers) >= PROMISED


async def test_a_body_without_an_announced_length_is_cut_while_it_streams(browser: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 4096
            yield b"x" * 4096

    answer = await browser.post("/auth/length", content=endless())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert sent <= 16_384 + 2 * 4096


@pytest.mark.parametrize("length", ["-1", "1e3", "+5", "٣", "9" * 5000])
async def test_a_nonsense_length_is_refused(browser: httpx2.AsyncClient, length: str) -> None:
    headers = {b"Content-Length": length.encode()}
    assert (await browser.post("/length", headers=headers)).status_code in (400, 413)


async def test_no_route_sees_the_cookie_but_who_it_belongs_to(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    new = database.run_sync(logins.open_session, alice.account_id, BROWSER)
    sent = {"Cookie": f"other=1; mygpt={new.token}", "Authorization": "Session 1"}
    inside, outside = await browser.get("/auth/x", headers=sent), await browser.get("/x", headers=sent)
    assert inside.json()["who"] == "alice"
    assert outside.json()["who"] is None
    for answer in (inside, outside):
        assert not {"cookie", "authorization"} & set(answer.json()["headers"])


async def test_two_cookies_of_the_name_are_nobodys(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    new = database.run_sync(logins.open_session, alice.account_id, BROWSER)
    answer = await browser.get("/auth/x", headers={"Cookie": f"mygpt=planted; mygpt={new.token}"})
    assert answer.json()["who"] is None


async def test_the_api_reads_bearers_and_no_cookies(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    new = database.run_sync(logins.open_session, alice.account_id, BROWSER)
    answer = await browser.get("/api/v1/models", headers={"Cookie": f"mygpt={new.token}", "Authorization": "Bearer k"})
    assert answer.json()["who"] is None
    assert answer.json()["headers"]["authorization"] == "Bearer k"
    assert "cookie" not in answer.json()["headers"]


async def test_forwarding_headers_are_believed_for_as_many_hops_as_are_trusted(tmp_path: Path) -> None:
    sent = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.0.0.2", "Host": "localhost:8000"}
    seen = []
    for hops in (0, 1, 2, 4):
        async with _client(load(data_dir=tmp_path, trusted_proxy_hops=hops), peer="192.0.2.1") as client:
            seen.append((await client.get("/", headers=sent)).json()["client"])
    assert seen == ["192.0.2.1", "10.0.0.2", "203.0.113.7", "192.0.2.1"]


async def test_a_database_that_does_not_answer_lets_nobody_in(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with _client(settings) as client:  # no database is in use
        answer = await client.get("/auth/x", headers={"Cookie": f"mygpt={'x' * 43}"})
    assert answer.status_code == 500
    assert "request failed" in caplog.text


async def test_the_lifespan_passes(settings: Settings) -> None:
    seen = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return None

    await guard.create(settings)(app)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


def test_a_token_is_another_one_in_every_session() -> None:
    token = wire.new_token()
    derived = {guard.derive(b"secret", token, session) for session in ("", "s1", "s2")}
    assert len(derived | {token}) == 4
    assert all(guard.CLIENT_TOKEN.match(one) for one in derived)
    assert guard.derive(b"secret", token, "s1") == guard.derive(b"secret", token, "s1")


# Over a real websocket, before a real Reflex


async def _refused(site: Site, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with wire.opened(site.port, **options):
            pass
    assert {name.lower() for name in refused.value.response.headers} >= PROMISED
    return refused.value.response.status_code


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost", "https://localhost:{port}", None]
)
@pytest.mark.parametrize("has_cookie", [True, False])
async def test_a_socket_from_another_site_or_from_none_is_refused(
    site: Site, origin: str | None, has_cookie: bool
) -> None:
    cookie = site.cookie(site.person(wire.new_token()))[0] if has_cookie else ""
    origin = origin.format(port=site.port) if origin else origin
    assert await _refused(site, origin=origin, cookie=cookie) == 403


@pytest.mark.parametrize(
    "token",
    ["room42", "6BA7B810-9DAD-41D1-80B4-00C04FD430C8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "../../etc",
     "'%20OR%201=1",
     "6ba7b810-9dad-41d1-00b4-00c04fd430c8", "6ba7b810-9dad-41d1-80b4-00c04fd430c8%0A"],
)  # fmt: skip
async def test_a_token_that_is_no_uuid_is_refused(site: Site, token: str) -> None:
    assert await _refused(site, token=token) == 403


@pytest.mark.parametrize(
    "query",
    ["EIO=4&transport=polling&token={token}", "EIO=4&token={token}", "EIO=4&transport=websocket",
     "EIO=4&transport=websocket&token={token}&token={token}",
     "EIO=4&transport=websocket&transport=polling&token={token}"],
)  # fmt: skip
async def test_any_other_handshake_is_refused(site: Site, query: str) -> None:
    assert await _refused(site, query=query.format(token=wire.new_token())) == 403


async def test_there_is_no_websocket_elsewhere(site: Site) -> None:
    assert await _refused(site, path="/live/") == 404


async def test_a_socket_under_a_foreign_host_is_refused(site: Site) -> None:
    async with site.client() as client:
        answer = await client.get(
            "/_event/",
            params={"EIO": "4", "transport": "websocket", "token": wire.new_token()},
            headers={
                "Host": "evil.example",
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )
    assert answer.status_code == 400


@pytest.mark.parametrize("variant", "89abcdef")
async def test_every_token_a_browser_makes_is_taken(site: Site, variant: str) -> None:
    async with wire.page(site.port, token=f"6ba7b810-9dad-41d1-{variant}0b4-00c04fd430c8") as page:
        await page.until(lambda seen: seen.var("state.is_hydrated") is not None)


async def test_a_dead_cookie_is_a_strangers(site: Site) -> None:
    cookie, new = site.cookie(site.person("dead"))
    site.database.run_sync(logins.revoke, new.session_id, "logout")
    async with wire.page(site.port, cookie=cookie) as page:
        await page.until(lambda seen: bool(seen.redirect))
        assert "/login?why=session" in page.redirect
        assert not page.var("desk.who")


async def test_somebody_elses_token_yields_nothing_of_theirs(site: Site) -> None:
    token, alice, bob = wire.new_token(), site.person("alice_t"), site.person("bob_t")
    (alices, _), (bobs, _) = site.cookie(alice), site.cookie(bob)
    async with wire.page(site.port, cookie=alices, token=token) as page:
        await page.send(f"{wire.STATE}.tests___http___site____desk.write", {"text": "alice's note"})
        await page.until(lambda seen: seen.var("desk.note") == "alice's note")
        for cookie in (bobs, ""):
            await _sees_nothing(site, cookie, token)
    for cookie in (bobs, ""):
        await _sees_nothing(site, cookie, token)
    async with wire.page(site.port, cookie=alices, token=token) as page:
        await page.until(lambda seen: seen.var("desk.who") == "alice_t")
        assert page.var("desk.note") == "alice's note"


async def _sees_nothing(site: Site, cookie: str, token: str) -> None:
    async with wire.page(site.port, cookie=cookie, token=token) as page:
        await page.quiet()
        assert page.var("desk.note") == ""
        assert "alice" not in page.text


async def test_the_token_reflex_tells_opens_nothing_either(site: Site) -> None:
    cookie, _ = site.cookie(site.person("carol"))
    async with wire.page(site.port, cookie=cookie) as page:
        await page.send(f"{wire.STATE}.tests___http___site____desk.write", {"text": "carol's note"})
        await page.until(lambda seen: seen.var("desk.note") == "carol's note")
        told = page.var("rx_router_session")["client_token"]
    async with wire.page(site.port, cookie=cookie, token=told) as page:
        await page.quiet()
        assert page.var("desk.note") == ""


async def test_the_cookie_and_the_token_are_in_no_log_no_state_file_and_no_data(site: Site) -> None:
    token = wire.new_token()
    cookie, new = site.cookie(site.person("dora"))
    async with wire.page(site.port, cookie=cookie, token=token) as page:
        await page.until(lambda seen: seen.var("desk.who") == "dora")
        await page.send(f"{wire.STATE}.no_such_event", {"a": "b"})  # Reflex logs unknown events whole
        await page.send(f"{wire.STATE}.tests___http___site____desk.crash")
        await page.until(lambda seen: bool(seen.notice))
        await page.quiet()
        received = page.text
    await asyncio.sleep(2.5)  # the disk state manager writes with a delay
    files = [path for path in (site.folder / ".states").rglob("*") if path.is_file()]
    assert files
    for secret in (new.token, token):
        assert secret not in received
        assert secret not in site.log
        assert not [path for path in files if secret.encode() in path.read_bytes()]


async def test_an_internal_header_of_the_clients_own_is_dropped(site: Site) -> None:
    _, new = site.cookie(site.person("erin"))
    async with wire.page(
        site.port, headers={"Authorization": f"Session {new.session_id}", "X-Spy": "spy-canary"}
    ) as page:
        await page.until(lambda seen: bool(seen.redirect))
        assert not page.var("desk.who")
        assert "spy-canary" not in page.text


def _set_account(session: Session, who: Actor, status: AccountStatus) -> None:
    accounts.get(session, who.account_id).status = status


def _expire(session: Session, session_id: str) -> None:
    past = now() - timedelta(seconds=1)
    session.exec(update(LoginSession).where(col(LoginSession.id) == session_id).values(idle_expires_at=past))


@pytest.mark.deadline
@pytest.mark.parametrize("end", ["revoked", "expired", "disabled"])
async def test_a_session_that_ends_anywhere_closes_its_sockets_within_five_seconds(site: Site, end: str) -> None:
    who = site.person(f"frank_{end}")
    cookie, new = site.cookie(who)
    async with wire.page(site.port, cookie=cookie) as first, wire.page(site.port, cookie=cookie) as second:
        await first.until(lambda seen: bool(seen.var("desk.who")))
        if end == "revoked":
            site.database.run_sync(logins.revoke, new.session_id, "admin")
        elif end == "expired":
            site.database.run_sync(_expire, new.session_id)
        else:
            site.database.run_sync(_set_account, who, AccountStatus.DISABLED)
        assert await first.closed(5.0) == SESSION_ENDED
        assert await second.closed(1.0) == SESSION_ENDED


async def test_the_sockets_of_others_stay_open(site: Site) -> None:
    (ended, new), (stays, _) = site.cookie(site.person("gina")), site.cookie(site.person("hugo"))
    async with wire.page(site.port, cookie=ended) as closes, wire.page(site.port, cookie=stays) as open_still:
        await open_still.until(lambda seen: bool(seen.var("desk.who")))
        site.database.run_sync(logins.revoke, new.session_id, "admin")
        await closes.closed()
        await open_still.send(f"{wire.STATE}.tests___http___site____desk.write", {"text": "still here"})
        await open_still.until(lambda seen: seen.var("desk.note") == "still here")


async def test_a_frame_that_is_too_large_closes_the_socket(site: Site) -> None:
    async with wire.page(site.port) as page:
        await page.socket.send("4" + "x" * FRAME_BYTES)
        assert await page.closed() == TOO_BIG


async def test_a_frame_that_is_not_text_closes_the_socket(site: Site) -> None:
    async with wire.page(site.port) as page:
        await page.socket.send(b"\x00\x01")
        assert await page.closed() == NOT_TEXT


@pytest.mark.parametrize(
    "frame", ['42/_event,["event","canary-text"]', '40/_event,{"event":{"name":"x","payload":"canary-text"}}']
)
async def test_a_frame_reflex_could_not_read_closes_the_socket_and_is_in_no_log(site: Site, frame: str) -> None:
    async with wire.opened(site.port) as page:
        await page.socket.send("40/_event,")
        await page.socket.send(frame)
        assert await page.closed() == MALFORMED
    assert "canary-text" not in site.log


async def test_too_many_frames_close_the_socket(site: Site) -> None:
    async with wire.page(site.port) as page:
        with contextlib.suppress(Exception):  # the server may close while we still send
            for _ in range(FRAMES + 10):
                await page.socket.send("3")
        assert await page.closed() == TOO_FAST


async def test_strangers_of_one_address_have_a_limited_number_of_sockets(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(ANONYMOUS_PER_ADDRESS):
            await stack.enter_async_context(wire.opened(site.port))
        assert await _refused(site) == 429
        cookie, _ = site.cookie(site.person("ivan"))
        await stack.enter_async_context(wire.opened(site.port, cookie=cookie))
    await asyncio.sleep(0.3)
    async with wire.page(site.port) as page:
        await page.until(lambda seen: bool(seen.redirect))
