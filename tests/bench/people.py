"""Many people at once, without browsers: each signs in, sends one message, and follows the reply.

`python -m tests.bench.people` reads one line of JSON (`Crowd`) and prints one line of JSON (`Outcome`); it runs beside
the server with the same database, in which it makes the accounts.
"""

import asyncio
import json
import re
import sys
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from mygpt.database import Database
from mygpt.services import accounts, logins
from mygpt.web.states.chat import Chat
from mygpt.web.states.live import Live
from tests.fakes.reflex_client import Page, connected, handler

PASSWORD = "a hundred people and their words"  # of accounts that live for minutes
NUMBER = re.compile(r"t(\d{6})")
AT_ONCE = 10  # sign-ins and page loads in flight while the crowd gathers
PATIENCE_S = 60.0
TICK_S = 0.02


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who asks whom."""

    address: str  # what the server listens on
    origin: str  # its public address
    database: str
    people: int
    tokens: int
    rate: float
    within_s: float  # the time in which all press Enter, evenly; 0 is all at the same instant


@dataclass(slots=True)
class Person:
    """One member of the crowd and what they saw."""

    email: str
    question: str
    cookie: str = ""
    sent: float = 0.0
    stored: float = 0.0  # the acknowledgement came
    steps: list[tuple[int, float]] = field(default_factory=list)  # highest number seen, when
    frames: int = 0
    is_whole: bool = False
    problem: str = ""
    have: int = 0  # UTF-16 units; the words are ASCII
    _tail: str = ""

    def watch(self, update: dict[str, Any]) -> None:
        """Note the words of an update."""
        chunk = update.get("delta", {}).get(Live.get_full_name(), {}).get("chunk_rx_state_")
        if not chunk or "t" not in chunk:
            return
        self.frames += 1
        self.have = max(self.have, int(chunk["o"]) + len(chunk["t"]))
        found = NUMBER.findall(self._tail + chunk["t"])
        self._tail = (self._tail + chunk["t"])[-6:]
        if found and (not self.steps or int(found[-1]) > self.steps[-1][0]):
            self.steps.append((int(found[-1]), time.time()))
        self.is_whole = self.is_whole or bool(chunk.get("end"))


def register(crowd: Crowd) -> list[Person]:
    """Make one account each."""
    hashed = asyncio.run(logins.hash_password(PASSWORD))
    database = Database(crowd.database)
    people = [Person(f"{uuid.uuid4().hex}@example.org", f"question {uuid.uuid4().hex}") for _ in range(crowd.people)]
    for person in people:
        database.run_sync(
            accounts.create, email=person.email, username=person.email.partition("@")[0], password_hash=hashed
        )
    database.close()
    return people


async def sign_in(client: httpx2.AsyncClient, crowd: Crowd, person: Person) -> None:
    """Get the cookie of a login session."""
    answer = await client.post(
        f"{crowd.address}/auth/login",
        json={"email": person.email, "password": PASSWORD},
        headers={"origin": crowd.origin, "host": crowd.origin.partition("//")[2]},
    )
    answer.raise_for_status()
    person.cookie = answer.headers["set-cookie"].partition(";")[0]


async def converse(crowd: Crowd, person: Person, page: Page) -> None:
    """Send the message and follow the reply, as the page does."""
    page.listeners.append(person.watch)
    key = str(uuid.uuid4())
    person.sent = time.time()
    await page.send(handler(Chat, "send"), key=key, text=person.question)
    await page.until(lambda: page.var(Chat, "accepted") == key, PATIENCE_S)
    person.stored = time.time()
    await page.until(lambda: page.var(Chat, "run"), PATIENCE_S)
    run = page.var(Chat, "run")
    await page.send(handler(Live, "need"), run=run, have=0)
    patience_s = PATIENCE_S + crowd.tokens / crowd.rate
    await page.until(lambda: person.is_whole or page.redirect, patience_s)
    if page.redirect:
        await page.go(page.redirect, patience_s)
        await page.send(handler(Live, "need"), run=run, have=person.have)
    await page.until(lambda: person.is_whole, patience_s)


async def own_lag(samples: list[float]) -> None:
    """Note how late this very process wakes up: what the crowd itself adds to every lag."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + TICK_S
        await asyncio.sleep(TICK_S)
        samples.append(loop.time() - due)


async def gather(crowd: Crowd, people: list[Person]) -> list[float]:
    """Let all sign in and open the page, a few at a time; then all send. Returns the crowd's own lags."""
    turnstile = asyncio.Semaphore(AT_ONCE)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # one person's would end another's session
    async with AsyncExitStack() as stack, httpx2.AsyncClient(cookies=no_cookies, timeout=30, trust_env=False) as client:

        async def arrive(person: Person) -> Page:
            async with turnstile:
                await sign_in(client, crowd, person)
                page = await stack.enter_async_context(
                    connected(crowd.address, cookie=person.cookie, origin=crowd.origin, host=crowd.origin)
                )
                await page.hydrate("/")
            return page

        async def take_part(k: int, person: Person, page: Page) -> None:
            await asyncio.sleep(k * crowd.within_s / len(people))
            try:
                await converse(crowd, person, page)
            except Exception as exc:  # whatever it is, it is one person's trouble and counts as an error
                person.problem = f"{type(exc).__name__}: {exc}"

        pages = await asyncio.gather(*(arrive(person) for person in people))
        print(json.dumps("ready"), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        samples: list[float] = []
        control = asyncio.create_task(own_lag(samples))
        await asyncio.gather(*(take_part(k, *both) for k, both in enumerate(zip(people, pages, strict=True))))
        control.cancel()
    return samples


def main() -> None:
    """Read who asks, let them, and print what they saw."""
    crowd = Crowd(**json.loads(sys.stdin.readline()))
    people = register(crowd)
    own_lags = asyncio.run(gather(crowd, people))
    seen = [
        {name: value for name, value in asdict(person).items() if name not in ("cookie", "_tail")} for person in people
    ]
    print(json.dumps({"people": seen, "own_lags": own_lags}), flush=True)


if __name__ == "__main__":
    main()
