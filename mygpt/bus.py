"""Publish and subscribe between the tasks of this process: who watches a topic hears what happened there.

A note says that something changed, not what it is now: the database is the truth. A listener that falls behind hears
one `lost` note instead of the ones it missed, and reads everything anew.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

QUEUE_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Note:
    """Something happened: its kind, what it happened to, and the tab that did it, where one did."""

    kind: str
    conversation_id: str = ""
    message_id: str = ""
    origin: str = ""


LOST = Note("lost")


class Subscription:
    """One listener's queue."""

    def __init__(self) -> None:
        """Start empty; must be made on the event loop it is read on."""
        self._queue: asyncio.Queue[Note] = asyncio.Queue(QUEUE_LENGTH)

    def put(self, note: Note) -> None:
        """Hand over a note; a full queue is emptied and says `lost`."""
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            note = LOST
        self._queue.put_nowait(note)

    async def get(self, timeout_s: float) -> Note | None:
        """Return the next note, or None after the time-out."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None


_listeners: dict[str, set[Subscription]] = defaultdict(set)


def publish(topic: str, note: Note) -> None:
    """Tell everybody who listens to the topic; call it on the event loop."""
    for listener in tuple(_listeners.get(topic, ())):
        listener.put(note)


@contextmanager
def subscribe(topic: str) -> Iterator[Subscription]:
    """Listen to a topic for the length of the block."""
    listener = Subscription()
    _listeners[topic].add(listener)
    try:
        yield listener
    finally:
        _listeners[topic].discard(listener)
        if not _listeners[topic]:
            del _listeners[topic]


def account(account_id: str) -> str:
    """Return the topic of everything that happens to one person's things."""
    return f"account:{account_id}"
