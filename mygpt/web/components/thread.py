"""The scrolling list of messages."""

from typing import Any

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.text import texts


class Thread(rx.Component):
    """Follows the end while the reader is there; keeps the place when earlier messages come in."""

    library = script("thread.jsx")
    tag = "Thread"
    conversation: rx.Var[str]
    first: rx.Var[str]
    last: rx.Var[str]
    has_earlier: rx.Var[bool]
    texts: rx.Var[dict[str, str]]
    on_earlier: rx.EventHandler[rx.event.no_args_event_spec]


def thread(*rows: rx.Component, **props: Any) -> rx.Component:  # Any: what Reflex takes for a prop
    """Return the list around its rows."""
    return Thread.create(*rows, texts=texts("thread", "label", "earlier", "loading", "jump"), **props)
