"""Open websockets: each has limits and a door that can be shut from outside, as a session's end does."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.types import Message, Receive, Send

from mygpt import database
from mygpt.http import frames
from mygpt.services import logins
from mygpt.services.limits import Window

log = logging.getLogger(__name__)

FRAME_BYTES = 65_536
FRAMES, FRAMES_S = 200, 10.0
ANONYMOUS_PER_ADDRESS = 20
PER_SESSION = 100
WATCH_S = 2.0
FAREWELL_S = 0.5

SESSION_ENDED = 4401
TOO_FAST = 4429
TOO_BIG = 1009
NOT_TEXT = 1003
MALFORMED = 1007

Close = Callable[[int], Awaitable[None]]


class Sockets:
    """Which websockets are open, by login session; anonymous ones are counted by address."""

    def __init__(self) -> None:
        self._closers: dict[str, set[Close]] = {}
        self._anonymous: Counter[str] = Counter()
        self._farewells: set[asyncio.Task[None]] = set()

    def has_room(self, session_id: str, address: str) -> bool:
        """Whether one more may be opened."""
        if session_id:
            return len(self._closers.get(session_id, ())) < PER_SESSION
        return self._anonymous[address] < ANONYMOUS_PER_ADDRESS

    @contextlib.contextmanager
    def opened(self, session_id: str, address: str, close: Close) -> Iterator[None]:
        """Keep the socket in the book for the length of the block."""
        if session_id:
            self._closers.setdefault(session_id, set()).add(close)
        else:
            self._anonymous[address] += 1
        try:
            yield
        finally:
            self._closed(session_id, address, close)

    def _closed(self, session_id: str, address: str, close: Close) -> None:
        if not session_id:
            self._anonymous[address] -= 1
            if not self._anonymous[address]:
                del self._anonymous[address]
            return
        closers = self._closers.get(session_id, set())
        closers.discard(close)
        if not closers:
            self._closers.pop(session_id, None)

    async def kick(self, session_id: str) -> None:
        """Close the sockets of a session that has ended; the pages come back at once, as strangers."""
        logins.forget([session_id])
        for close in tuple(self._closers.get(session_id, ())):
            await close(SESSION_ENDED)

    def kick_soon(self, *session_ids: str) -> None:
        """Do the same in a moment, when the page that asked for it has left by itself."""
        for session_id in filter(None, session_ids):
            task = asyncio.create_task(self._kick_later(session_id))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    async def _kick_later(self, session_id: str) -> None:
        await asyncio.sleep(FAREWELL_S)
        await self.kick(session_id)

    async def watch(self) -> None:
        """Close, for ever, the sockets whose session has expired, was revoked anywhere, or lost its account."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._sweep()
            except Exception:  # whatever is wrong with the database: the next look may succeed
                log.exception("sessions of open sockets could not be read")

    async def _sweep(self) -> None:
        watched = tuple(self._closers)
        if not watched:
            return
        live = await database.read(logins.live_ids, watched)
        for session_id in watched:
            if session_id not in live:
                log.info("sockets closed with their session", extra={"session_id": session_id})
                await self.kick(session_id)


open_sockets = Sockets()
"""The sockets of this process."""


class LimitedSocket:
    """The messages of one websocket between the server and the app: text frames only, not too large, not too many."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._frames = Window(FRAMES, FRAMES_S)
        self._closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def close(self, code: int) -> None:
        """Shut the door: the browser gets the code, the app sees a disconnect."""
        if self._closed.done():
            return
        self._closed.set_result(code)
        with contextlib.suppress(OSError, RuntimeError):  # the browser was faster
            await self._send({"type": "websocket.close", "code": code})

    async def receive(self) -> Message:
        """Return the next message for the app."""
        message = await self._next()
        if message["type"] == "websocket.receive":
            code = self._fault(message)
            if code:
                log.warning("socket closed for what it sent", extra={"close_code": code})
                await self.close(code)
        return self._farewell() if self._closed.done() else message

    async def send(self, message: Message) -> None:
        """Pass on what the app says, while there is somebody to hear it."""
        if self._closed.done():
            return
        if message["type"] == "websocket.close":
            self._closed.set_result(message.get("code", 1000))
        with contextlib.suppress(OSError):  # gone in this moment; the next receive says so
            await self._send(message)

    async def _next(self) -> Message:
        if self._closed.done():
            return self._farewell()
        reading = asyncio.ensure_future(self._receive())
        either: set[asyncio.Future[Any]] = {reading, self._closed}  # Any: a message or a code, whichever comes first
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else self._farewell()
        finally:
            reading.cancel()

    def _fault(self, message: Message) -> int:
        text = message.get("text")
        if text is None:
            return NOT_TEXT
        if len(text) > FRAME_BYTES or len(text.encode()) > FRAME_BYTES:
            return TOO_BIG
        if not frames.is_well_formed(text):
            return MALFORMED
        return 0 if self._frames.take() else TOO_FAST

    def _farewell(self) -> Message:
        return {"type": "websocket.disconnect", "code": self._closed.result()}
