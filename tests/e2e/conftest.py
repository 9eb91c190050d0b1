"""One built site and one browser for all journeys; a fresh window for each."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.fakes.browser import chromium
from tests.site import EMAIL, PASSWORD, Site, running_site

HARMLESS = (
    "Disconnect websocket",
    "Socket is",
    "Failed to load resource: the server responded with a status of 401",  # a wrong password, as the browser tells it
    "Failed to load resource: the server responded with a status of 404",  # a set-up link that was used
    "Clear-Site-Data",
)
NewWindow = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a journey."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium that talks to nobody but this machine."""
    arguments = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        place = chromium() or playwright.chromium.executable_path
        if not Path(place).exists():
            pytest.skip("no Chromium or Chrome is installed")
        launched = playwright.chromium.launch(executable_path=place, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with an owner and the scripted provider, shared by the journeys that leave it as it was."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


class Watch:
    """What a window complained of."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.foreign: list[str] = []

    def look_at(self, context: BrowserContext, origin: str) -> None:
        """Note console errors, page errors, and requests that leave the site."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        context.on("request", lambda request: self._request(request.url, origin))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "blob:")):
            self.foreign.append(url)


@pytest.fixture
def watch() -> Watch:
    """What the windows of this test complained of so far."""
    return Watch()


@pytest.fixture
def window(browser: Browser, watch: Watch) -> Iterator[NewWindow]:
    """Open windows with `window(site)`, signed in unless told otherwise; complaints in the console fail the test."""
    contexts: list[BrowserContext] = []
    expect.set_options(timeout=15_000)

    def open_window(site: Site, *, signed_in: bool = True, path: str = "/", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # options of new_context, as given
        contexts.append(context)
        watch.look_at(context, site.url)
        page = context.new_page()
        if signed_in:
            sign_in(page, site)
            if path != "/":
                page.goto(site.url + path)
        else:
            page.goto(site.url + path)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert watch.problems == []
    assert watch.foreign == []


def sign_in(page: Page, site: Site, email: str = EMAIL, password: str = PASSWORD) -> None:
    """Sign in as a person does, and wait for the composer."""
    page.goto(f"{site.url}/login/")
    page.get_by_test_id("login-email").fill(email)
    page.get_by_test_id("login-password").fill(password)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("composer")).to_be_visible()
    expect(page.get_by_test_id("connection-status")).to_have_attribute("data-status", "online")


def choose(page: Page, model: str) -> None:
    """Choose a model by its id."""
    page.get_by_test_id("model-select").select_option(model)


def say(page: Page, text: str) -> None:
    """Type a message and send it with Enter; lines are kept."""
    composer = page.get_by_test_id("composer")
    composer.fill(text)
    composer.press("Enter")


def replies(page: Page):  # type: ignore[no-untyped-def]  # a Locator
    """Return the assistant's messages on the page."""
    return page.locator('[data-testid="message"][data-role="assistant"]')


def expect_status(page: Page, status: str) -> None:
    """Wait until the last reply has a status."""
    expect(replies(page).last).to_have_attribute("data-status", status, timeout=30_000)


def words(page: Page) -> str:
    """Return the words of the last reply as the page shows them."""
    return str(replies(page).last.get_by_test_id("message-content").inner_text())
