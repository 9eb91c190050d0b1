"""A page without a browser: the raw websocket client of Reflex's event wire, for load, fault and refusal tests.

    async with connected(address, cookie=cookie) as page:
        await page.hydrate("/")
        await page.send(handler(Chat, "send"), key=key, text="Hello")
        await page.until(lambda: page.var(Chat, "accepted") == key)

The socket.io framing is by hand: `40/_event,{…}` opens the namespace and carries the first event, `42/_event,[…]` is an
event in either direction, `2` and `3` are ping and pong. A change of the framework's version shows in `HYDRATE` or
`SUBPROTOCOL` first.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ROOT_STATE = "reflex___state____state"
HYDRATE = f"{ROOT_STATE}.hydrate_and_load"
ON_LOAD = f"{ROOT_STATE}.reflex___state____on_load_internal_state.on_load_internal"
SUBPROTOCOL = version("reflex")
OPEN, EVENT, REFUSED = "40/_event,", "42/_event,", "44/_event,"

Update = dict[str, Any]
Listener = Callable[[Update], None]


class StateClass(Protocol):
    """What this client needs of a Reflex state class."""

    @classmethod
    def get_full_name(cls) -> str:
        """Return the dotted name of the state."""


def handler(state: type[StateClass], name: str) -> str:
    """Return the name by which a page calls one of a state's handlers."""
    return f"{state.get_full_name()}.{name}"


class Refused(Exception):
    """The server refused the namespace; the message is its reason."""


class Page:
    """One connection: sends events, keeps the newest value of every var, and tells listeners each update."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.state: dict[str, dict[str, Any]] = {}
        self.events: list[Update] = []  # what the server asked the page to do: redirects and the like
        self.listeners: list[Listener] = []
        self.new_token: str | None = None
        self.path = "/"
        self.failure: Exception | None = None
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def hydrate(self, path: str = "/", timeout_s: float = 10) -> None:
        """Open the namespace with the first event, as the page does, and wait until its handlers on load are done."""
        self.path = path
        await self.socket.send(OPEN + json.dumps({"event": self._event(HYDRATE, {"vars": {}})}))
        await self.until(lambda: self.state.get(ROOT_STATE, {}).get("is_hydrated") is True, timeout_s)

    async def go(self, path: str, timeout_s: float = 10) -> None:
        """Follow a link within the site: the same connection, another address."""
        self.path = path
        self.state.setdefault(ROOT_STATE, {})["is_hydrated"] = False
        await self.send(ON_LOAD)
        await self.until(lambda: self.state[ROOT_STATE]["is_hydrated"] is True, timeout_s)

    async def send(self, name: str, **payload: Any) -> None:
        """Call a handler by its full name."""
        await self.socket.send(EVENT + json.dumps(["event", self._event(name, payload)]))

    def var(self, state: type[StateClass], name: str) -> Any:
        """Return the newest value of a var, or None before it came."""
        return self.state.get(state.get_full_name(), {}).get(name)

    async def until(self, holds: Callable[[], Any], timeout_s: float = 10) -> None:
        """Wait until something holds; raises TimeoutError, or what ended the connection."""
        async with asyncio.timeout(timeout_s):
            while not holds():
                if self.failure:
                    raise self.failure
                self._changed.clear()
                await self._changed.wait()

    @property
    def redirect(self) -> str:
        """The address the server last asked the page to go to; empty when it did not."""
        asked = [event["payload"]["path"] for event in self.events if event["name"] == "_redirect"]
        return str(asked[-1]) if asked else ""

    def _event(self, name: str, payload: Update) -> Update:
        location: Update = {"pathname": self.path, "asPath": self.path}
        if self.path.startswith("/c/"):
            location["query"] = {"conversation": self.path.removeprefix("/c/")}
        return {"name": name, "payload": payload, "router_data": location}

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                await self._take(frame if isinstance(frame, str) else frame.decode())
        except (ConnectionClosed, Refused) as exc:
            self.failure = exc
        else:
            self.failure = ConnectionError("the server closed the connection")
        self._changed.set()

    async def _take(self, frame: str) -> None:
        if frame == "2":
            await self.socket.send("3")
        elif frame.startswith(EVENT):
            name, *arguments = json.loads(frame[len(EVENT) :])
            if name == "event":
                self._apply(arguments[0])
            elif name == "new_token":
                self.new_token = arguments[0]
            self._changed.set()
        elif frame.startswith(REFUSED):
            raise Refused(frame[len(REFUSED) :])

    def _apply(self, update: Update) -> None:
        for state, values in (update.get("delta") or {}).items():
            known = self.state.setdefault(state, {})
            known.update((name.removesuffix("_rx_state_"), value) for name, value in values.items())
        self.events += update.get("events") or []
        for listener in self.listeners:
            listener(update)


@asynccontextmanager
async def connected(
    address: str,
    *,
    cookie: str = "",
    origin: str | None = "",
    token: str | None = None,
    subprotocol: str = SUBPROTOCOL,
    compression: str | None = "deflate",
    host: str | None = None,
) -> AsyncIterator[Page]:
    """Open a connection; an empty origin means the site's own, None sends none. Raises websockets' `InvalidStatus`.

    `host` is the public address where it differs from the one that is dialled.
    """
    parts, public = urlsplit(address), urlsplit(host or address)
    scheme = "wss" if parts.scheme == "https" else "ws"
    url = f"{scheme}://{public.netloc}/_event/?EIO=4&transport=websocket&token={token or uuid.uuid4()}"
    async with connect(
        url,
        origin=(host or address) if origin == "" else origin,  # type: ignore[arg-type]  # a NewType over str
        additional_headers={"Cookie": cookie} if cookie else {},
        subprotocols=[subprotocol],  # type: ignore[list-item]  # a NewType over str
        compression=compression,
        max_size=None,
        proxy=None,
        host=parts.hostname,
        port=parts.port,
        user_agent_header="Mozilla/5.0 (measurement)",
    ) as socket:
        page = Page(socket)
        try:
            yield page
        finally:
            page._reader.cancel()
            with suppress(asyncio.CancelledError):
                await page._reader
