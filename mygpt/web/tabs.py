"""Which tabs are open: what tells a background task that nobody listens any more."""

import reflex as rx
from reflex_base.event.context import EventContext

from mygpt.inuse import InUse

_in_use = InUse[rx.App]("app")
use = _in_use.use


def token() -> str:
    """Return what names the tab whose event is being handled; a tab that connects anew may get another."""
    return EventContext.get().token


def is_open(tab: str) -> bool:
    """Return True while a socket of the tab is connected to this process."""
    namespace = _in_use.current().event_namespace
    # Reflex's public token_to_sid copies the whole map at each look; the one inside does not.
    return namespace is not None and tab in namespace._token_manager.token_to_socket
