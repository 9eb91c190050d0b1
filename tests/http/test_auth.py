"""/auth/*: signing in, signing out, and setting the site up."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlmodel import Session, select

from mygpt.database import Database
from mygpt.http import auth, errors, guard
from mygpt.http.sockets import SESSION_ENDED, Sockets
from mygpt.services import accounts, logins
from mygpt.services.access import Actor
from mygpt.settings import Settings, load
from mygpt.tables.accounts import AccountRole, AccountStatus, LoginSession
from tests.factories import make_user
from tests.http import wire
from tests.http.running import PASSWORD, Site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def alice(database: Database) -> Actor:
    """A member who can sign in with `PASSWORD`."""
    return await database.run(make_user, "alice", password_hash=await logins.hash_password(PASSWORD))


def _app(settings: Settings) -> guard.Guard:
    routes, sockets = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), Sockets()
    errors.install(routes)
    routes.include_router(auth.router(settings, sockets=sockets))
    return guard.create(settings, client=settings.data_dir, sockets=sockets)(routes)


def _browser(app: guard.Guard, settings: Settings, peer: str = "127.0.0.1") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=(peer, 1234))
    return httpx2.AsyncClient(transport=transport, base_url=settings.address, headers={"Origin": settings.address})


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with _browser(_app(settings), settings) as client:
        yield client


async def _login(browser: httpx2.AsyncClient, password: str = PASSWORD, **fields: Any) -> httpx2.Response:
    return await browser.post("/auth/login", json={"email": "alice@example.org", "password": password, **fields})


def _sessions(database: Database) -> list[LoginSession]:
    def read(session: Session) -> list[LoginSession]:
        return list(session.exec(select(LoginSession)).all())

    return database.read_sync(read)


def _code(answer: httpx2.Response) -> str:
    code: str = answer.json()["error"]["code"]
    return code


async def test_signing_in_sets_a_cookie_no_script_can_read(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    answer = await _login(browser, email=" Alice@Example.ORG")
    assert (answer.status_code, answer.content) == (204, b"")
    value, *attributes = answer.headers["set-cookie"].split("; ")
    name, _, token = value.partition("=")
    assert name == "mygpt"
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=86400"}
    who = database.read_sync(logins.find_session, token)
    assert who is not None
    assert who.account_id == alice.account_id
    assert answer.headers["cache-control"] == "no-store"


async def test_over_https_the_cookie_is_bound_to_the_host(database: Database, alice: Actor, tmp_path: Path) -> None:
    settings = load(public_url="https://chat.example.org", data_dir=tmp_path / "data")
    async with _browser(_app(settings), settings) as browser:
        answer = await _login(browser)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mygpt=")
    assert "; Secure" in cookie
    assert "Domain" not in cookie


async def test_a_plain_form_signs_in_too(database: Database, alice: Actor, browser: httpx2.AsyncClient) -> None:
    fields = {"email": "alice@example.org", "password": PASSWORD, "next": "/c/1"}
    answer = await browser.post("/auth/login", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/1")
    assert "mygpt=" in answer.headers["set-cookie"]


async def test_a_failed_form_goes_back_to_its_page(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    fields = {"email": "alice@example.org", "password": "wrong", "next": "//evil.example"}
    answer = await browser.post("/auth/login", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?why=login_failed&next=%2F")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("address", ["//evil", "/\\evil", "https:evil", "https://evil.example", "/\t/evil"])
async def test_signing_in_never_leads_to_another_site(
    database: Database, alice: Actor, browser: httpx2.AsyncClient, address: str
) -> None:
    as_form = await browser.post(
        "/auth/login", data={"email": "alice@example.org", "password": PASSWORD, "next": address}
    )
    as_json = await _login(browser, next=address)
    assert as_form.headers["location"] == "/"
    assert as_json.headers["location"] == "/"


async def test_unknown_wrong_and_disabled_are_told_in_the_same_words(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    hashed = await logins.hash_password(PASSWORD)
    await database.run(make_user, "gone", status=AccountStatus.DISABLED, password_hash=hashed)
    await database.run(make_user, "bare")  # an account without a password
    answers = [
        await _login(browser, "wrong password, long enough"),
        await _login(browser, email="nobody@example.org"),
        await _login(browser, email="no address"),
        await _login(browser, email="gone@example.org"),
        await _login(browser, email="bare@example.org"),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
    assert _code(answers[0]) == "login_failed"
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert _sessions(database) == []


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"},
     {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"}],
)  # fmt: skip
async def test_another_sites_page_cannot_sign_anybody_in_or_out(
    database: Database, alice: Actor, browser: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("/auth/login", "/auth/logout", "/auth/setup"):
        answer = await browser.post(path, json={"email": "alice@example.org", "password": PASSWORD}, headers=headers)
        assert (answer.status_code, _code(answer)) == (403, "foreign_origin")
        assert "set-cookie" not in answer.headers


async def test_the_cookie_a_browser_came_with_is_never_the_session(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    planted = "planted" + "x" * 36
    browser.cookies.set("mygpt", planted)
    answer = await _login(browser)
    assert planted not in answer.headers["set-cookie"]
    assert database.read_sync(logins.find_session, planted) is None


async def test_signing_in_again_ends_the_session_before(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    await _login(browser)
    first = browser.cookies["mygpt"]
    await _login(browser)
    assert browser.cookies["mygpt"] != first
    assert database.read_sync(logins.find_session, first) is None
    assert sorted(row.revoke_reason for row in _sessions(database)) == ["", "rotated"]


async def _csrf(database: Database, settings: Settings, browser: httpx2.AsyncClient) -> str:
    who = await database.read(logins.find_session, browser.cookies["mygpt"])
    assert who is not None
    return logins.csrf(settings.secret(), who.session_id)


async def test_signing_out_ends_the_session_and_wipes_the_browser(
    database: Database, alice: Actor, settings: Settings, browser: httpx2.AsyncClient
) -> None:
    await _login(browser)
    token = browser.cookies["mygpt"]
    answer = await browser.post("/auth/logout", headers={"X-MyGPT-CSRF": await _csrf(database, settings, browser)})
    assert answer.status_code == 204
    assert 'mygpt=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert answer.headers["clear-site-data"] == '"storage"'
    assert database.read_sync(logins.find_session, token) is None


async def test_a_plain_form_signs_out_too(
    database: Database, alice: Actor, settings: Settings, browser: httpx2.AsyncClient
) -> None:
    await _login(browser)
    answer = await browser.post("/auth/logout", data={"csrf": await _csrf(database, settings, browser)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert all(row.revoked_at for row in _sessions(database))


@pytest.mark.parametrize("value", ["", "wrong", "é"])
async def test_signing_out_needs_the_value_of_this_very_session(
    database: Database, alice: Actor, settings: Settings, browser: httpx2.AsyncClient, value: str
) -> None:
    await _login(browser)
    others = logins.csrf(settings.secret(), "another session")
    for sent in (value.encode(), others.encode()):
        answer = await browser.post("/auth/logout", headers={b"X-MyGPT-CSRF": sent})
        assert (answer.status_code, _code(answer)) == (403, "csrf_failed")
    assert database.read_sync(logins.find_session, browser.cookies["mygpt"]) is not None


async def test_signing_out_twice_is_no_failure(database: Database, browser: httpx2.AsyncClient) -> None:
    browser.cookies.set("mygpt", "x" * 43)
    assert (await browser.post("/auth/logout")).status_code == 204


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/auth/setup"])
async def test_asking_with_get_changes_nothing(browser: httpx2.AsyncClient, path: str) -> None:
    answer = await browser.get(path, params={"email": "alice@example.org", "password": PASSWORD})
    assert (answer.status_code, _code(answer)) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"{}", b'"x"', b'{"email": 1, "password": "x"}',
     b'{"email": "a@b.org", "password": null}',
     b'{"email": "a@b.org", "password": {"$ne": ""}}', b'{"email": "\\ud800@b.org", "password": "x"}', b"\xff\xfe",
     b'{"email": "a@b.org", "password": NaN}', b"[" * 10_000, b'{"email": "' + b"x" * 400 + b'", "password": "x"}'],
)  # fmt: skip
async def test_a_malformed_sign_in_is_refused_without_a_stumble(
    database: Database, browser: httpx2.AsyncClient, body: bytes
) -> None:
    for path in ("/auth/login", "/auth/setup"):
        answer = await browser.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, _code(answer)) == (422, "invalid_input")


async def test_another_kind_of_body_is_refused(browser: httpx2.AsyncClient) -> None:
    answer = await browser.post("/auth/login", content=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, _code(answer)) == (415, "unsupported_media_type")


async def test_a_huge_sign_in_is_cut(browser: httpx2.AsyncClient) -> None:
    answer = await browser.post("/auth/login", content=b"a=" + b"x" * 20_000, headers=FORM)
    assert (answer.status_code, _code(answer)) == (413, "too_large")


async def test_guessing_is_slowed_down_but_the_owner_gets_in_from_elsewhere(
    database: Database, alice: Actor, settings: Settings
) -> None:
    app = _app(settings)
    async with _browser(app, settings, "192.0.2.66") as guesser, _browser(app, settings, "192.0.2.1") as owner:
        guesses = [await _login(guesser, f"guess number {number} of mine") for number in range(10)]
        stopped = await _login(guesser)
        assert {answer.status_code for answer in guesses} == {401}
        assert (stopped.status_code, _code(stopped)) == (429, "too_many_sign_ins")
        assert 60 < int(stopped.headers["retry-after"]) <= 900
        assert (await _login(owner)).status_code == 204


async def test_parallel_guesses_are_counted_before_they_are_checked(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    answers = await asyncio.gather(*(_login(browser, f"guess number {number} of mine") for number in range(30)))
    assert sum(answer.status_code == 401 for answer in answers) == 10
    assert sum(answer.status_code == 429 for answer in answers) == 20


async def test_a_right_password_starts_the_count_afresh(
    database: Database, alice: Actor, browser: httpx2.AsyncClient
) -> None:
    for _ in range(3):
        wrong = [await _login(browser, "not my password at all") for _ in range(9)]
        assert {answer.status_code for answer in wrong} == {401}
        assert (await _login(browser)).status_code == 204


async def test_a_disabled_account_does_not_start_the_count_afresh(
    database: Database, browser: httpx2.AsyncClient
) -> None:
    hashed = await logins.hash_password(PASSWORD)
    await database.run(make_user, "alice", status=AccountStatus.DISABLED, password_hash=hashed)
    answers = [await _login(browser) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


async def _set_up(browser: httpx2.AsyncClient, token: str, **fields: str) -> httpx2.Response:
    given = {"token": token, "email": "owner@example.org", "username": "owner", "password": PASSWORD, **fields}
    return await browser.post("/auth/setup", json=given)


async def test_the_set_up_link_makes_the_owner_and_signs_them_in(
    database: Database, browser: httpx2.AsyncClient
) -> None:
    token = await database.run(logins.issue_setup_token)
    assert token is not None
    answer = await _set_up(browser, token)
    assert answer.status_code == 204
    who = await database.read(logins.find_session, browser.cookies["mygpt"])
    assert who is not None
    assert (who.role, who.email, who.name) == (AccountRole.OWNER, "owner@example.org", "owner")
    again = await _set_up(browser, token, email="other@example.org", username="other")
    assert (again.status_code, _code(again)) == (404, "setup_link_invalid")


async def test_of_many_set_ups_at_once_exactly_one_wins(database: Database, browser: httpx2.AsyncClient) -> None:
    token = await database.run(logins.issue_setup_token)
    assert token is not None
    names = [f"owner{number}" for number in range(6)]
    answers = await asyncio.gather(
        *(_set_up(browser, token, email=f"{name}@example.org", username=name) for name in names)
    )
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404, 404, 404]
    assert await database.read(accounts.count) == 1


@pytest.mark.parametrize("token", ["", "x" * 43, "y", "null"])
async def test_without_the_link_nobody_sets_the_site_up(
    database: Database, browser: httpx2.AsyncClient, token: str
) -> None:
    await database.run(logins.issue_setup_token)
    answer = await _set_up(browser, token)
    assert (answer.status_code, _code(answer)) == (404, "setup_link_invalid")
    assert await database.read(accounts.count) == 0


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"password": "short"}, "password_too_short", "password"),
        ({"email": "owner"}, "email_invalid", "email"),
        ({"username": " "}, "username_invalid", "username"),
    ],
)
async def test_a_mistake_in_the_form_does_not_use_the_link_up(
    database: Database, browser: httpx2.AsyncClient, fields: dict[str, str], code: str, param: str
) -> None:
    token = await database.run(logins.issue_setup_token)
    assert token is not None
    refused = await _set_up(browser, token, **fields)
    assert (refused.status_code, _code(refused), refused.json()["error"]["param"]) == (422, code, param)
    assert (await _set_up(browser, token)).status_code == 204


async def test_no_answer_and_no_log_holds_a_password_or_a_cookie(
    database: Database, alice: Actor, browser: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    wrong = await _login(browser, "canary password that is wrong")
    await _login(browser)
    seen = caplog.text + json.dumps([vars(record) for record in caplog.records], default=str) + wrong.text
    for secret in ("canary password", PASSWORD, browser.cookies["mygpt"], "alice@example.org"):
        assert secret not in seen


def _is_signed_in(seen: wire.Wire) -> bool:
    return bool(seen.var("desk.who"))


@contextlib.asynccontextmanager
async def _signed_in(site: Site, name: str) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    site.person(name)
    async with site.client() as client:
        answer = await client.post("/auth/login", json={"email": f"{name}@example.org", "password": PASSWORD})
        assert answer.status_code == 204
        yield client, f"mygpt={client.cookies['mygpt']}"


async def test_signing_out_closes_the_other_tabs_a_moment_later(site: Site) -> None:
    async with _signed_in(site, "leaving") as (client, cookie), wire.page(site.port, cookie=cookie) as tab:
        await tab.until(_is_signed_in)
        who = site.database.read_sync(logins.find_session, client.cookies["mygpt"])
        assert who is not None
        secret = (site.folder / "data" / "secret.key").read_bytes()
        headers = {"X-MyGPT-CSRF": logins.csrf(secret, who.session_id)}
        began = asyncio.get_running_loop().time()
        assert (await client.post("/auth/logout", headers=headers)).status_code == 204
        assert await tab.closed(2.0) == SESSION_ENDED
        assert 0.3 < asyncio.get_running_loop().time() - began < 1.5


async def test_a_cookie_is_worth_nothing_after_signing_out(site: Site) -> None:
    async with _signed_in(site, "replayed") as (client, cookie):
        token = client.cookies["mygpt"]
        site.database.run_sync(_end_all, token)
        answer = await client.get("/auth/echo", headers={"Cookie": cookie})
        assert answer.json()["who"] is None
    async with wire.page(site.port, cookie=cookie) as tab:
        await tab.until(lambda seen: bool(seen.redirect))
        assert not _is_signed_in(tab)


def _end_all(session: Session, token: str) -> None:
    who = logins.find_session(session, token)
    assert who is not None
    logins.revoke(session, who.session_id, "logout")


async def test_signing_in_closes_the_sockets_of_the_session_before(site: Site) -> None:
    async with _signed_in(site, "again") as (client, cookie), wire.page(site.port, cookie=cookie) as tab:
        await tab.until(_is_signed_in)
        await client.post("/auth/login", json={"email": "again@example.org", "password": PASSWORD})
        assert await tab.closed(2.0) == SESSION_ENDED
