"""Notices on their way: what a failed event has to say to its tab, kept here until the handler that shows it runs.

That handler takes no arguments, since any client may call it; so the words wait on the server.
"""

from collections import deque
from typing import NamedTuple

from reflex_base.event.context import EventContext

TABS = 1_000


class Pending(NamedTuple):
    """One notice."""

    text: str
    kind: str


_waiting: dict[str, deque[Pending]] = {}


def leave(text: str, kind: str = "error") -> None:
    """Leave a notice for the tab whose event failed."""
    tab = EventContext.get().token
    while len(_waiting) >= TABS and tab not in _waiting:
        _waiting.pop(next(iter(_waiting)))
    _waiting.setdefault(tab, deque(maxlen=5)).append(Pending(text, kind))


def take() -> Pending | None:
    """Return the oldest notice left for this event's tab, or None."""
    try:
        tab = EventContext.get().token
    except LookupError:
        return None
    notices = _waiting.get(tab)
    if not notices:
        return None
    notice = notices.popleft()
    if not notices:
        del _waiting[tab]
    return notice
