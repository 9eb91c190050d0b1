"""The scrolling list of messages."""

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

    @classmethod
    def create(cls, *children: rx.Component, **props: object) -> rx.Component:
        """Make the list with its texts."""
        return super().create(*children, texts=texts("thread", "label", "earlier", "loading", "jump"), **props)


thread = Thread.create
