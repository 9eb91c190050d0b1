"""People who talk over the page's own wire and keep a ledger of what was acknowledged."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from mygpt.database import Database
from mygpt.services import accounts, logins
from mygpt.tables.accounts import Account
from mygpt.web.states import Chat, Live
from tests.fakes.reflex_client import Page, connected, handler
from tests.site import PASSWORD, Site, sign_in_async


@dataclass
class Sent:
    """One message that was sent, when it was acknowledged, and how much of its reply was seen when."""

    email: str
    key: str
    text: str
    acknowledged_at: float = 0.0
    run: str = ""
    seen: list[tuple[float, int]] = field(default_factory=list)

    def seen_before(self, moment: float) -> int:
        """Return how many UTF-16 units of the reply had been shown by then."""
        return max((length for when, length in self.seen if when <= moment), default=0)


class Person:
    """Somebody at a page."""

    def __init__(self, site: Site, email: str) -> None:
        self.site = site
        self.email = email
        self.sent: list[Sent] = []
        self.page: Page | None = None
        self._stack = AsyncExitStack()

    async def arrive(self) -> None:
        """Sign in and open the page."""
        cookie = await sign_in_async(self.site, self.email)
        self._stack = AsyncExitStack()
        self.page = await self._stack.enter_async_context(connected(self.site.url, cookie=cookie))
        self.page.listeners.append(self._listen)
        await self.page.hydrate("/")

    async def leave(self) -> None:
        """Close the page, also when the server is gone."""
        await self._stack.aclose()

    async def choose(self, model: str) -> None:
        """Choose a model."""
        assert self.page is not None
        await self.page.send(handler(Chat, "choose_model"), model=model)

    async def say(self, key: str, text: str) -> Sent:
        """Send a message, wait until it is acknowledged, and follow its reply."""
        assert self.page is not None
        page, sent = self.page, Sent(self.email, key, text)
        self.sent.append(sent)
        await page.send(handler(Chat, "send"), key=key, text=text)
        await page.until(lambda: page.var(Chat, "accepted") == key)
        sent.acknowledged_at = time.monotonic()
        await page.until(lambda: page.var(Chat, "run"))
        sent.run = page.var(Chat, "run")
        await page.send(handler(Live, "need"), run=sent.run, have=0)
        return sent

    async def finished(self) -> None:
        """Wait until the last reply is settled."""
        assert self.page is not None
        page = self.page
        await page.until(lambda: page.var(Chat, "run") == "", timeout_s=30)

    def _listen(self, update: dict) -> None:  # type: ignore[type-arg]  # a delta as it came
        assert self.page is not None
        for state, values in (update.get("delta") or {}).items():
            chunk = values.get("chunk_rx_state_") if state == Live.get_full_name() else None
            if chunk and self.sent and chunk.get("run") == self.sent[-1].run:
                length = chunk["o"] + len(chunk["t"].encode("utf-16-le")) // 2
                self.sent[-1].seen.append((time.monotonic(), length))


def register(database: Database, names: list[str]) -> list[str]:
    """Make accounts and return their e-mail addresses."""
    hashed = asyncio.run(logins.hash_password(PASSWORD))
    emails = [f"{name}@example.org" for name in names]

    def make(session) -> None:  # type: ignore[no-untyped-def]  # a Session
        for name, email in zip(names, emails, strict=True):
            session.add(Account(email=accounts.normal_email(email), username=name, password_hash=hashed))

    database.run_sync(make)
    return emails
