"""A raw websocket client that speaks what Reflex's page speaks, and what it never would."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

STATE = "reflex___state____state"
HYDRATE = f"{STATE}.hydrate_and_load"
WAIT_S = 10.0


class Wire:
    """One socket; `seen` is everything that came, as deltas (by state and var) and events of the page."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.vars: dict[str, Any] = {}
        self.events: list[str] = []
        self.text = ""

    async def send(self, name: str, payload: dict[str, Any] | None = None, path: str = "/") -> None:
        event = {"name": name, "payload": payload or {}, "router_data": {"pathname": path, "asPath": path}}
        await self.socket.send(f"42/_event,{json.dumps(['event', event])}")

    async def until(self, reached: Callable[["Wire"], bool], wait_s: float = WAIT_S) -> None:
        async with asyncio.timeout(wait_s):
            while not reached(self):
                await self._read()

    async def quiet(self, wait_s: float = 0.4) -> None:
        """Read until nothing has come for a while."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(wait_s):
                    await self._read()

    async def closed(self, wait_s: float = WAIT_S) -> int:
        """Read until the server closes; return its code."""
        async with asyncio.timeout(wait_s):
            try:
                while True:
                    await self._read()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    async def _read(self) -> None:
        frame = await self.socket.recv()
        assert isinstance(frame, str)
        self.text += frame + "\n"
        if frame == "2":
            await self.socket.send("3")
        if not frame.startswith("42/_event,"):
            return
        kind, *rest = json.loads(frame.removeprefix("42/_event,"))
        if kind != "event":
            return
        update = rest[0] if isinstance(rest[0], dict) else json.loads(rest[0])
        for state, values in update.get("delta", {}).items():
            for name, value in values.items():
                self.vars[f"{state.rpartition('.')[2]}.{name.removesuffix('_rx_state_')}"] = value
        self.events += [json.dumps(event) for event in update.get("events", [])]

    def var(self, name: str) -> Any:
        return next((value for key, value in self.vars.items() if key.endswith(name)), None)

    @property
    def notice(self) -> str:
        return (self.var("notices.notice") or {}).get("text", "")

    @property
    def redirect(self) -> str:
        found = [event for event in self.events if "_redirect" in event]
        return found[-1] if found else ""


def new_token() -> str:
    """Return a token as a browser makes it."""
    return str(uuid.uuid4())


@contextlib.asynccontextmanager
async def opened(
    port: int,
    *,
    cookie: str = "",
    origin: str | None = "",
    token: str = "",
    transport: str = "websocket",
    headers: dict[str, str] | None = None,
    path: str = "/_event/",
    query: str = "",
) -> AsyncIterator[Wire]:
    """Open a socket; an empty origin is the site's own, None sends none."""
    asked = {"Cookie": cookie} if cookie else {}
    if origin is not None:
        asked["Origin"] = origin or f"http://localhost:{port}"
    query = query or f"EIO=4&transport={transport}&token={token or new_token()}"
    async with connect(
        f"ws://localhost:{port}{path}?{query}",
        additional_headers={**asked, **(headers or {})},
        subprotocols=None,
        proxy=None,
        max_size=None,
    ) as socket:
        yield Wire(socket)


@contextlib.asynccontextmanager
async def page(port: int, *, path: str = "/", **options: Any) -> AsyncIterator[Wire]:
    """Open a socket and hydrate, as a page does."""
    async with opened(port, **options) as wire:
        event = {"name": HYDRATE, "payload": {"vars": {}}, "router_data": {"pathname": path, "asPath": path}}
        await wire.socket.send(f"40/_event,{json.dumps({'event': event})}")
        yield wire
