"""The journey of one message in a real browser, and what it cost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Playwright, expect, sync_playwright

from tests.bench.figures import Run, lags
from tests.bench.processes import EMAIL, PASSWORD, Told, cpu_s
from tests.fakes.browser import chromium
from tests.fakes.model_server import Remote
from tests.fakes.speech import number, tokens

OBSERVER = (Path(__file__).parent / "observer.js").read_text()
SETTLE_S = 1.0  # from a loaded page to a quiet one
PATIENCE_S = 60.0  # for the last token, after it was written


@dataclass(slots=True)
class Site:
    """A running system as the browser reaches it: through its relay."""

    name: str
    address: str
    pid: int
    relay: Told
    needs_login: bool
    context: BrowserContext | None = None
    page: Page | None = None
    frames: list[int] = field(default_factory=list)  # payload sizes of websocket frames, while counted

    def down(self) -> int:
        """Return the bytes sent to the browser so far."""
        return int(str(self.relay.ask()["down"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the installed Chromium."""
    with sync_playwright() as playwright:
        yield launch(playwright)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium so that pages beside the front one are not slowed down."""
    return playwright.chromium.launch(
        executable_path=chromium(),
        args=[
            "--no-sandbox", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
        ],
    )  # fmt: skip


def open_context(browser: Browser) -> BrowserContext:
    """Make a fresh profile with the observer in each of its pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    context.add_init_script(OBSERVER)
    return context


def enter(site: Site, browser: Browser) -> Page:
    """Open a system's page, signed in where it asks for that; the page is kept for the whole run."""
    if site.page is None:
        site.context = open_context(browser)
        site.page = site.context.new_page()
        if site.needs_login:
            sign_in(site.page, site.address)
    return site.page


def sign_in(page: Page, address: str) -> None:
    """Sign in as a person does."""
    page.goto(f"{address}/login")
    settle(page)
    page.get_by_test_id("login-email").fill(EMAIL)
    page.get_by_test_id("login-password").fill(PASSWORD)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("composer")).to_be_visible(timeout=20_000)


def settle(page: Page) -> None:
    """Wait until a page has loaded and gone quiet."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(SETTLE_S * 1000)


def new_conversation(site: Site, browser: Browser) -> Page:
    """Open a new conversation by its address."""
    page = enter(site, browser)
    page.bring_to_front()
    page.goto(site.address + "/")
    expect(page.get_by_test_id("composer")).to_be_visible(timeout=20_000)
    settle(page)
    return page


def converse(site: Site, page: Page, model: Remote, turns: int, count: int) -> None:
    """Fill the open conversation with short exchanges."""
    model.control(rate=0, count=count, delay_s=0, kind="plain")
    for _ in range(turns):
        _send(page, model)
        _await_number(page, count - 1, time.monotonic() + PATIENCE_S)
        _await_idle(page)


def ask(site: Site, page: Page, model: Remote, *, rate: float, count: int, kind: str = "plain") -> Run:
    """Send one message in the open conversation, watch the reply to its end, and tell what it took."""
    model.control(rate=rate, count=count, delay_s=0.3, kind=kind)
    said = tokens(kind, count)  # type: ignore[arg-type]  # one of the kinds
    numbers = [k for k, token in enumerate(said) if number(k) in token]
    skew = page.evaluate("() => window.__bench.skew()")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # busy neighbours do not count
    down, used, before = site.down(), cpu_s(site.pid), _metrics(session)
    asked = _send(page, model)
    page.wait_for_timeout(300 + count / rate * 1000 if rate else 300)
    _await_number(page, numbers[-1], time.monotonic() + PATIENCE_S)
    page.wait_for_timeout(200)  # what the end of a reply brings along is part of its cost
    after, used, down = _metrics(session), cpu_s(site.pid) - used, site.down() - down
    session.detach()
    _await_idle(page)
    seen = page.evaluate("() => ({steps: __bench.steps, enter: __bench.enter, long: __bench.long})")
    written = model.request(asked["n"])["times"]
    steps = [(highest, (at + skew) / 1000) for highest, at in seen["steps"]]
    found = lags(steps, written, numbers)
    return Run(
        tokens=count,
        lags_s=tuple(found),
        late_s=found[-1],
        first_s=found[0],
        asked_s=asked["asked"] - (seen["enter"] + skew) / 1000,
        cpu_s=used,
        task_s=after["TaskDuration"] - before["TaskDuration"],
        script_s=after["ScriptDuration"] - before["ScriptDuration"],
        down=down,
        text=len("".join(said).encode()),
        long_ms=tuple(seen["long"]),
    )


def _send(page: Page, model: Remote) -> dict[str, Any]:
    question = f"question {uuid4().hex}"
    page.evaluate("() => window.__bench.reset()")
    composer = page.get_by_test_id("composer")
    composer.fill(question)
    composer.press("Enter")
    journal = model.wait(lambda requests: any(question in request["question"] for request in requests))
    return next(request for request in journal if question in request["question"])


def _await_number(page: Page, last: int, deadline: float) -> None:
    while page.evaluate("() => window.__bench.high") < last:
        if time.monotonic() > deadline:
            seen = page.evaluate("() => window.__bench.high")
            raise TimeoutError(f"token {last} never came to the page; the last one there is {seen}")
        page.wait_for_timeout(30)


def _await_idle(page: Page) -> None:
    newest = page.locator("[data-testid=message][data-role=assistant]").last
    expect(newest).to_have_attribute("data-status", "complete", timeout=20_000)


def _metrics(session: CDPSession) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}


def count_frames(site: Site, page: Page) -> CDPSession:
    """Note the size of every websocket frame to the page, before compression, until the session is detached."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    site.frames.clear()
    session.on(
        "Network.webSocketFrameReceived",
        lambda event: site.frames.append(len(event["response"]["payloadData"].encode())),
    )
    return session


@dataclass(frozen=True, slots=True)
class Cold:
    """A page opened with an empty cache."""

    paint_ms: float
    composer_ms: float
    script_kb: float  # as transferred
    total_kb: float


def cold(browser: Browser, site: Site, path: str, storage: Any = None) -> Cold:
    """Open an address in a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US", storage_state=storage)
    context.add_init_script(OBSERVER)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes = {"script": 0.0, "all": 0.0}

    def finished(event: dict[str, Any]) -> None:
        size = event["encodedDataLength"]
        sizes["all"] += size
        if "javascript" in kinds.get(event["requestId"], ""):
            sizes["script"] += size

    session.on(
        "Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["response"]["mimeType"]})
    )
    session.on("Network.loadingFinished", finished)
    page.goto(site.address + path)
    settle(page)
    page.wait_for_timeout(2000)
    times = page.evaluate(
        "() => [performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1, __bench.composer]"
    )
    context.close()
    return Cold(times[0], times[1], sizes["script"] / 1024, sizes["all"] / 1024)
