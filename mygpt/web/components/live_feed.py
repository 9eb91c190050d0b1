"""The unseen part that carries the running reply's words to its row, past Reflex's rendering."""

import reflex as rx

from mygpt.web.components.script import script
from mygpt.web.states.chat import Chat
from mygpt.web.states.live import Live
from mygpt.web.text import texts


def _need(run: rx.Var[str], have: rx.Var[int]) -> tuple[rx.Var[str], rx.Var[int]]:
    return (run, have)


class LiveFeed(rx.Component):
    """Takes chunks of one run and asks for what is missing; message rows read the same store."""

    library = script("live_feed.jsx")
    tag = "LiveFeed"
    run: rx.Var[str]
    chunk: rx.Var[dict[str, str | int | bool]]
    texts: rx.Var[dict[str, str]]
    on_need: rx.EventHandler[_need]


def live_feed() -> rx.Component:
    """Return the part that feeds the open conversation's running reply."""
    return LiveFeed.create(run=Chat.run, chunk=Live.chunk, on_need=Live.need, texts=texts("message", "writing", "done"))
