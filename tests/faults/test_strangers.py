"""A raw websocket client against the real site: what it must not get."""

import asyncio
import uuid

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mygpt.web.states import Chat, Session, Sidebar
from tests.fakes.reflex_client import connected, handler
from tests.site import Site, running_site, sign_in


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with running_site(tmp_path_factory.mktemp("strangers")) as running:
        yield running


async def refused(site: Site, **options: object) -> bool:
    try:
        async with connected(site.url, **options):  # type: ignore[arg-type]  # options as given
            await asyncio.sleep(0.2)
    except InvalidStatus as exc:
        return exc.response.status_code in (400, 403, 404, 429)
    except ConnectionClosed:
        return True
    return False


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, "http://localhost:1"])
async def test_a_foreign_page_cannot_open_the_socket(site, origin):
    assert await refused(site, cookie=sign_in(site), origin=origin)


@pytest.mark.parametrize("token", ["room42", "x" * 36, "01a2060b-a1f7-7067-9958-0d4cb01bc987", ""])
async def test_a_token_that_no_page_makes_is_refused(site, token):
    assert await refused(site, cookie=sign_in(site), token=token or " ")


async def test_a_stranger_gets_a_redirect_and_no_data(site):
    async with connected(site.url) as page:
        await page.hydrate("/")
        await page.send(handler(Sidebar, "on_load"))
        await page.send(handler(Chat, "send"), key=uuid.uuid4().hex, text="hello")
        await page.until(lambda: page.events)

        assert "/login" in str(page.events)
        assert not page.var(Chat, "accepted")
        assert not page.var(Session, "email")


async def test_somebody_elses_token_yields_nothing_of_theirs(site):
    token, cookie = str(uuid.uuid4()), sign_in(site)
    async with connected(site.url, cookie=cookie, token=token) as owner:
        await owner.hydrate("/")
        await owner.until(lambda: owner.var(Session, "email"))
        async with connected(site.url, token=token) as thief:
            await thief.hydrate("/")
            assert not thief.var(Session, "email")
    async with connected(site.url, token=token) as thief:
        await thief.hydrate("/")
        await asyncio.sleep(0.3)
        assert not thief.var(Session, "email")
        assert "owner@example.org" not in str(thief.state)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (handler(Chat, "setvar"), {"var_name": "model", "value": "x"}),
        (handler(Chat, "_show_nothing"), {"is_missing": True}),
        (handler(Chat, "nothing_like_it"), {}),
        (handler(Chat, "send"), {"key": 5, "text": "typed wrong"}),
        (handler(Chat, "send"), {"key": "0" * 32, "text": {"a": 1}}),
        (handler(Chat, "send"), {"key": "0" * 32, "text": "hello", "role": "system"}),
        (handler(Chat, "choose_model"), {"model": None}),
    ],
)
async def test_what_is_not_declared_or_not_well_formed_changes_nothing(site, name, payload):
    async with connected(site.url, cookie=sign_in(site)) as page:
        await page.hydrate("/")
        await page.until(lambda: page.var(Chat, "model"))
        before = page.var(Chat, "model")

        await page.send(name, **payload)
        await page.send(handler(Sidebar, "load_more"))
        await asyncio.sleep(0.3)

        assert page.var(Chat, "model") == before
        assert not page.var(Chat, "accepted")
        assert not page.var(Chat, "is_missing")


async def test_the_cookie_is_in_no_log_no_file_and_no_frame(site):
    cookie = sign_in(site)
    value = cookie.partition("=")[2]
    frames: list[str] = []
    async with connected(site.url, cookie=cookie) as page:
        page.listeners.append(lambda update: frames.append(str(update)))
        await page.hydrate("/")
        await page.send(handler(Chat, "no_such_handler"), text="x")
        await page.until(lambda: page.var(Session, "email"))
        await asyncio.sleep(0.3)

    assert frames
    assert value not in "".join(frames)
    assert value not in site.logged()
    for path in site.data.rglob("*"):
        assert not path.is_file() or value.encode() not in path.read_bytes()


async def test_ending_a_session_closes_its_socket_within_five_seconds(site):
    from mygpt.database import Database
    from mygpt.services import logins

    cookie = sign_in(site)
    async with connected(site.url, cookie=cookie) as page:
        await page.hydrate("/")
        await page.until(lambda: page.var(Session, "email"))
        database = Database(f"sqlite:///{site.data / 'mygpt.db'}")
        actor = database.read_sync(logins.find_session, cookie.partition("=")[2])
        database.run_sync(logins.revoke, actor.session_id, "test")
        database.close()

        async with asyncio.timeout(5):
            while page.failure is None:
                await asyncio.sleep(0.05)
    assert isinstance(page.failure, ConnectionClosed | ConnectionError)
