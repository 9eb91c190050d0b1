"""Which tabs are open: what tells a background task that nobody listens any more."""

import reflex as rx

from mygpt.inuse import InUse

_in_use = InUse[rx.App]("app")
use = _in_use.use


def is_open(client_token: str) -> bool:
    """Return True while a socket of the tab is connected to this process."""
    namespace = _in_use.current().event_namespace
    return namespace is not None and client_token in namespace.token_to_sid
